# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Where a shift begins: which group is live, what the usual split is, and where a shift that was cut off goes on."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, traffic_model, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.fleet import Seen
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import (
    BLUE_GREEN,
    Shares,
    Shift,
    Step,
    in_words,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_nodes import (
    Node,
    agreed_split,
    read_nodes,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_policy import ShiftRequest
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Session

Row = t.Dict[str, t.Any]


def planned(
    session: Session, request: ShiftRequest, hosts: t.Sequence[Row], balancers: t.Sequence[Row], seen: t.Sequence[Seen]
) -> Shift:
    """The shift of the session's rollout: as an earlier run left it, or a new one."""
    old = session.records.shift(session.rollout.id)
    if old is not None and not _is_settled(old):
        return dataclasses.replace(old, **_steps_of(session, request, old))
    if old is not None and (session.rollout.status != model.OPEN or _is_on_target(session, old, seen)):
        return _in_charge(old, _nodes(balancers, old.groups))
    if old is None and session.rollout.planned_at is not None:
        raise InputError(
            f"{session.service}: the rollout of {session.rollout.what} was begun as a rolling deployment; finish it, or roll it "
            "back, with rolling.yml."
        )
    members = _members(request, hosts)
    nodes = _nodes(balancers, members)
    _refuse_silent(nodes)
    _refuse_outsiders(nodes)
    live, candidate, usual = _sides(session, request, nodes)
    shift = Shift(
        rollout=session.rollout.id,
        strategy=request.strategy,
        live=live,
        candidate=candidate,
        members=json.dumps(members),
        steps=json.dumps(_steps(session, request)),
        usual=json.dumps(usual),
        ready_for=0.0 if session.rollout.direction == model.BACK else request.rollback_window,
    )
    if request.strategy == BLUE_GREEN and _is_there_already(session, shift, seen):
        return _in_charge(dataclasses.replace(shift, live=candidate, candidate=live, shown=json.dumps(usual)), nodes)
    return shift


def _nodes(balancers: t.Sequence[Row], groups: t.Mapping[str, t.Mapping[str, str]]) -> list[Node]:
    return read_nodes(balancers, {name: list(members.values()) for name, members in groups.items()})


def _is_settled(shift: Shift) -> bool:
    """Whether a switch of colours was seen to have reached its end; what follows it is only the conclusion."""
    is_over = shift.strategy == BLUE_GREEN and shift.phase == traffic_model.OVER
    return is_over and shift.shown_split == shift.settled_split


def _is_on_target(session: Session, shift: Shift, seen: t.Sequence[Seen]) -> bool:
    """Whether the colour with the traffic is, as one, where the rollout was to bring it. A way back names no version."""
    if session.rollout.direction == model.BACK:
        return True
    hosts = [host for host in seen if host.name in shift.groups[shift.candidate]]
    return all(versions.covers(session.rollout.version, host.version) and host.healthy for host in hosts)


def _in_charge(shift: Shift, nodes: t.Sequence[Node]) -> Shift:
    """The candidate has the traffic already: nothing is left to be moved, but at a node that shows something else."""
    if all(node.shows(shift.settled_split) for node in nodes):
        return dataclasses.replace(shift, phase=traffic_model.OVER)
    return dataclasses.replace(shift, phase=traffic_model.SHIFTING, step=len(shift.all_steps) - 1)


def scope_of(shift: Shift) -> set[str]:
    """The hosts that are to be on the version at the end: with two colours those of one."""
    groups = [shift.candidate] if shift.strategy == BLUE_GREEN else list(shift.groups)
    return {host for group in groups for host in shift.groups[group]}


def in_scope(shift: Shift, hosts: t.Sequence[Row]) -> list[Row]:
    """The hosts as the plan takes them; raises InputError where the run may not touch all that it would have to."""
    scope = scope_of(shift)
    left_out = sorted(host["name"] for host in hosts if host["name"] in scope and host.get("in_scope") is False)
    if left_out:
        raise InputError(
            f"{', '.join(left_out[:5])}: not in scope, but traffic is shifted between whole groups; run without --limit."
        )
    return [{**host, "in_scope": host["name"] in scope} for host in hosts]


def refuse_left_alone(rows: t.Sequence[Host]) -> None:
    """A group with a member that somebody else has taken out cannot be verified as a whole."""
    alone = [f"{host.name} ({host.error})" for host in rows if host.in_scope and host.phase == model.EXCLUDED]
    if alone:
        raise InputError(
            f"{', '.join(alone[:5])}: a group is moved as a whole. Put its members back into service, or take them out of the group."
        )


def begun(session: Session, shift: Shift, rows: t.Sequence[Host]) -> Shift:
    """Where this run goes on. A step whose bake was cut off bakes again: nobody was looking."""
    fresh = dataclasses.replace(shift, tries=0, goal=None, baked_from=None, promoted=None)
    if session.rollout.status != model.OPEN:
        if shift.only_confirms and shift.strategy == BLUE_GREEN:
            return dataclasses.replace(fresh, phase=traffic_model.OVER)
        return dataclasses.replace(fresh, phase=traffic_model.DEMOTING if shift.promotes else traffic_model.DRAINING)
    in_work = [host for host in rows if host.in_scope and shift.group_of(host.name)]
    is_there = {host.name for host in in_work if host.phase in model.ON_TARGET}
    if shift.promotes:
        return dataclasses.replace(fresh, phase=traffic_model.PROMOTING)
    if _is_settled(shift):
        return fresh
    if shift.strategy != BLUE_GREEN and all(host.name in is_there for host in in_work):
        return dataclasses.replace(fresh, phase=traffic_model.SETTLING)
    was_shifting = shift.phase in (traffic_model.SHIFTING, traffic_model.BAKING)
    if was_shifting and set(shift.groups[shift.candidate]) <= is_there:
        return dataclasses.replace(fresh, phase=traffic_model.SHIFTING)
    return dataclasses.replace(fresh, phase=traffic_model.CLEARING, step=0)


def _steps(session: Session, request: ShiftRequest) -> list[Step]:
    """A way back is never slower than the way forward: it skips steps and bake times."""
    return [Step(100.0, 0.0)] if session.rollout.direction == model.BACK else list(request.steps)


def _steps_of(session: Session, request: ShiftRequest, old: Shift) -> dict[str, t.Any]:
    """Other steps than those that were begun count from the first one on."""
    steps = json.dumps(_steps(session, request))
    return {} if steps == old.steps or old.promotes else {"steps": steps, "phase": traffic_model.CLEARING, "step": 0}


def _members(request: ShiftRequest, hosts: t.Sequence[Row]) -> dict[str, dict[str, str]]:
    known = {host["name"]: host.get("member") or host["name"] for host in hosts}
    unknown = sorted({name for group in request.groups.values() for name in group} - set(known))
    if unknown:
        raise InputError(
            f"shift.groups: {', '.join(unknown[:5])} is not in the fleet; the groups are made of its hosts."
        )
    grouped = {name for group in request.groups.values() for name in group}
    others = sorted(name for name in known if name not in grouped)
    if others:
        raise InputError(
            f"shift.groups: {', '.join(others[:5])} is in the fleet and in neither {' nor '.join(request.groups)}; "
            "put it in one of them."
        )
    return {name: {host: known[host] for host in group} for name, group in request.groups.items()}


def _refuse_silent(nodes: t.Sequence[Node]) -> None:
    for node in nodes:
        if not node.answers:
            why = node.why.rstrip(".") or "no answer"
            raise InputError(f"{node.name} cannot be read ({why}), so the traffic split is unknown.")


def _refuse_outsiders(nodes: t.Sequence[Node]) -> None:
    for node in nodes:
        grouped = {member for group in node.groups.values() for member in group}
        others = [
            name for name, member in (node.members or {}).items() if member.get("in_rotation") and name not in grouped
        ]
        if others:
            raise InputError(
                f"{node.name}: its pool also sends traffic to {', '.join(sorted(others)[:5])}, which is in no group; "
                "shares are of the whole pool."
            )


def _sides(session: Session, request: ShiftRequest, nodes: t.Sequence[Node]) -> tuple[str, str, Shares]:
    """(live group, candidate, usual split)."""
    before = _last_shift(session, request)
    if request.strategy == BLUE_GREEN:
        live = _live_colour(session, request, nodes, before)
        candidate = next(name for name in request.groups if name != live)
        return live, candidate, {live: 100.0, candidate: 0.0}
    live = next(name for name in request.groups if name != request.candidate)
    usual = _usual_split(session, request, nodes, before)
    if not usual.get(live):
        raise InputError(
            f"{session.service}: {live} has no traffic ({in_words(usual)}), so there is nothing for {request.candidate} to be "
            f"compared with. Give {live} its share with lb_weight first."
        )
    return live, request.candidate, usual


def _last_shift(session: Session, request: ShiftRequest) -> Shift | None:
    """The last one between the same groups; raises InputError where it was cut off in its promotion."""
    last = session.records.latest_shift(session.service)
    if last is None or set(last.groups) != set(request.groups):
        return None
    if last.promotes:
        of = session.records.rollout(last.rollout)
        version, revision = versions.split(of.what if of else "another version")
        what = f"{version} -e rollout_revision={revision}" if revision else version
        raise InputError(
            f"{session.service}: the promotion of {of.what if of else version} was cut off: {last.live} may be half updated, and "
            f"{last.candidate} has all traffic. Finish it with -e rollout_version={what}, or roll it back with "
            "-e rollout_resume=revert."
        )
    return last


def _live_colour(session: Session, request: ShiftRequest, nodes: t.Sequence[Node], before: Shift | None) -> str:
    for name in request.groups:
        wanted = {group: 100.0 if group == name else 0.0 for group in request.groups}
        if nodes and all(node.shows(wanted) for node in nodes):
            return name
    known = _known_split(before)
    if known and any(node.shows(known) for node in nodes):
        return max(known, key=lambda name: known[name])
    if request.live:
        return request.live
    raise InputError(
        f"{session.service}: the balancers do not agree on one live colour ({_messages(nodes)}), and no switch of this ledger "
        "explains it. Name the live colour with -e rollout_live_colour=...; the others then lose their traffic first."
    )


def _known_split(before: Shift | None) -> Shares | None:
    """What must be in force by the ledger. A switch that was cut off has left the old colour in charge."""
    if before is None:
        return None
    if before.phase == traffic_model.OVER and before.shown_split:
        return before.shown_split
    return before.split(0.0)


def _usual_split(session: Session, request: ShiftRequest, nodes: t.Sequence[Node], before: Shift | None) -> Shares:
    if before is not None and before.phase != traffic_model.OVER:
        return before.usual_split
    agreed = agreed_split(nodes)
    if agreed is not None:
        return agreed
    if before is not None and any(node.shows(before.usual_split) for node in nodes):
        return before.usual_split
    raise InputError(
        f"{session.service}: the balancers split the traffic differently ({_messages(nodes)}), and no shift of this ledger "
        "explains it. Give all of them the same split with lb_weight first."
    )


def _messages(nodes: t.Sequence[Node]) -> str:
    return "; ".join(f"{node.name}: {in_words(node.split)}" for node in nodes) or "there are none"


def _is_there_already(session: Session, shift: Shift, seen: t.Sequence[Seen]) -> bool:
    """The live colour is on the version: there is nothing to switch. Back, there must be something to leave."""
    live = [host for host in seen if host.name in shift.groups[shift.live]]
    if session.rollout.direction != model.BACK:
        return all(versions.covers(session.rollout.version, host.version) and host.healthy for host in live)
    source_version = session.rollout.source_version
    if source_version is not None and all(
        host.version is not None and not versions.covers(source_version, host.version) for host in live
    ):
        raise InputError(
            f"{session.service}: {shift.live} is live and not on {source_version}, so there is nothing to switch back from."
        )
    return False
