# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Deciding and writing down what must go back."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.guard import guard_of
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import failure, model, planning
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Ledger, Session, open_session
from ansible_collections.steady.rollout.plugins.module_utils.plurals import are, counted


def revert(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Decides what must go back, and records it; an empty order when nothing must."""
    with open_session(ledger, params) as session:
        upkeep.expire_overdue(session)
        before = session.rollout.status
        if before == model.FAILING and reverts_automatically(session):
            session.change_rollout(status=model.REVERTING)
        if session.rollout.status != model.REVERTING or session.rollout.limits is None:
            return _back_answer(session, [], before)
        hosts = [host for host in session.records.hosts(session.rollout.id) if host.in_scope and _may_go(session, host)]
        going = [host for host in hosts if must_go_back(session, host)]
        reachable = _reachable(session, going, params.get("reachable_hosts"))
        ready = planning.ordered([host for host in map(_back_mover(session), reachable) if host is not None])
        back = [dataclasses.replace(host, position=number) for number, host in enumerate(ready, start=1)]
        session.records.save_hosts(back)
        session.change_rollout(progress_at=session.now)
        session.event(
            "reverting", order=[host.name for host in back][:100], hosts=len(back), reason=session.rollout.reason
        )
        return _back_answer(session, back, before)


def reverts_automatically(session: Session) -> bool:
    """Not where nothing bad was measured, because a gate was inconclusive or a balancer was lost: all is held as it stands.

    Without that balancer no host could be taken out of service safely either. A candidate group that nobody can judge
    is no place for users, and what has no traffic is rolled back at no risk.
    """
    is_shift = session.records.shift(session.rollout.id) is not None
    holding = failure.STOPS_AT_ONCE if is_shift else (upkeep.UNCLEAR, *failure.STOPS_AT_ONCE)
    if session.rollout.direction != model.FORWARD or session.rollout.reason_kind in holding:
        return False
    return session.limits.on_failure == "revert" and not session.rollout.keeps_release


def must_go_back(session: Session, host: Host) -> bool:
    """In a shift a whole group is rolled back: also who was found on a bad version and not come to yet."""
    if failure.must_go_back(host, session.run):
        return True
    is_left = (
        host.phase == model.WAITING and host.lb_state != model.DRAINED_EXTERNALLY and host.last_good_version is not None
    )
    if not is_left or session.records.shift(session.rollout.id) is None:
        return False
    return host.from_version in session.records.bad_versions(session.service)


def _may_go(session: Session, host: Host) -> bool:
    """In a shift only the group that has no traffic now; the other one's turn comes later."""
    shift = session.records.shift(session.rollout.id)
    return shift is None or shift.group_of(host.name) == shift.in_work


def _reachable(session: Session, going: t.Sequence[Host], reachable_hosts: t.Sequence[str] | None) -> list[Host]:
    """The hosts that this run can still work on; the others are stuck, so that nobody waits for them."""
    if reachable_hosts is None:
        return list(going)
    for host in going:
        if host.name not in reachable_hosts:
            _lose(session, host)
    return [host for host in going if host.name in reachable_hosts]


def _lose(session: Session, host: Host) -> None:
    error = "not reachable in this run"
    kind = host.kind or "unreachable"
    session.change_host(host, phase=model.STUCK, kind=kind, error=error, run=session.run, deadline_at=None)
    session.event("stuck", host.name, error=error)


def _back_mover(session: Session) -> t.Callable[[Host], Host | None]:
    bad = session.records.bad_versions(session.service)

    def moved(host: Host) -> Host | None:
        target = failure.rollback_target(
            host, session.records.proofs(session.service, host.name), session.rollout.version, bad
        )
        if target is None:
            error = "no earlier version that is not bad was ever proven in service there"
            session.change_host(host, phase=model.STUCK, error=error)
            session.event("stuck", host.name, error=error)
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


def _back_answer(session: Session, back: t.Sequence[Host], before: str) -> dict[str, t.Any]:
    reason = session.rollout.reason or ""
    return {
        "changed": bool(back) or session.rollout.status != before,
        "rollout": session.rollout.id,
        "status": session.rollout.shown_status,
        "order": [host.name for host in back],
        "targets": {host.name: host.target_version for host in back},
        "reason": reason,
        "guard": guard_of(session.limits, session.records.guarded(session.rollout.id))
        if session.rollout.limits
        else {},
        "msg": f"{session.service}: {counted(len(back), 'host')} {are(len(back))} rolled back: {reason}"
        if back
        else "nothing to roll back",
        "diff": {"before": {"status": before}, "after": {"status": session.rollout.status}},
    }
