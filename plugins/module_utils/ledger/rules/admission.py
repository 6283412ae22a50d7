# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""May this host be taken now? The one decision of a rollout, as a pure function.

Admission waits only for hosts already admitted, for time, for a gate, or for hosts that stand earlier in the
planned order and so have a worker before the asking one. It never waits for long for a host that may have no worker.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Gate, Host, Rollout, Tally
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.policy import Limits

GO = "go"
WAIT = "wait"
STOP = "stop"
GATE = "gate"
ORDER = "order"
REFUSE = "refuse"
"""This host cannot be taken out in this run; the rollout goes on without it."""
GIVE_UP = "give_up"
"""The rollout makes no progress any more and stops."""


@dataclasses.dataclass(frozen=True)
class Decision:
    verdict: str
    reason: str
    about: str = ""
    """What is waited for, in one word: window, floor, zone, weakest, stage, bake, gate, order, paused."""
    stage: int = 0
    place: int = 0


@dataclasses.dataclass(frozen=True)
class View:
    """All that one decision looks at. *now* in seconds of the coordinator's clock."""

    asker: Host
    rollout: Rollout
    limits: Limits
    tally: Tally
    gates: t.Mapping[int, Gate]
    now: float
    lets_pass: bool = False
    """Whether the asker leaves a free place, for a moment, to those that wait and stand earlier in the plan."""
    is_first: bool = True
    """Whether nobody who waits stands earlier in the plan."""
    objection: str = ""
    """Why a shift of traffic forbids to touch the host now."""

    @property
    def goes_back(self) -> bool:
        return self.asker.phase == model.BACK_WAITING

    @property
    def next_place(self) -> int:
        """A host that failed gives its place to the next one: a stage is complete when its places are proven."""
        return self.tally.on_target + self.tally.in_phase(*model.GOING_FORWARD) + 1


def decide(view: View) -> Decision:
    for rule in (_status, _weakest_first, _window, _floor, _zone_floor, _stages, _order):
        decision = rule(view)
        if decision is not None:
            return _unless_hopeless(view, decision)
    stage = view.limits.stage_of(view.next_place) if not view.goes_back else 0
    return Decision(GO, f"{view.asker.name} may go", stage=stage, place=0 if view.goes_back else view.next_place)


def _status(view: View) -> Decision | None:
    asker, rollout = view.asker, view.rollout
    if asker.phase not in model.ASKING or not asker.in_scope:
        return Decision(STOP, f"{asker.name} has nothing to do: it is {_said(asker)}")
    if rollout.status not in ((model.REVERTING,) if view.goes_back else (model.OPEN,)):
        return Decision(STOP, stopped_because(rollout))
    if rollout.paused_at is not None:
        return Decision(WAIT, f"{rollout.service} is paused", "paused")
    if view.objection:
        return Decision(STOP, view.objection, "shift")
    return None


def _said(host: Host) -> str:
    words = {model.EXCLUDED: f"left alone: {host.error}", model.OUTSIDE: "not in scope"}
    if not host.in_scope:
        return words[model.OUTSIDE]
    return words.get(host.phase, f"{host.phase} ({host.target_version})")


def stopped_because(rollout: Rollout) -> str:
    words = {
        model.FAILING: "stopped",
        model.REVERTING: "stopped and going back",
        model.ABORTED: "aborted",
        model.SUPERSEDED: "replaced by a later one",
    }
    why = f": {rollout.reason}" if rollout.reason else ""
    return f"the rollout of {rollout.what} is {words.get(rollout.status, rollout.status)}{why}"


def _weakest_first(view: View) -> Decision | None:
    weak = view.tally.weak_asking(view.asker.phase)
    if weak and not view.asker.is_weak:
        return Decision(WAIT, f"{weak} {_hosts(weak)} down, unknown or half-updated go first", "weakest")
    return None


def _window(view: View) -> Decision | None:
    window, tally = view.limits.max_unavailable, view.tally
    if not view.asker.is_serving:
        if tally.in_flight + 1 > window:
            return Decision(WAIT, f"{tally.in_flight} of at most {window} hosts are being changed", "window")
        return None
    if tally.out + 1 > window:
        return Decision(WAIT, f"{tally.out} of at most {window} hosts are out of service", "window")
    return None


