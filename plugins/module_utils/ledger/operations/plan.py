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
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import tables as texts
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import traffic as shift_words
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import plan_traffic as shift_planning
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.open import open_in
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.plan_rows import planned_rows
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import failure, fleet, model, planning, policy
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import traffic_model as shift_model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import traffic_nodes as shift_nodes
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import traffic_policy as shift_policy
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.fleet import Seen
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Shift
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Desk, Session, required, session


def plan(desk: Desk, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Plans or plans again; in check mode also without a lease, then everything is thrown away."""
    required(params, "service", "hosts")
    allowed, wish = policy.validated(params.get("policy")), shift_policy.validated(params.get("shift"))
    fleet.refuse_silent(params.get("balancers"))
    with _session_or_rehearsal(desk, params) as held:
        left_out = held.records.left_out(held.service)
        balancers = fleet.answered(params.get("balancers"))
        given, shift = params["hosts"], None
        if wish is not None:
            allowed, balancers = shift_policy.loosened(allowed), shift_nodes.with_idle_in_rotation(balancers) or []
            seen = fleet.read_fleet(given, balancers, left_out)
            nodes = params.get("nodes") or params.get("balancers") or []
            shift = shift_planning.planned(held, wish, given, nodes, seen)
            given = shift_planning.in_scope(shift, given)
        else:
            _refuse_to_leave_a_shift(held)
        seen = fleet.read_fleet(given, balancers, left_out)
        _note_baseline(held, seen, left_out)
        hosts = planned_rows(held, seen, left_out)
        limits = _limits(allowed, hosts, bool(balancers))
        if held.rollout.direction != model.RECOVER and held.rollout.status == model.OPEN:
            planning.refuse_impossible(allowed, limits, hosts, bool(balancers))
        hosts = _in_order(hosts)
        guard = guard_of(limits, hosts)
        held.records.remove_hosts(held.rollout.id)
        held.records.save_hosts(hosts)
        if shift is not None:
            shift_planning.refuse_left_alone(hosts)
            shift = shift_planning.begun(held, shift, hosts)
            held.records.save_shift(shift)
        _supersede_others(held)
        held.change_rollout(
            limits=json.dumps(limits.to_dict()),
            guard=json.dumps(guard),
            planned_at=held.now,
            progress_at=held.now,
        )
        upkeep.drop_outdated_gates(held)
        upkeep.note_complete_stages(held)
        answer = _answer(held, hosts, limits, guard, int(params.get("forks") or 0), seen)
        if shift is not None:
            answer.update(_shift_answer(held, shift, answer))
        held.event("planned", order=answer["order"][:100], hosts=len(hosts), limits=limits.to_dict())
        return answer


def _refuse_to_leave_a_shift(held: Session) -> None:
    """A rolling deployment knows nothing of shares: it would take a group for the fleet."""
    last = held.records.latest_shift(held.service)
    if last is not None and last.phase == shift_model.OVER:
        held.records.remove_shift(held.rollout.id)
    if held.rollout.direction == model.RECOVER or last is None or last.phase == shift_model.OVER:
        return
    of = held.records.rollout(last.rollout)
    if of is not None and of.status != model.SUPERSEDED:
        playbook = last.way
        raise InputError(
            f"{held.service}: the {playbook} of {of.what} is not finished (it is {last.phase}), so the traffic may be "
            f"split. Run {playbook}.yml again, or take it back with its -e rollout_resume=revert."
        )


def _shift_answer(held: Session, shift: Shift, answer: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        "shift": {
            "way": shift.way,
            "live": shift.live,
            "candidate": shift.candidate,
            "groups": shift.groups,
            "steps": [step._asdict() for step in shift.all_steps],
            "usual": shift.usual_split,
            "phase": shift.phase,
        },
        "text": [shift_words.plan(shift), *texts.plan(held.service, held.rollout, answer, at_rest=True)],
    }


def guard_of(limits: policy.Limits, hosts: t.Sequence[Host]) -> dict[str, t.Any]:
    """The floor and window in the form of lb_member's guard option, to be checked on live state before the act."""
    zones = [
        {"name": zone, "members": [host.member for host in hosts if host.zone == zone], "min_in_service": floor}
        for zone, floor in sorted(limits.zone_floors.items())
    ]
    return {
        "min_in_service": limits.min_available,
        "max_out_of_service": limits.max_unavailable,
        "zones": zones,
    }


def _session_or_rehearsal(desk: Desk, params: dict[str, t.Any]) -> t.ContextManager[Session]:
    return session(desk, params) if not desk.check_mode or params.get("run") else _rehearsal(desk, params)


@contextlib.contextmanager
def _rehearsal(desk: Desk, params: dict[str, t.Any]) -> t.Iterator[Session]:
    with desk.writing() as records:
        held, dummy = open_in(records, params, desk.clock.now(), rehearsal=True)
        yield held


def _supersede_others(held: Session) -> None:
    """Only now, with a plan that was not refused: until then the unfinished rollout is the one to go back from."""
    if held.rollout.direction == model.RECOVER:
        return
    for other in held.records.unfinished_beside(held.rollout):
        old = Session(held.records, held.lease, other, held.now)
        old.event("superseded", by=held.rollout.version)
        old.change_rollout(status=model.SUPERSEDED, concluded_at=held.now)


def _note_baseline(held: Session, seen: t.Sequence[Seen], left_out: t.Container[str]) -> None:
    """A version found healthy and in service is proven there, unless we left the host on its way to it."""
    bad = held.records.bad_versions(held.service)
    proofs = held.records.all_proofs(held.service)
    found = [
        (host.name, host.version)
        for host in seen
        if host.version and host.healthy and host.live == model.IN_SERVICE and host.name not in left_out
        and host.version not in bad and failure.standing(proofs.get(host.name, []))[-1:] != [host.version]
    ]  # fmt: skip
    held.records.add_proofs(held.service, found, held.now)


def _limits(allowed: policy.Policy, hosts: t.Sequence[Host], behind_balancer: bool) -> policy.Limits:
    in_scope = sum(1 for host in hosts if host.in_scope and host.phase != model.EXCLUDED)
    limits = policy.resolved(allowed, len(hosts), in_scope, planning.zone_sizes(hosts))
    # Behind a balancer the last one stays whatever the policy says; without one nobody is sent away.
    floor = max(limits.min_available, 1) if behind_balancer else limits.min_available
    return dataclasses.replace(limits, min_available=floor)


def _in_order(hosts: t.Sequence[Host]) -> list[Host]:
    pending = planning.ordered([host for host in hosts if host.phase == model.WAITING])
    rest = [host for host in hosts if host.phase != model.WAITING]
    return [dataclasses.replace(host, position=number) for number, host in enumerate(pending + rest, start=1)]


def _answer(
    held: Session,
    hosts: t.Sequence[Host],
    limits: policy.Limits,
    guard: dict[str, t.Any],
    forks: int,
    seen: t.Sequence[Seen],
) -> dict[str, t.Any]:
    goes = held.rollout.status == model.OPEN
    pending = [host for host in hosts if host.phase == model.WAITING] if goes else []
    on_target = [host.name for host in hosts if host.in_scope and host.phase in model.ON_TARGET]
    excluded = [host for host in hosts if host.phase == model.EXCLUDED]
    notes = {host.name: host.note for host in seen}
    rows = [
        {
            "host": host.name,
            "zone": host.zone,
            "stage": limits.stage_of(len(on_target) + number) if held.rollout.direction == model.FORWARD else 1,
            "from": host.from_version,
            "to": host.target_version,
            "condition": host.condition,
            "why": notes.get(host.name) or ("left by an earlier run" if host.ours else ""),
        }
        for number, host in enumerate(pending, start=1)
    ]
    seconds = held.records.seconds_per_host(held.service)
    answer: dict[str, t.Any] = {
        "changed": True,
        "rollout": held.rollout.id,
        "version": held.rollout.version,
        "direction": held.rollout.direction,
        "status": held.rollout.shown_status,
        "order": [host.name for host in pending],
        "plan": rows,
        "excluded": [{"host": host.name, "why": host.error} for host in excluded],
        "there_already": on_target,
        "stages": list(limits.stages),
        "window": limits.max_unavailable,
        "floor": limits.min_available,
        "guard": guard,
        "fleet": limits.fleet,
        "lowest_capacity": planning.lowest_capacity(limits, hosts, forks),
        "predicted_seconds": planning.predicted_seconds(limits, hosts, forks, seconds),
        "warnings": planning.warnings(limits, hosts, forks),
        "nothing_to_do": not pending and goes,
    }
    answer["text"] = texts.plan(held.service, held.rollout, answer)
    answer["msg"] = answer["text"][0]
    answer["diff"] = {
        "before": {row["host"]: row["from"] for row in rows},
        "after": {row["host"]: row["to"] for row in rows},
    }
    return answer
