# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a shift does next, as a pure function: of what is on record, what the nodes show and how the hosts are.

Traffic never goes to a group that is not verified on the version meant for it. So each way, forward and home, first
gives all traffic to the group that can be trusted, then changes the other one, verifies it, and only then gives
traffic to that.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import traffic_model as shift_model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Shares, Shift, in_words
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_nodes import Node

CHECK = "check"
"""See whether every node can have a split; then ask again. What takes time comes before the decision, not after it."""
SET = "set"
"""Set a split on every node; then read it back and ask again."""
PREPARE = "prepare"
PROMOTE = "promote"
MEND = "mend"
RETURN = "return"
"""Bring the named hosts to their targets; they have no traffic."""
BAKE = "bake"
WAIT = "wait"
OVER = "over"

NOT_GOOD = ("fail", "inconclusive", "no_data")
MOST_TRIES = 2
"""How often a split is set before it is given up."""

UNVERIFIED = "unverified"
"""The kind of a stop because a group could not be verified; it says nothing against the version."""


@dataclasses.dataclass(frozen=True)
class HostSeen:
    """A host of one of the groups, as the ledger has it and as it was seen last."""

    name: str
    group: str
    phase: str
    must_go_back: bool = False
    fault: str = ""
    """What keeps it from being verified on the version meant for it now; empty when it is."""
    version: str | None = None
    """What it was seen on."""


@dataclasses.dataclass(frozen=True)
class View:
    """All that one decision looks at. *now* in seconds of the coordinator's clock."""

    shift: Shift
    status: str
    is_paused: bool
    holds: bool
    """The rollout has stopped and is left as it stands: nothing is installed any more."""
    hosts: tuple[HostSeen, ...]
    nodes: tuple[Node, ...] | None
    """None where nobody has looked for this decision."""
    played: str
    """The act that the run at work has just carried out; so that what it did not achieve is not asked for again."""
    verdict: str
    reason: str
    now: float
    checked: Shares | None = None
    """The split that every node was asked about just now; those that refuse it say why."""
    judges: bool = True
    """Whether steps bake and are judged; a way back waits for nobody."""

    def of(self, group: str) -> list[HostSeen]:
        return [host for host in self.hosts if host.group == group]


