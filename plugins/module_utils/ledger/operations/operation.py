# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What is done to hosts whose version stays: a restart, a patch, another configuration."""

from __future__ import annotations

import collections
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Rollout
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.records import Records


def asked(params: dict[str, t.Any]) -> str:
    """As in Rollout.operation; empty where a version is rolled out."""
    kind, name = params.get("operation") or "", params.get("name") or ""
    if kind and kind not in model.OPERATIONS:
        raise InputError(f"operation: '{kind}' is not one of {', '.join(model.OPERATIONS)}.")
    if not name or kind != model.RESTART:
        return kind
    try:
        versions.check_revision(name)
    except InputError as error:
        raise InputError(error.message.replace("revision:", "name:", 1)) from None
    return f"{kind} {name}"


def named(records: Records, service: str, now: float) -> str:
    """A restart that was left half-way goes on under its name; a new one is named by the time."""
    latest = records.latest(service, model.FORWARD, model.BACK)
    if latest is not None and latest.kind == model.RESTART and _is_left(latest):
        return latest.operation
    return f"{model.RESTART} {time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}"


def _is_left(rollout: Rollout) -> bool:
    return rollout.concluded_at is None or rollout.outcome in model.LEFT_HALF_WAY


def version_in_service(records: Records, service: str) -> str:
    """The one that most hosts were proven on last."""
    found = collections.Counter(versions.plain(proof.version) for proof in records.last_proofs(service).values())
    version = found.most_common(1)[0][0] if found else None
    if version is None:
        raise InputError(
            f"{service}: the version that its hosts run is not known, and a configuration does not change it; roll a version "
            "out first, or name the one that runs with -e rollout_version=..."
        )
    return version


def refuse_to_replace(unfinished: Rollout) -> None:
    """Hosts between two versions are no fleet to restart or to patch."""
    if unfinished.id and unfinished.concluded_at is None and unfinished.planned_at and not unfinished.operation:
        raise RolloutError(
            f"{unfinished.service}: the rollout of {unfinished.what} was interrupted or is paused. Run its playbook again to "
            "finish it, or roll it back with -e rollout_resume=revert; then run this one."
        )
