# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Other services of the same ledger that use the same hosts or the same pool."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.fleet import Seen
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import is_held
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Session

ACCEPTED = "shared_pool"
"""The word by which a user accepts that a pool changes its service."""


def refuse_shared(session: Session, seen: t.Sequence[Seen], params: t.Mapping[str, t.Any]) -> None:
    """InputError where another service is changing these hosts now, or has this pool as its own; else notes the pools."""
    _refuse_hosts_in_progress(session, {host.name for host in seen if host.in_scope})
    pools = {(one["host"], one["pool"]) for one in params.get("pools") or []}
    for node, pool in sorted(pools):
        other = session.records.service_of_pool(node, pool)
        if other not in (None, session.service) and ACCEPTED not in (params.get("accept") or []):
            raise InputError(
                f"rollout_service is {session.service}, but pool {pool} of {node} belongs to the service {other}: use that "
                f"name; to continue anyway, because it was renamed or replaced, add -e rollout_accept={ACCEPTED}."
            )
        session.records.note_pool(session.service, node, pool)


def _refuse_hosts_in_progress(session: Session, names: t.Collection[str]) -> None:
    for lease in session.records.leases():
        if lease.service == session.service or not is_held(lease, session.now):
            continue
        other = session.records.rollout_of_run(lease.service, lease.run)
        if other is None or other.planned_at is None:
            continue
        pending = session.records.hosts(other.id, model.WAITING, *model.IN_FLIGHT, model.BACK_WAITING)
        shared = [host.name for host in pending if host.in_scope and host.name in names]
        if shared:
            raise InputError(
                f"rollout_service: a rollout of {other.what} of the service {lease.service} is changing {shared[0]}"
                f"{' and other hosts of this fleet' if len(shared) > 1 else ''} now: wait until it is over, then run again."
            )
