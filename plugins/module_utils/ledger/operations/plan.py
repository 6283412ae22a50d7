# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Writing the plan down: the fleet as seen now, the limits in hosts, the order, and what must go back."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import tables, traffic_messages
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import (
    open_flag_release,
    recreate,
    tier_notes,
    upkeep,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.adopt import adopt, note_timer_reports
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.approve import (
    NotApproved,
    hash_of,
    note_request,
    use_approvals,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.guard import guard_of
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.host_plan import planned_hosts
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.migrate import refuse_to_cross
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.neighbours import refuse_shared
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.open import open_in
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.plan_traffic import (
    begun,
    in_scope,
    planned,
    refuse_left_alone,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.read_fleet import read_fleet
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import (
    approval,
    failure,
    fleet,
    model,
    planning,
    policy,
    traffic_model,
    traffic_nodes,
    traffic_policy,
    versions,
    window,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.fleet import Seen
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Shift
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import (
    Ledger,
    Session,
    open_session,
    required,
)

WORTH_SAYING = 86400.0
"""Seconds; a window that is open for longer needs no note."""


def plan(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Plans or plans again; in check mode also without a lease, then everything is thrown away.

    A plan that lacks approvals is thrown away, too; that it was asked for is kept.
    """
    required(params, "service", "hosts")
    try:
        return _planned(ledger, params)
    except NotApproved as lacking:
        note_request(ledger, lacking.request)
        raise


def _planned(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    allowed, asked_shift = policy.validated(params.get("policy")), traffic_policy.validated(params.get("shift"))
    fleet.refuse_unreachable(params.get("balancers"))
    with _session_or_rehearsal(ledger, params) as session:
        adopted = [*adopt(session, params), *note_timer_reports(session, params)]
        if _goes_to_another_version(session):
            open_flag_release.refuse_unfinished(session)
        left_out = session.records.left_out(session.service)
        balancers = fleet.answered(params.get("balancers"))
        given, shift = params["hosts"], None
        if asked_shift is not None:
            allowed, balancers = traffic_policy.loosened(allowed), traffic_nodes.with_idle_in_rotation(balancers) or []
            given = [{**host, "may_be_added": False} for host in given]
            seen = read_fleet(session, given, balancers)
            nodes = params.get("nodes") or params.get("balancers") or []
            shift = planned(session, asked_shift, given, nodes, seen)
            given = in_scope(shift, given)
        else:
            _refuse_to_leave_a_shift(session)
            allowed = _allowed(session, allowed)
        seen = read_fleet(session, given, balancers)
        refuse_shared(session, seen, params)
        _note_baseline(session, seen, left_out)
        hosts = planned_hosts(session, seen, left_out)
        refuse_to_cross(session, hosts)
        opened = _window(session, params.get("window"), shift is not None or allowed.all_at_once)
        hosts = _without_closed_sites(session, hosts, opened)
        limits = dataclasses.replace(_limits(allowed, hosts, bool(balancers)), window=opened)
        is_first = asked_shift is None and not allowed.all_at_once and _is_first(session, hosts)
        if is_first:
            limits = dataclasses.replace(limits, max_unavailable=max(limits.fleet, 1))
        is_open = session.rollout.status == model.OPEN and not allowed.all_at_once
        if session.rollout.direction != model.RECOVER and is_open:
            planning.refuse_impossible(allowed, limits, hosts, bool(balancers))
        hosts = _in_order(hosts)
        session.records.remove_hosts(session.rollout.id)
        session.records.save_hosts(hosts)
        session.records.save_guard(session.rollout.id, _members_by_zone(limits, hosts))
        guard = guard_of(limits, session.records.guarded(session.rollout.id))
        if shift is not None:
            refuse_left_alone(hosts)
            shift = begun(session, shift, hosts)
            session.records.save_shift(shift)
        _supersede_others(session)
        session.change_rollout(
            limits=json.dumps(limits.to_dict()),
            planned_at=session.now,
            progress_at=session.now,
        )
        upkeep.drop_outdated_gates(session)
        upkeep.note_complete_stages(session)
        notes = [*adopted, *planning.notes(hosts, params["hosts"], is_first)]
        answer = _answer(session, hosts, limits, guard, int(params.get("forks") or 0), seen, notes)
        _see_approvals(session, params, answer, ledger.check_mode)
        if shift is not None:
            answer.update(_shift_answer(session, shift, answer))
        answer["recreate_unfinished"] = recreate.is_unfinished(session)
        tier_notes.note_planned(session, bool(answer["order"]))
        session.event("planned", order=answer["order"][:100], hosts=len(hosts), limits=limits.to_dict())
        return answer


def _goes_to_another_version(session: Session) -> bool:
    rollout = session.rollout
    return rollout.direction == model.FORWARD and rollout.status == model.OPEN and not rollout.keeps_release


def _allowed(session: Session, allowed: policy.Policy) -> policy.Policy:
    """A drill is over with the first host that fails, whatever a rollout may do."""
    allowed = recreate.policy_of(session, allowed)
    return policy.of_one_host(allowed) if versions.is_drill(session.rollout.version) else allowed


def _window(session: Session, given: t.Any, is_shift: bool) -> window.Window | None:
    """What hosts have to fit into. A shift of traffic has to fit as a whole, before it begins: it is not left half-way."""
    override = str((given or {}).get("override") or "")
    if override:
        session.event("window_overridden", reason=override[:300])
    measured = window.percentile(session.records.host_seconds(session.service), 95)
    found = window.validated(given, measured)
    return None if is_shift or session.rollout.direction != model.FORWARD else found


def _without_closed_sites(session: Session, hosts: list[Host], opened: window.Window | None) -> list[Host]:
    """Hosts of a site whose window is closed are left for a later run, and nobody waits for them in this one."""
    if opened is None or session.rollout.status != model.OPEN:
        return hosts
    closed = {
        host.name: opened.objection(host.zone, session.now)
        for host in hosts
        if host.phase == model.WAITING and not opened.closes_at(host.zone)
    }
    if closed:
        session.change_rollout(reason=next(iter(closed.values())), reason_kind=window.CLOSED)
    return [
        dataclasses.replace(host, phase=model.EXCLUDED, error=closed[host.name]) if host.name in closed else host
        for host in hosts
    ]


def _see_approvals(session: Session, params: dict[str, t.Any], answer: dict[str, t.Any], check_mode: bool) -> None:
    """A run that changes nothing needs no approval, and neither does a rollback."""
    wanted = approval.validated(params.get("approvals"))
    if wanted is None or not answer["order"] or session.rollout.direction != model.FORWARD:
        return
    answer["plan_hash"] = hash_of(session, wanted, params)
    said, answer["approved"] = use_approvals(session, wanted, answer["plan_hash"], answer["text"], check_mode)
    answer["notes"].append(said)
    answer["text"] = tables.plan(session.service, session.rollout, answer)


def _refuse_to_leave_a_shift(session: Session) -> None:
    """A rolling deployment has no shares: it would take a group for the fleet."""
    last = session.records.latest_shift(session.service)
    if last is not None and last.phase == traffic_model.OVER:
        session.records.remove_shift(session.rollout.id)
    if session.rollout.direction == model.RECOVER or last is None or last.phase == traffic_model.OVER:
        return
    of = session.records.rollout(last.rollout)
    if of is not None and of.status != model.SUPERSEDED:
        playbook = last.strategy
        raise InputError(
            f"{session.service}: the {playbook} of {of.what} is not finished (it is {last.phase}), so the traffic may be "
            f"split. Run {playbook}.yml again, or roll it back with its -e rollout_resume=revert."
        )


def _shift_answer(session: Session, shift: Shift, answer: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        "shift": {
            "strategy": shift.strategy,
            "live": shift.live,
            "candidate": shift.candidate,
            "groups": shift.groups,
            "steps": [step._asdict() for step in shift.all_steps],
            "usual": shift.usual_split,
            "phase": shift.phase,
        },
        "text": [traffic_messages.plan(shift), *tables.plan(session.service, session.rollout, answer, at_rest=True)],
    }


def _members_by_zone(limits: policy.Limits, hosts: t.Sequence[Host]) -> dict[str, list[str]]:
    members: dict[str, list[str]] = {zone: [] for zone in limits.zone_floors}
    for host in hosts:
        if host.zone in members:
            members[host.zone].append(host.member)
    return members


def _session_or_rehearsal(ledger: Ledger, params: dict[str, t.Any]) -> t.ContextManager[Session]:
    return open_session(ledger, params) if not ledger.check_mode or params.get("run") else _rehearsal(ledger, params)


@contextlib.contextmanager
def _rehearsal(ledger: Ledger, params: dict[str, t.Any]) -> t.Iterator[Session]:
    with ledger.writing() as records:
        session, dummy = open_in(records, params, ledger.clock.now(), rehearsal=True)
        yield session


def _supersede_others(session: Session) -> None:
    """Only now, with a plan that was not refused: until then the unfinished rollout is the one to go back from."""
    if session.rollout.direction == model.RECOVER:
        return
    for other in session.records.unfinished_beside(session.rollout):
        old = Session(session.records, session.lease, other, session.now)
        old.event("superseded", by=session.rollout.version)
        old.change_rollout(status=model.SUPERSEDED, concluded_at=session.now)


def _note_baseline(session: Session, seen: t.Sequence[Seen], left_out: t.Container[str]) -> None:
    """A version found healthy and in service is proven there, unless we left the host on its way to it."""
    bad = session.records.bad_versions(session.service)
    proofs = session.records.all_proofs(session.service)
    found = [
        (host.name, host.version)
        for host in seen
        if host.version and host.healthy and host.lb_state == model.IN_SERVICE and host.name not in left_out
        and host.version not in bad and failure.standing(proofs.get(host.name, []))[-1:] != [host.version]
    ]  # fmt: skip
    session.records.add_proofs(session.service, found, session.now)


def _is_first(session: Session, hosts: t.Sequence[Host]) -> bool:
    """Nothing serves and nothing ever did: there is no capacity to keep."""
    goes_forward = session.rollout.direction == model.FORWARD and session.rollout.status == model.OPEN
    nothing_serves = not any(host.is_serving for host in hosts)
    return goes_forward and nothing_serves and not session.records.all_proofs(session.service)


def _limits(allowed: policy.Policy, hosts: t.Sequence[Host], behind_balancer: bool) -> policy.Limits:
    in_scope = sum(1 for host in hosts if host.in_scope and host.phase != model.EXCLUDED)
    limits = policy.resolved(allowed, len(hosts), in_scope, planning.zone_sizes(hosts))
    # Behind a balancer the last one stays whatever the policy says; without one nobody is sent away.
    floor = max(limits.min_available, 1) if behind_balancer and not allowed.all_at_once else limits.min_available
    return dataclasses.replace(limits, min_available=floor)


def _in_order(hosts: t.Sequence[Host]) -> list[Host]:
    pending = planning.ordered([host for host in hosts if host.phase == model.WAITING])
    rest = [host for host in hosts if host.phase != model.WAITING]
    return [dataclasses.replace(host, position=number) for number, host in enumerate(pending + rest, start=1)]


def _answer(
    session: Session,
    hosts: t.Sequence[Host],
    limits: policy.Limits,
    guard: dict[str, t.Any],
    forks: int,
    seen: t.Sequence[Seen],
    notes: t.Sequence[str],
) -> dict[str, t.Any]:
    goes = session.rollout.status == model.OPEN
    pending = [host for host in hosts if host.phase == model.WAITING] if goes else []
    on_target = [host.name for host in hosts if host.in_scope and host.phase in model.ON_TARGET]
    excluded = [host for host in hosts if host.phase == model.EXCLUDED]
    out = {host.name: host.note for host in seen}
    rows = [
        {
            "host": host.name,
            "zone": host.zone,
            "stage": limits.stage_of(len(on_target) + number) if session.rollout.direction == model.FORWARD else 1,
            "from": host.from_version,
            "to": host.target_version,
            "condition": host.condition,
            "why": out.get(host.name) or ("left by an earlier run" if host.drained_by_us else ""),
        }
        for number, host in enumerate(pending, start=1)
    ]
    seconds = session.records.seconds_per_host(session.service)
    answer: dict[str, t.Any] = {
        "changed": True,
        "rollout": session.rollout.id,
        **versions.target(session.rollout.version),
        "operation": session.rollout.operation,
        "direction": session.rollout.direction,
        "status": session.rollout.shown_status,
        "order": [host.name for host in pending],
        "targets": {host.name: host.target_version for host in pending},
        "plan": rows,
        "excluded": [{"host": host.name, "why": host.error} for host in excluded],
        "up_to_date": on_target,
        "stages": list(limits.stages),
        "gate": limits.gate,
        "max_unavailable": limits.max_unavailable,
        "min_available": limits.min_available,
        "guard": guard,
        "fleet": limits.fleet,
        "lowest_capacity": planning.lowest_capacity(limits, hosts, forks),
        "predicted_seconds": planning.predicted_seconds(limits, hosts, forks, seconds),
        "notes": [*notes, *planning.warnings(limits, hosts, forks)],
        "plan_hash": "",
        "approved": True,
        "closes_at": limits.window.last_closes_at if limits.window else None,
        "nothing_to_do": not pending and goes,
    }
    if limits.window is not None and pending and limits.window.last_closes_at - session.now < WORTH_SAYING:
        answer["notes"].append(tables.window(limits.window, session.now, answer["predicted_seconds"]))
    answer["anchor"] = session.records.anchor()
    answer["text"] = tables.plan(session.service, session.rollout, answer)
    answer["msg"] = answer["text"][0]
    answer["diff"] = {
        "before": {row["host"]: row["from"] for row in rows},
        "after": {row["host"]: row["to"] for row in rows},
    }
    return answer
