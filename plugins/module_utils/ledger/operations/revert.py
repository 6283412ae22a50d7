# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Deciding and writing down what must go back."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import failure, model, planning
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Desk, Session, session


def revert(desk: Desk, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Decides what must go back, and records it; an empty order when nothing must."""
    with session(desk, params) as held:
        upkeep.sweep(held)
        before = held.rollout.status
        if before == model.FAILING and takes_itself_back(held):
            held.change_rollout(status=model.REVERTING)
        if held.rollout.status != model.REVERTING or held.rollout.limits is None:
            return _back_answer(held, [], before)
        hosts = [host for host in held.records.hosts(held.rollout.id) if host.in_scope and _may_go(held, host)]
        going = [host for host in hosts if must_go_back(held, host)]
        reachable = _at_hand(held, going, params.get("at_hand"))
        ready = planning.ordered([host for host in map(_back_mover(held), reachable) if host is not None])
        back = [dataclasses.replace(host, position=number) for number, host in enumerate(ready, start=1)]
        held.records.save_hosts(back)
        held.change_rollout(progress_at=held.now)
        held.event("reverting", order=[host.name for host in back][:100], hosts=len(back), reason=held.rollout.reason)
        return _back_answer(held, back, before)


def takes_itself_back(held: Session) -> bool:
    """Not where nothing bad was measured, because a gate could not tell or a balancer was lost: all is held as it stands.

    Without that balancer no host could be taken out of service safely either. A candidate group that nobody can judge
    is no place for users, and what has no traffic is taken back at no risk.
    """
    is_shift = held.records.shift(held.rollout.id) is not None
    holding = failure.STOPS_AT_ONCE if is_shift else (upkeep.UNCLEAR, *failure.STOPS_AT_ONCE)
    if held.rollout.direction != model.FORWARD or held.rollout.reason_kind in holding:
        return False
    return held.limits.on_failure == "revert"


def must_go_back(held: Session, host: Host) -> bool:
    """In a shift a whole group goes home: also who was found on a bad version and not come to yet."""
    if failure.must_go_back(host, held.run):
        return True
    is_left = host.phase == model.WAITING and host.live != model.OUT_FOREIGN and host.home_version is not None
    if not is_left or held.records.shift(held.rollout.id) is None:
        return False
    return host.from_version in held.records.bad_versions(held.service)


def _may_go(held: Session, host: Host) -> bool:
    """In a shift only the group that has no traffic now; the other one's turn comes later."""
    shift = held.records.shift(held.rollout.id)
    return shift is None or shift.group_of(host.name) == shift.in_work


def _at_hand(held: Session, going: t.Sequence[Host], at_hand: t.Sequence[str] | None) -> list[Host]:
    """The hosts that this run can still work on; the others are stuck, so that nobody waits for them."""
    if at_hand is None:
        return list(going)
    for host in going:
        if host.name not in at_hand:
            _lose(held, host)
    return [host for host in going if host.name in at_hand]


def _lose(held: Session, host: Host) -> None:
    error = "lost; not reachable in this run"
    kind = host.kind or "unreachable"
    held.change_host(host, phase=model.STUCK, kind=kind, error=error, run=held.run, deadline_at=None)
    held.event("stuck", host.name, error=error)


def _back_mover(held: Session) -> t.Callable[[Host], Host | None]:
    bad = held.records.bad_versions(held.service)

    def moved(host: Host) -> Host | None:
        target = failure.way_home(host, held.records.proofs(held.service, host.name), held.rollout.version, bad)
        if target is None:
            error = "no earlier version that is not bad was ever proven in service there"
            held.change_host(host, phase=model.STUCK, error=error)
            held.event("stuck", host.name, error=error)
            return None
        weak = host.phase in (model.FAILED, model.STUCK, *model.IN_FLIGHT) or not host.is_serving
        return dataclasses.replace(
            host,
            phase=model.BACK_WAITING,
            condition=model.HALF_UPDATED if weak else model.HEALTHY,
            target_version=target,
            deadline_at=None,
        )

    return moved


def _back_answer(held: Session, back: t.Sequence[Host], before: str) -> dict[str, t.Any]:
    reason = held.rollout.reason or ""
    return {
        "changed": bool(back) or held.rollout.status != before,
        "rollout": held.rollout.id,
        "status": held.rollout.shown_status,
        "order": [host.name for host in back],
        "targets": {host.name: host.target_version for host in back},
        "reason": reason,
        "guard": json.loads(held.rollout.guard or "{}"),
        "msg": f"{len(back)} hosts of {held.service} go back: {reason}" if back else "nothing to take back",
        "diff": {"before": {"status": before}, "after": {"status": held.rollout.status}},
    }
