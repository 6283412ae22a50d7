# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a shift does next, as a pure function: of what is on record, what the nodes show and how the hosts are.

Traffic never goes to a group that is not verified on the version meant for it. So each direction, forward and
rolling back, first gives all traffic to the group that can be trusted, then changes the other one, verifies it, and only
then gives traffic to that.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, traffic_model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_acts import (
    BAKE,
    DEMOTE,
    GOOD,
    NOT_GOOD,
    OVER,
    PREPARE,
    PROMOTE,
    REVERT,
    WAIT,
    Act,
    Decision,
    Inputs,
    Stop,
    Transition,
    bring,
    end,
    reach,
    to,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Shift


def decide(inputs: Inputs) -> Decision:
    if inputs.shift.phase == traffic_model.OVER:
        return Act(OVER)
    if inputs.status == model.OPEN:
        return _FORWARD[inputs.shift.phase](inputs)
    if inputs.shift.phase not in traffic_model.ROLLING_BACK:
        return _roll_back(inputs)
    return _ROLLBACK[inputs.shift.phase](inputs)


# Forward


def _clear(inputs: Inputs) -> Decision:
    return reach(inputs, inputs.shift.split(0.0)) or to(traffic_model.PREPARING)


def _prepare(inputs: Inputs) -> Decision:
    if inputs.verdict in NOT_GOOD:
        shift, why = inputs.shift, inputs.reason.rstrip(".")
        said = why if why.startswith(f"{inputs.verdict}: ") else f"{inputs.verdict}: {why}"
        return Stop(f"{shift.candidate} failed the comparison with {shift.live} ({said})", inputs.verdict)
    return bring(inputs, inputs.shift.candidate, PREPARE) or to(traffic_model.SHIFTING, step=0)


def _shift(inputs: Inputs) -> Decision:
    step = inputs.shift.at_step
    if inputs.paused:
        return Act(WAIT, f"{inputs.paused} before {step.share:g} %")
    return reach(inputs, inputs.shift.split(step.share)) or Transition(
        {"phase": traffic_model.BAKING, "baked_from": inputs.now},
        "shifted",
        {"step": inputs.shift.step, "share": step.share},
    )


def _bake(inputs: Inputs) -> Decision:
    shift = inputs.shift
    if inputs.verdict in NOT_GOOD:
        why = f": {inputs.reason.rstrip('.')}" if inputs.reason else ""
        return Stop(f"the gate at {shift.at_step.share:g} %: {inputs.verdict}{why}", inputs.verdict)
    if inputs.verdict in GOOD or shift.promoted or not inputs.judges:
        return _next_step(inputs)
    if inputs.nodes is not None and not all(node.shows(shift.split(shift.at_step.share)) for node in inputs.nodes):
        drifted = [node.name for node in inputs.nodes if not node.shows(shift.split(shift.at_step.share))]
        # A node that was restarted forgets its weights; what it sends where now was never decided by anybody.
        return Transition({"phase": traffic_model.SHIFTING, "goal": None, "tries": 0}, "drifted", {"nodes": drifted})
    return Act(BAKE, seconds=max((shift.baked_from or inputs.now) + shift.at_step.bake - inputs.now, 0.0))


def _next_step(inputs: Inputs) -> Decision:
    shift = inputs.shift
    last = len(shift.all_steps) - 1
    if shift.step < last:
        number = last if shift.promoted == traffic_model.END else shift.step + 1
        promoted = shift.promoted if shift.promoted == traffic_model.END else None
        return to(traffic_model.SHIFTING, step=number, promoted=promoted)
    if shift.strategy == traffic_model.CANARY:
        return to(traffic_model.PROMOTING, promotes=1, promoted=None)
    return to(traffic_model.OVER, promoted=None, ready_until=inputs.now + shift.ready_for)


def _promote(inputs: Inputs) -> Decision:
    if inputs.paused:
        return Act(WAIT, f"{inputs.paused} before the promotion")
    reached = reach(inputs, inputs.shift.split(100.0))
    return reached or bring(inputs, inputs.shift.live, PROMOTE) or to(traffic_model.SETTLING)


def _settle(inputs: Inputs) -> Decision:
    return reach(inputs, inputs.shift.usual_split) or to(traffic_model.OVER, promotes=0)


_FORWARD: dict[str, t.Callable[[Inputs], Decision]] = {
    traffic_model.CLEARING: _clear,
    traffic_model.PREPARING: _prepare,
    traffic_model.SHIFTING: _shift,
    traffic_model.BAKING: _bake,
    traffic_model.PROMOTING: _promote,
    traffic_model.SETTLING: _settle,
}


# Rolling back


def _roll_back(inputs: Inputs) -> Decision:
    """Once the live group may be half updated, it is the candidate that can be trusted, and keeps the traffic."""
    if inputs.shift.only_confirms and (inputs.holds or not any(host.must_go_back for host in inputs.hosts)):
        return end("there is nothing to undo")
    return to(traffic_model.DEMOTING if inputs.shift.promotes else traffic_model.DRAINING, tries=0, goal=None)


def _demote(inputs: Inputs) -> Decision:
    reached = reach(inputs, inputs.shift.split(100.0))
    if reached is not None:
        return reached
    if inputs.holds:
        return end("held as it stands")
    return bring(inputs, inputs.shift.live, DEMOTE) or to(traffic_model.DRAINING, promotes=0)


def _drain(inputs: Inputs) -> Decision:
    reached = reach(inputs, inputs.shift.split(0.0), is_urgent=True)
    if reached is not None:
        return reached
    return end("held as it stands") if inputs.holds else to(traffic_model.REVERTING)


def _revert(inputs: Inputs) -> Decision:
    return bring(inputs, inputs.shift.candidate, REVERT) or to(traffic_model.RESTORING)


def _restore(inputs: Inputs) -> Decision:
    shift = inputs.shift
    wanted = shift.split(0.0) if shift.strategy == traffic_model.BLUE_GREEN else shift.usual_split
    return reach(inputs, wanted) or end("rolled back")


_ROLLBACK: dict[str, t.Callable[[Inputs], Decision]] = {
    traffic_model.DEMOTING: _demote,
    traffic_model.DRAINING: _drain,
    traffic_model.REVERTING: _revert,
    traffic_model.RESTORING: _restore,
}


def veto_reason(shift: Shift | None, host: str) -> str:
    """Why a host may not be taken now; empty where the shift has nothing against it."""
    if shift is None or shift.group_of(host) is None:
        return ""
    group = shift.group_of(host)
    if group == shift.in_work:
        return ""
    return f"{host} belongs to {group}, which may have traffic; it is changed once that group has none"