def _floor(view: View) -> Decision | None:
    serving, floor = view.tally.serving, view.limits.min_available
    if not view.asker.is_serving:
        return None
    if serving - 1 < floor:
        return Decision(WAIT, f"{_serve(serving)} and {floor} must stay", "floor")
    return None


def _zone_floor(view: View) -> Decision | None:
    asker = view.asker
    if not asker.is_serving:
        return None
    serving, floor = view.tally.serving_in(asker.zone), view.limits.zone_floors.get(asker.zone, 0)
    if serving - 1 < floor:
        return Decision(WAIT, f"{_serve(serving)} in zone {asker.zone} and {floor} must stay", "zone")
    return None


def _stages(view: View) -> Decision | None:
    if view.goes_back or view.rollout.direction != model.FORWARD:
        return None
    for stage in range(1, view.limits.stage_of(view.next_place)):
        decision = _stage_is_over(view, stage)
        if decision is not None:
            return decision
    return None


def _stage_is_over(view: View, stage: int) -> Decision | None:
    gate = view.gates.get(stage)
    if gate is None:
        places = view.limits.stages[stage - 1]
        return Decision(WAIT, f"stage {stage}: {view.tally.on_target} of {places} hosts are proven", "stage")
    baked_at = gate.complete_at + view.limits.bake_of(stage)
    if view.now < baked_at:
        return Decision(WAIT, f"stage {stage} bakes for {baked_at - view.now:.0f} s more", "bake")
    if gate.has_passed:
        return None
    if gate.is_claimed(view.now):
        return Decision(WAIT, f"{gate.claimed_by} runs the gate of stage {stage}", "gate")
    return Decision(GATE, f"stage {stage} is complete; its gate is to be run", "gate", stage=stage)


def _order(view: View) -> Decision | None:
    """The canaries are those that the plan has shown, not whoever asked first."""
    if view.lets_pass and not view.is_first and not view.goes_back:
        return Decision(WAIT, "hosts that stand earlier in the plan go first", ORDER)
    return None


def _unless_hopeless(view: View, decision: Decision) -> Decision:
    """Turns a wait that nothing will ever end into an answer."""
    if decision.verdict == GATE:
        return _unless_never_judged(view, decision)
    if decision.verdict != WAIT or view.tally.in_flight:
        return decision
    if decision.about in ("window", "floor", "zone") and not _somebody_comes_back(view):
        return Decision(REFUSE, f"{decision.reason}, and nothing that would change it is on its way", decision.about)
    if decision.about in ("window", "floor", "zone", "weakest") and _is_overdue(view):
        return _given_up(view, decision)
    return decision


def _unless_never_judged(view: View, decision: Decision) -> Decision:
    """Whoever takes a gate and never comes back is replaced, but not for ever."""
    baked_at = view.gates[decision.stage].complete_at + view.limits.bake_of(decision.stage)
    if view.now <= baked_at + view.limits.gate_limit + view.limits.progress_deadline:
        return decision
    return _given_up(view, decision)


def _given_up(view: View, decision: Decision) -> Decision:
    seconds = view.limits.progress_deadline
    return Decision(
        GIVE_UP, f"no progress for {seconds:g} s (progress_deadline) while {decision.reason}", decision.about
    )


def _somebody_comes_back(view: View) -> bool:
    """A host that waits to be repaired will raise the number in service; it stands earlier in the order."""
    return view.tally.out_asking(view.asker.phase) > 0


def _is_overdue(view: View) -> bool:
    since = max(view.rollout.progress_at or 0.0, _judged_until(view))
    return view.now > since + view.limits.progress_deadline


def _judged_until(view: View) -> float:
    """While a complete stage bakes or somebody runs its gate, nobody is expected to make progress."""
    stage = view.limits.stage_of(view.next_place) - 1
    gate = view.gates.get(stage)
    if gate is None or view.goes_back or view.rollout.direction != model.FORWARD:
        return 0.0
    return max(gate.complete_at + view.limits.bake_of(stage), gate.until or 0.0)


def _serve(count: int) -> str:
    return "1 host is in service" if count == 1 else f"{count} hosts are in service"


def _hosts(count: int) -> str:
    return "host that is" if count == 1 else "hosts that are"
