# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The fleet as the balancers and the hosts show it, with the revisions that only the ledger has."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import fleet, model, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.fleet import Seen
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Session

Rows = t.Sequence[t.Dict[str, t.Any]]


def read_fleet(session: Session, hosts: Rows, balancers: Rows, strict: bool = True) -> list[Seen]:
    """As rules.fleet.read_fleet. A host's revision is the one proven with its version, unless it reports one itself."""
    left_out = session.records.left_out(session.service)
    proofs = session.records.all_proofs(session.service)
    seen = fleet.read_fleet(hosts, balancers, left_out, strict)
    return [_recognised(session, one, proofs.get(one.name, [])[-1:], left_out.get(one.name)) for one in seen]


def _recognised(session: Session, seen: Seen, proven: list[str], left: dict[str, t.Any] | None) -> Seen:
    records: list[str | None] = [*proven]
    host = session.records.host(left["rollout"], seen.name) if left else None
    if host is not None and (host.modified or host.drained_by_us):
        records.append(host.target_version)
    version = versions.recognised(seen.version, seen.revision, records)
    is_unclear = version is None and seen.version is not None
    revision = versions.split(session.rollout.version)[1]
    if seen.outdated is False and session.rollout.kind == model.RECONFIGURE and version:
        # It has the configuration already, whoever wrote it.
        version = versions.joined(versions.plain(version), revision)
    return dataclasses.replace(seen, version=version, is_unclear=is_unclear)
