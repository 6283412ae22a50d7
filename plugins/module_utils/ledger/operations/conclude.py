# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The end of a run: every host and balancer is looked at once more, the lease is released, and one line says it all."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import drill, tables, traffic_messages
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages.outcome import outcome_message
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import tier_notes, upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.endings import (
    ABORTED,
    DONE,
    REFUSED,
    REVERTED,
    Ending,
    View,
    is_as_asked,
    outcome_of,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.read_fleet import read_fleet
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import fleet, lease, model, traffic_nodes
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Shift
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import (
    Ledger,
    Session,
    open_session,
    required,
)

NOT_WATCHED = (
    "note: no watch observed this run: a host was observed only during its own steps, and the lease was held in advance "
    "for each of them"
)


def find_restorable(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """What the run may put back into service before it concludes; changes nothing."""
    with open_session(ledger, params) as session:
        found = restorable(session, params, current_view(session, params))
        hosts = sorted({host for names in found.values() for host in names})
        return {
            "changed": False,
            "restorable": found,
            "msg": f"{session.service}: {', '.join(hosts) or 'no host'} can be restored",
        }


def restorable(session: Session, params: dict[str, t.Any], view: View) -> dict[str, list[str]]:
    """By balancer node, the hosts that this ledger has drained there and that are healthy and unchanged."""
    nodes = fleet.answered(params.get("balancers"))
    found: dict[str, list[str]] = {}
    for name, left in session.records.left_out(session.service).items():
        if _is_unchanged(session, name, left, (view.seen or {}).get(name)):
            for lb in nodes:
                if (lb["members"].get(left["member"]) or {}).get("admin") == fleet.DRAINED:
                    found.setdefault(lb["host"], []).append(name)
    return found


def _is_unchanged(session: Session, name: str, left: dict[str, t.Any], seen: fleet.Seen | None) -> bool:
    """Healthy, and no step that changes the host has begun since it was last in service."""
    host = session.records.host(left["rollout"], name)
    if seen is None or seen.healthy is not True or seen.is_unclear or host is None or host.modified:
        return False
    bad = session.records.bad_versions(session.service)
    return seen.version is None or (
        seen.version in session.records.proofs(session.service, name) and seen.version not in bad
    )


def conclude(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Success only if every host in scope is on its target version and in service on every balancer node."""
    required(params, "service")
    with open_session(ledger, params) as session:
        if params.get("refused") or session.rollout.limits is None:
            return _give_up_before_the_start(session, params.get("refused") or "it was never planned")
        before = session.rollout.shown_status
        _count_lost(session)
        view = current_view(session, params)
        _note_returned(session, view)
        hosts = [host for host in session.records.hosts(session.rollout.id) if host.in_scope]
        endings = [Ending.of(session, host, view) for host in hosts]
        outcome = outcome_of(session, endings, view.split_fault)
        message = outcome_message(session, outcome, endings, view.split_fault)
        report = [ending.row(session) for ending in endings]
        watched = session.lease.watch_at is not None or not any(ending.host.admitted_at for ending in endings)
        _close(session, outcome, message, params.get("unfinished") or "")
        return {
            "changed": True,
            "succeeded": outcome == DONE or (outcome == REVERTED and _is_as_wanted(session, endings)),
            "outcome": outcome,
            "message": message,
            "msg": message,
            "status": session.rollout.status,
            "in_release": session.lease.reserved_for is not None,
            "reason_kind": session.rollout.reason_kind or "",
            "report": report,
            "touched": [ending.host.name for ending in endings if ending.host.admitted_at is not None],
            "left_out": sorted(session.records.left_out(session.service)),
            "restorable": restorable(session, params, view),
            "watched": watched,
            "anchor": session.records.anchor(),
            "text": [
                *tables.report(report),
                *traffic_messages.report(session.records.shift(session.rollout.id)),
                *([] if watched else [NOT_WATCHED]),
                message,
            ],
            "diff": {"before": {"status": before}, "after": {"status": session.rollout.status}},
        }


def _is_as_wanted(session: Session, endings: t.Sequence[Ending]) -> bool:
    return is_as_asked(session, endings) or drill.has_passed(session)


def _give_up_before_the_start(session: Session, why: str) -> dict[str, t.Any]:
    """Gives the lease back and leaves the rollout as it is: new, or as an earlier run left it."""
    before = session.rollout.shown_status
    if session.rollout.limits is None:
        session.change_rollout(status=model.ABORTED, outcome=REFUSED, concluded_at=session.now, reason=why, message=why)
    session.event("refused", None, why=why)
    session.lease = lease.released(session.lease)
    message = f"{session.service}: nothing was started: {why}"
    return {
        "changed": True,
        "succeeded": False,
        "outcome": REFUSED,
        "message": message,
        "msg": message,
        "status": session.rollout.status,
        "in_release": session.lease.reserved_for is not None,
        "reason_kind": "",
        "report": [],
        "touched": [],
        "left_out": sorted(session.records.left_out(session.service)),
        "restorable": {},
        "watched": True,
        "anchor": session.records.anchor(),
        "text": [message],
        "diff": {"before": {"status": before}, "after": {"status": session.rollout.status}},
    }


def _count_lost(session: Session) -> None:
    upkeep.expire_overdue(session)
    for host in session.records.hosts(session.rollout.id, *model.IN_FLIGHT):
        if host.in_scope:
            upkeep.mark_lost(session, host, "still in flight when the run ended")


def current_view(session: Session, params: dict[str, t.Any]) -> View:
    unreachable = fleet.unreachable(params.get("balancers"))
    if params.get("hosts") is None:
        return View(None, unreachable)
    balancers, shift = params.get("balancers"), session.records.shift(session.rollout.id)
    if shift is not None:
        balancers = traffic_nodes.with_idle_in_rotation(balancers)
    found = read_fleet(session, params["hosts"], fleet.answered(balancers), strict=False)
    return View({seen.name: seen for seen in found}, unreachable, _split_fault(session, params, shift))


def _split_fault(session: Session, params: dict[str, t.Any], shift: Shift | None) -> str:
    if shift is None:
        return ""
    return traffic_messages.fault(shift, session.rollout.status, params.get("nodes") or params.get("balancers"))


def _note_returned(session: Session, view: View) -> None:
    """A host that is verified in service on a version proven there is not left out any more."""
    if view.unreachable:
        return
    for name in session.records.left_out(session.service):
        found = (view.seen or {}).get(name)
        if found is None or found.lb_state != model.IN_SERVICE or not found.healthy or found.is_unclear:
            continue
        host = session.records.host(session.rollout.id, name)
        unchanged = host is not None and not host.modified
        if found.version in session.records.proofs(session.service, name) or (found.version is None and unchanged):
            session.records.note_back(session.service, name)
            if host is not None and host.phase == model.STUCK and unchanged and _is_where_it_was(session, host, found):
                session.change_host(
                    host, phase=model.REVERTED, lb_state=model.IN_SERVICE, target_version=host.from_version
                )
                session.event("restored", name, version=host.from_version)


def _is_where_it_was(session: Session, host: Host, found: fleet.Seen) -> bool:
    """Not where its rollback did not come as far as its change: it serves, and is still on what it has to leave."""
    there = found.version or next(reversed(session.records.proofs(session.service, host.name)), None)
    return there is None or host.from_version in (None, there)


def _close(session: Session, outcome: str, message: str, unfinished: str) -> None:
    status = {DONE: model.DONE, ABORTED: model.ABORTED}.get(outcome, model.FAILED)
    session.change_rollout(status=status, outcome=outcome, concluded_at=session.now, paused_at=None, message=message)
    session.event("concluded", outcome=outcome, message=message)
    tier_notes.note_concluded(session, outcome, message, unfinished)
    session.lease = lease.released(session.lease)
