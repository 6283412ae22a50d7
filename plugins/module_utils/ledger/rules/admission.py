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

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import block, lease, model, veto, window
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Gate, Host, Rollout, Tally
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.policy import Limits
from ansible_collections.steady.rollout.plugins.module_utils.plurals import are, counted

GO = "go"
WAIT = "wait"
STOP = "stop"
GATE = "gate"
ORDER = "order"
REFUSE = "refuse"
"""This host cannot be taken out in this run; the rollout goes on without it."""
GIVE_UP = "give_up"
"""The rollout makes no progress any more and stops."""


LIMITED = ("max_unavailable", "min_available", "zone", veto.QUORUM)
"""Waits that end only when a host returns to service."""


@dataclasses.dataclass(frozen=True)
class Decision:
    verdict: str
    reason: str
    waiting_for: str = ""
    """What is waited for, in one word: window, floor, zone, quorum, veto, weakest, stage, bake, gate, order, paused."""
    stage: int = 0
    slot: int = 0


@dataclasses.dataclass(frozen=True)
class Inputs:
    """All that one decision looks at. *now* in seconds of the coordinator's clock."""

    asker: Host
    rollout: Rollout
    limits: Limits
    tally: Tally
    gates: t.Mapping[int, Gate]
    now: float
    yields: bool = False
    """Whether the asker leaves a free place, for a moment, to those that wait and stand earlier in the plan."""
    is_first: bool = True
    """Whether nobody who waits stands earlier in the plan."""
    blocked: str = ""
    """Who blocks the service and why; empty where nobody does."""
    veto_reason: str = ""
    """Why a shift of traffic forbids to touch the host now."""
    quorums: t.Sequence[veto.Taken] = ()
    """The groups that the asker must not weaken too much, with who is missing in each."""

    @property
    def is_rollback(self) -> bool:
        return self.asker.phase == model.BACK_WAITING

    @property
    def next_slot(self) -> int:
        """A host that failed gives its place to the next one: a stage is complete when its places are proven."""
        return self.tally.on_target + self.tally.in_phase(*model.GOING_FORWARD) + 1


def decide(inputs: Inputs) -> Decision:
    for rule in (
        _status,
        _time_left,
        _weakest_first,
        _window,
        _floor,
        _zone_floor,
        _quorum,
        _deferred,
        _stages,
        _order,
    ):
        decision = rule(inputs)
        if decision is not None:
            return _unless_unrecoverable(inputs, decision)
    stage = inputs.limits.stage_of(inputs.next_slot) if not inputs.is_rollback else 0
    return Decision(GO, f"{inputs.asker.name} may go", stage=stage, slot=0 if inputs.is_rollback else inputs.next_slot)


def _status(inputs: Inputs) -> Decision | None:
    asker, rollout = inputs.asker, inputs.rollout
    if asker.phase not in model.ASKING or not asker.in_scope:
        return Decision(STOP, f"{asker.name} has nothing to do: it is {_said(asker)}")
    if rollout.status not in ((model.REVERTING,) if inputs.is_rollback else (model.OPEN,)):
        return Decision(STOP, stopped_because(rollout))
    if inputs.blocked and not inputs.is_rollback:
        return Decision(STOP, inputs.blocked, block.BLOCKED)
    if rollout.reason_kind == veto.VETO and not inputs.is_rollback:
        return Decision(STOP, rollout.reason or "", veto.VETO)
    if rollout.paused_at is not None:
        return Decision(WAIT, f"{rollout.service} is paused", "paused")
    if inputs.veto_reason:
        return Decision(STOP, inputs.veto_reason, "shift")
    return None


def _said(host: Host) -> str:
    words = {model.EXCLUDED: f"skipped: {host.error}", model.OUTSIDE: "not in scope"}
    if not host.in_scope:
        return words[model.OUTSIDE]
    return words.get(host.phase, f"{host.phase} ({host.target_version})")


def stopped_because(rollout: Rollout) -> str:
    words = {
        model.FAILING: "stopped",
        model.REVERTING: "stopped and being rolled back",
        model.ABORTED: "aborted",
        model.SUPERSEDED: "replaced by a later one",
    }
    why = f": {rollout.reason}" if rollout.reason else ""
    return f"the rollout of {rollout.what} is {words.get(rollout.status, rollout.status)}{why}"


def _time_left(inputs: Inputs) -> Decision | None:
    """The rollout goes on in the next maintenance window; a rollback continues at any time."""
    why = _window_objection(inputs, inputs.now)
    return Decision(STOP, why, window.CLOSED) if why else None


def _window_objection(inputs: Inputs, at: float) -> str:
    if inputs.limits.window is None or inputs.is_rollback or inputs.rollout.direction != model.FORWARD:
        return ""
    return inputs.limits.window.objection(inputs.asker.zone, at)


def _weakest_first(inputs: Inputs) -> Decision | None:
    weak = inputs.tally.weak_asking(inputs.asker.phase)
    if weak and not inputs.asker.is_weak:
        return Decision(WAIT, f"{_weak(weak)} down, unknown or half-updated {are(weak)} repaired first", "weakest")
    return None


def _window(inputs: Inputs) -> Decision | None:
    window, tally = inputs.limits.max_unavailable, inputs.tally
    if not inputs.asker.is_serving:
        if tally.in_flight + 1 > window:
            return Decision(WAIT, f"{tally.in_flight} of at most {window} hosts are being changed", "max_unavailable")
        return None
    if tally.out + 1 > window:
        return Decision(WAIT, f"{tally.out} of at most {window} hosts are out of service", "max_unavailable")
    return None