@dataclasses.dataclass(frozen=True)
class Act:
    """What the run is to do now."""

    kind: str
    reason: str = ""
    split: Shares = dataclasses.field(default_factory=dict)
    is_urgent: bool = False
    """Every second counts: users meet the candidate's errors."""
    hosts: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Move:
    """A step of the shift itself: what is to be written, and then decided anew."""

    changes: dict[str, t.Any]
    word: str = ""
    """The event, if it is worth one."""
    data: dict[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Stop:
    """The rollout cannot go on."""

    reason: str
    kind: str


Decision = t.Union[Act, Move, Stop]


def decide(view: View) -> Decision:
    if view.shift.phase == shift_model.OVER:
        return Act(OVER)
    if view.status == model.OPEN:
        return _FORWARD[view.shift.phase](view)
    if view.shift.phase not in shift_model.HOMEWARD:
        return _turn_round(view)
    return _HOME[view.shift.phase](view)


# Forward


def _clear(view: View) -> Decision:
    return _reach(view, view.shift.split(0.0)) or _to(shift_model.PREPARING)


def _prepare(view: View) -> Decision:
    if view.verdict in NOT_GOOD:
        shift, why = view.shift, view.reason.rstrip(".")
        said = why if why.startswith(f"{view.verdict}: ") else f"{view.verdict}: {why}"
        return Stop(f"{shift.candidate} is no match for {shift.live} ({said})", view.verdict)
    return _bring(view, view.shift.candidate, PREPARE) or _to(shift_model.SHIFTING, step=0)


def _shift(view: View) -> Decision:
    step = view.shift.at_step
    if view.is_paused:
        return Act(WAIT, f"paused before {step.share:g} %")
    return _reach(view, view.shift.split(step.share)) or Move(
        {"phase": shift_model.BAKING, "baked_from": view.now}, "shifted", {"step": view.shift.step, "share": step.share}
    )


def _bake(view: View) -> Decision:
    shift = view.shift
    if view.verdict in NOT_GOOD:
        why = f": {view.reason.rstrip('.')}" if view.reason else ""
        return Stop(f"the gate at {shift.at_step.share:g} % said {view.verdict}{why}", view.verdict)
    if view.verdict == "pass" or shift.promoted or not view.judges:
        return _next_step(view)
    if view.nodes is not None and not all(node.shows(shift.split(shift.at_step.share)) for node in view.nodes):
        drifted = [node.name for node in view.nodes if not node.shows(shift.split(shift.at_step.share))]
        # A node that was restarted forgets its weights; what it sends where now was never decided by anybody.
        return Move({"phase": shift_model.SHIFTING, "goal": None, "tries": 0}, "drifted", {"nodes": drifted})
    return Act(BAKE, seconds=max((shift.baked_from or view.now) + shift.at_step.bake - view.now, 0.0))


def _next_step(view: View) -> Decision:
    shift = view.shift
    last = len(shift.all_steps) - 1
    if shift.step < last:
        number = last if shift.promoted == shift_model.END else shift.step + 1
        promoted = shift.promoted if shift.promoted == shift_model.END else None
        return _to(shift_model.SHIFTING, step=number, promoted=promoted)
    if shift.way == shift_model.CANARY:
        return _to(shift_model.PROMOTING, promotes=1, promoted=None)
    return _to(shift_model.OVER, promoted=None, ready_until=view.now + shift.ready_for)


def _promote(view: View) -> Decision:
    if view.is_paused:
        return Act(WAIT, "paused before the promotion")
    reach = _reach(view, view.shift.split(100.0))
    return reach or _bring(view, view.shift.live, PROMOTE) or _to(shift_model.SETTLING)


def _settle(view: View) -> Decision:
    return _reach(view, view.shift.usual_split) or _to(shift_model.OVER, promotes=0)


_FORWARD: dict[str, t.Callable[[View], Decision]] = {
    shift_model.CLEARING: _clear,
    shift_model.PREPARING: _prepare,
    shift_model.SHIFTING: _shift,
    shift_model.BAKING: _bake,
    shift_model.PROMOTING: _promote,
    shift_model.SETTLING: _settle,
}


# Home


def _turn_round(view: View) -> Decision:
    """Once the live group may be half updated, it is the candidate that can be trusted, and keeps the traffic."""
    return _to(shift_model.MENDING if view.shift.promotes else shift_model.LEAVING, tries=0, goal=None)


def _mend(view: View) -> Decision:
    reach = _reach(view, view.shift.split(100.0))
    if reach is not None:
        return reach
    if view.holds:
        return _end("held as it stands")
    return _bring(view, view.shift.live, MEND) or _to(shift_model.LEAVING, promotes=0)


def _leave(view: View) -> Decision:
    reach = _reach(view, view.shift.split(0.0), is_urgent=True)
    if reach is not None:
        return reach
    return _end("held as it stands") if view.holds else _to(shift_model.RETURNING)


def _return(view: View) -> Decision:
    return _bring(view, view.shift.candidate, RETURN) or _to(shift_model.RESTORING)


def _restore(view: View) -> Decision:
    shift = view.shift
    wanted = shift.split(0.0) if shift.way == shift_model.BLUE_GREEN else shift.usual_split
    return _reach(view, wanted) or _end("taken back")


_HOME: dict[str, t.Callable[[View], Decision]] = {
    shift_model.MENDING: _mend,
    shift_model.LEAVING: _leave,
    shift_model.RETURNING: _return,
    shift_model.RESTORING: _restore,
}


# What they share


def _reach(view: View, wanted: Shares, is_urgent: bool = False) -> Decision | None:
    """None once every node shows the split. A split that cannot be had on every node is taken back on all."""
    shift = view.shift
    if view.nodes is not None and all(node.shows(wanted) for node in view.nodes):
        return None if shift.shown_split == wanted else Move({"shown": wanted, "tries": 0})
    tries = shift.tries if shift.goal_split == wanted else 0
    if tries < MOST_TRIES:
        return _set(view, wanted, tries, is_urgent)
    others = "; ".join(_without(node, wanted) for node in view.nodes or () if not node.shows(wanted))
    reason = f"{in_words(wanted)} could not be set on every balancer ({others})"
    return _end(reason) if shift.phase in shift_model.HOMEWARD else Stop(reason, "balancer")


def _set(view: View, wanted: Shares, tries: int, is_urgent: bool) -> Decision:
    """All or none: what one node would refuse is not begun on the others. When every second counts nobody is asked."""
    reason = f"{view.shift.phase}: {in_words(wanted)}"
    if is_urgent:
        return Act(SET, reason, split=wanted, is_urgent=True)
    if view.checked != wanted:
        return Act(CHECK, reason, split=wanted)
    if any(node.why for node in view.nodes or ()):
        return Move({"goal": wanted, "tries": tries + 1})
    return Act(SET, reason, split=wanted)


def _without(node: Node, wanted: Shares) -> str:
    if not node.answers:
        return f"{node.name}: {node.why or 'no answer'}"
    return f"{node.name} shows {in_words(node.split)}" + (f": {node.why}" if node.why else "")


def _bring(view: View, group: str, act: str) -> Decision | None:
    """None once every host of the group is verified where it is meant to be."""
    hosts = view.of(group)
    goes_home = act in (RETURN, MEND)
    pending = [host.name for host in hosts if _is_pending(host, goes_home)]
    if pending and view.played != act:
        return Act(act, f"{len(pending)} hosts of {group}", hosts=tuple(pending))
    versions = sorted({host.version for host in hosts if host.version is not None})
    faults = [f"it is on {' and '.join(versions)}"] if len(versions) > 1 else []
    faults += [
        f"{host.name}: {host.fault or 'not brought there'}" for host in hosts if host.fault or host.name in pending
    ]
    if not faults:
        return None
    reason = f"{group} is not verified ({_some(faults)}), so it gets no traffic"
    return _end(reason) if goes_home else Stop(reason, UNVERIFIED)


def _is_pending(host: HostSeen, goes_home: bool) -> bool:
    return host.must_go_back if goes_home else host.phase not in (*model.ON_TARGET, model.EXCLUDED)


def _some(words: t.Sequence[str]) -> str:
    return "; ".join(words[:3]) + (f"; and {len(words) - 3} more" if len(words) > 3 else "")


def _to(phase: str, **changes: t.Any) -> Move:
    return Move({"phase": phase, **changes})


def _end(reason: str) -> Move:
    return Move({"phase": shift_model.OVER}, "shift_over", {"reason": reason})


def objection(shift: Shift | None, host: str) -> str:
    """Why a host may not be taken now; empty where the shift has nothing against it."""
    if shift is None or shift.group_of(host) is None:
        return ""
    group = shift.group_of(host)
    if group == shift.in_work:
        return ""
    return f"{host} belongs to {group}, which may have traffic; its turn comes when the shift says so"
