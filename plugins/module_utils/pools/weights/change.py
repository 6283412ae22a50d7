# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""lb_weight: traffic split among groups by shares."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract, registry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer, Snapshot, quoted
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.pools.guarded_change import GuardedChange
from ansible_collections.steady.rollout.plugins.module_utils.pools.members import drain
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights import plan as weight_plan
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights import split
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights.plan import Groups
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights.report import Report, nothing_done, predicted
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights.split import Shares
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

# Seconds between two polls of what clients still see.
POLL_EVERY = 0.25


def core(call: Call) -> dict[str, t.Any]:
    """lb_weight."""
    try:
        shares = split.parse_shares(call.params["shares"])
        groups = weight_plan.parse_groups(call.params["groups"], shares)
        balancer = registry.open_balancer(call.params["balancer"], call.run_command)
        return WeightChange(call, balancer, groups, shares, Clock()).run()
    except RolloutError as error:
        error.result = {**nothing_done(call.params["balancer"]["pool"]), **error.result}
        raise


class WeightChange(GuardedChange[Snapshot, t.Dict[str, int]]):
    """One call of lb_weight on one balancer node."""

    def __init__(self, call: Call, balancer: Balancer, groups: Groups, shares: Shares, clock: Clock) -> None:
        super().__init__(call, balancer)
        self._call = call
        self._timeout = durations.seconds("timeout", call.params["timeout"])
        self._groups = groups
        self._shares = shares
        self._clock = clock
        self._report = Report(balancer, groups, shares)

    def run(self) -> dict[str, t.Any]:
        try:
            self.apply()
            if self._call.params["wait"]:
                self._await_clients()
        except RolloutError as error:
            error.result = {**self._result(), **error.result}
            raise
        return self._result()

    def _result(self) -> dict[str, t.Any]:
        result = self._report.result()
        if self._call.diff:
            result["diff"] = self._report.diff()
        return result

    def read(self) -> Snapshot:
        snapshot = drain.first_snapshot(self._balancer, self._clock)
        self._report.saw(snapshot)
        return snapshot

    def plan(self, state: Snapshot) -> dict[str, int] | None:
        self._check(state)
        self._report.saw_first(state)
        self._refuse_unsafe(state)
        plan = weight_plan.make_plan(state, self._groups, self._shares, self._balancer.weight_limits)
        self._report.notes += plan.notes
        return weight_plan.in_order(plan.weights, state.members) or None

    def announce(self, changes: dict[str, int]) -> None:
        self._report.will_set(changes)

    def predicted(self, state: Snapshot, changes: dict[str, int]) -> Snapshot:
        snapshot = predicted(state, changes)
        self._report.saw(snapshot)
        return snapshot

    def send(self, changes: dict[str, int]) -> None:
        self._balancer.set_weights(changes)

    def set(self, changes: dict[str, int]) -> Snapshot:
        snapshot = super().set(changes)
        if contract.CAN_SAVE in self._balancer.capabilities:
            self._balancer.save()
        return snapshot

    def missed(self, state: Snapshot, changes: dict[str, int]) -> str:
        missed = weight_plan.in_order(changes, state.members)
        if not missed:
            return ""
        shown = ", ".join(f"'{name}' has {_weight(state, name)}, not {weight}" for name, weight in missed.items())
        return (
            f"pool '{self._balancer.pool}' accepted the weights but does not show them: {shown}. Check for an agent "
            "check or another tool that sets them."
        )

    def refused_by_node(self, error: RolloutError, state: Snapshot, changes: dict[str, int]) -> None:
        """Restores the weights that were set all the same."""
        set_already = weight_plan.in_order(self._report.weights_before(changes), state.members)
        if not set_already:
            self._report.did_not_set()
            return
        try:
            self._balancer.set_weights(set_already)
        except RolloutError:
            error.message += f" The weights of {quoted(set_already)} were set before that and could not be restored."
            return
        self.read()
        self._report.did_not_set()
        error.message += f" The weights of {quoted(set_already)}, set before that, are restored."

    def _check(self, snapshot: Snapshot) -> None:
        if contract.CAN_WEIGH not in self._balancer.capabilities:
            raise RolloutError(f"{self._balancer.where}: pool '{self._balancer.pool}' has no weights.")
        self._balancer.check_members(snapshot, [name for names in self._groups.values() for name in names])
        outsiders = weight_plan.outsiders(snapshot, self._groups)
        if outsiders:
            raise InputError(
                f"{self._balancer.where}: pool '{self._balancer.pool}' also sends traffic to {quoted(outsiders)}, in no "
                "group. Put every member of the pool in a group; one with share 0 gets nothing."
            )

    def _refuse_unsafe(self, snapshot: Snapshot) -> None:
        reason = weight_plan.refusal(snapshot, self._groups, self._shares)
        if reason:
            raise RolloutError(
                f"{self._balancer.where}: refused to split pool '{self._balancer.pool}': {reason}. Nothing was changed; "
                "bring its members in service first, or give it 0.",
                refused=True,
            )

    def _await_clients(self) -> None:
        """Where clients may go on with the old weights for a while, as with DNS, waits until that is over."""
        started = self._clock.now()
        while self._report.pending:
            waited = self._clock.now() - started
            if waited >= self._timeout:
                waiting_for = "; ".join(f"'{name}' {pending}" for name, pending in self._report.pending.items())
                raise RolloutError(
                    f"{self._balancer.where}: pool '{self._balancer.pool}' has the weights, but after {waited:.0f} s {waiting_for}. "
                    "Wait longer (timeout), or do not count on the split yet."
                )
            self._clock.sleep(POLL_EVERY)
            self.read()
            self._report.waited = self._clock.now() - started


def _weight(snapshot: Snapshot, name: str) -> str:
    return str(snapshot.members[name].weight) if name in snapshot.members else "gone"