def _floor(inputs: Inputs) -> Decision | None:
    serving, floor = inputs.tally.serving, inputs.limits.min_available
    if not inputs.asker.is_serving:
        return None
    if serving - 1 < floor:
        return Decision(WAIT, f"{serving} in service, minimum is {floor}", "min_available")
    return None


def _zone_floor(inputs: Inputs) -> Decision | None:
    asker = inputs.asker
    if not asker.is_serving:
        return None
    serving, floor = inputs.tally.serving_in(asker.zone), inputs.limits.zone_floors.get(asker.zone, 0)
    if serving - 1 < floor:
        return Decision(WAIT, f"{serving} in service in zone {asker.zone}, minimum is {floor}", "zone")
    return None


def _quorum(inputs: Inputs) -> Decision | None:
    why = veto.too_many(inputs.quorums, inputs.asker.is_serving)
    return Decision(WAIT, why, veto.QUORUM) if why else None


def _deferred(inputs: Inputs) -> Decision | None:
    """Who objected is not asked again at once; the place is free for others meanwhile."""
    if inputs.asker.vetoed_until is not None and inputs.now < inputs.asker.vetoed_until:
        return Decision(WAIT, inputs.asker.veto or "", veto.VETO)
    return None


def _stages(inputs: Inputs) -> Decision | None:
    if inputs.is_rollback or inputs.rollout.direction != model.FORWARD:
        return None
    for stage in range(1, inputs.limits.stage_of(inputs.next_slot)):
        decision = _stage_is_over(inputs, stage)
        if decision is not None:
            return decision
    return None


def _stage_is_over(inputs: Inputs, stage: int) -> Decision | None:
    gate = inputs.gates.get(stage)
    if gate is None:
        slots = inputs.limits.stages[stage - 1]
        return Decision(WAIT, f"stage {stage}: {inputs.tally.on_target} of {slots} hosts are proven", "stage")
    baked_at = gate.complete_at + inputs.limits.bake_of(stage)
    if inputs.now < baked_at:
        too_late = _window_objection(inputs, baked_at)
        if too_late:
            return Decision(STOP, f"stage {stage} bakes until {lease.moment(baked_at)}: {too_late}", window.CLOSED)
        return Decision(WAIT, f"stage {stage} bakes for {baked_at - inputs.now:.0f} s more", "bake")
    if gate.has_passed:
        return None
    if gate.is_claimed(inputs.now):
        return Decision(WAIT, f"{gate.claimed_by} is running the gate of stage {stage}", "gate")
    return Decision(GATE, f"stage {stage} is complete; its gate is due", "gate", stage=stage)


def _order(inputs: Inputs) -> Decision | None:
    """The canaries are those that the plan has shown, not whoever asked first."""
    if inputs.yields and not inputs.is_first and not inputs.is_rollback:
        return Decision(WAIT, "waiting for hosts earlier in the plan", ORDER)
    return None


def _unless_unrecoverable(inputs: Inputs, decision: Decision) -> Decision:
    """Turns a wait that nothing will ever end into an answer."""
    if decision.verdict == GATE:
        return _unless_never_judged(inputs, decision)
    if decision.verdict != WAIT or inputs.tally.in_flight:
        return decision
    if decision.waiting_for in LIMITED and not _recovery_is_pending(inputs):
        return Decision(REFUSE, f"{decision.reason}, and no recovery is in progress", decision.waiting_for)
    if decision.waiting_for in (*LIMITED, "weakest") and _is_overdue(inputs):
        return _given_up(inputs, decision)
    return decision


def _unless_never_judged(inputs: Inputs, decision: Decision) -> Decision:
    """Whoever takes a gate and never comes back is replaced, but not for ever."""
    baked_at = inputs.gates[decision.stage].complete_at + inputs.limits.bake_of(decision.stage)
    if inputs.now <= baked_at + inputs.limits.gate_limit + inputs.limits.progress_deadline:
        return decision
    return _given_up(inputs, decision)


def _given_up(inputs: Inputs, decision: Decision) -> Decision:
    seconds = inputs.limits.progress_deadline
    return Decision(
        GIVE_UP,
        f"no progress for {seconds:g} s (rollout_progress_deadline) while {decision.reason}",
        decision.waiting_for,
    )


def _recovery_is_pending(inputs: Inputs) -> bool:
    """A host that waits to be repaired will raise the number in service; it stands earlier in the order."""
    return inputs.tally.out_asking(inputs.asker.phase) > 0


def _is_overdue(inputs: Inputs) -> bool:
    since = max(inputs.rollout.progress_at or 0.0, _judged_until(inputs))
    return inputs.now > since + inputs.limits.progress_deadline


def _judged_until(inputs: Inputs) -> float:
    """While a complete stage bakes or somebody runs its gate, nobody is expected to make progress."""
    stage = inputs.limits.stage_of(inputs.next_slot) - 1
    gate = inputs.gates.get(stage)
    if gate is None or inputs.is_rollback or inputs.rollout.direction != model.FORWARD:
        return 0.0
    return max(gate.complete_at + inputs.limits.bake_of(stage), gate.until or 0.0)


def _weak(count: int) -> str:
    return f"{counted(count, 'host')} that {are(count)}"
