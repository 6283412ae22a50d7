# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The admin states of a call's members: set in one batch and read back, put back where that was asked for."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    DRAINED,
    IN_SERVICE,
    Balancer,
    Snapshot,
    quoted,
)
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.pools.guarded_change import GuardedChange
from ansible_collections.steady.rollout.plugins.module_utils.pools.members import drain
from ansible_collections.steady.rollout.plugins.module_utils.pools.members import plan as member_plan
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.plan import Plan
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.report import Report
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.request import Request
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer import record
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock


class GuardRefusal(RolloutError):
    """The pool would be lower than it may be."""


class Marking(GuardedChange[Snapshot, t.Dict[str, str]]):
    """Sets the admin states that a request asks for, once more where a reload swallowed them in between."""

    attempts = 2

    def __init__(self, call: Call, balancer: Balancer, request: Request, report: Report, clock: Clock) -> None:
        super().__init__(call, balancer)
        self._warn = call.warn
        self._settings: dict[str, t.Any] = call.params["balancer"]
        self._request = request
        self._report = report
        self._clock = clock
        self.concerned: dict[str, str] = {}
        """What was asked for, without the members skipped."""

    def read(self) -> Snapshot:
        """The rest of the pool decides only who may be taken out, and reading a large one takes long."""
        return self._read_pool() if member_plan.taken_out(self._request.wanted) else self.read_back()

    def read_back(self) -> Snapshot:
        return self._read(lambda: self._balancer.snapshot_of(list(self._request.wanted)))

    def _read_pool(self) -> Snapshot:
        return self._read(self._balancer.snapshot)

    def _read(self, read: t.Callable[[], Snapshot]) -> Snapshot:
        snapshot = drain.patiently(read, self._clock)
        self._report.saw(snapshot)
        return snapshot

    def plan(self, state: Snapshot) -> dict[str, str] | None:
        self._balancer.check_members(state, self._request.wanted)
        self._report.saw_first(state)
        plan = member_plan.make_plan(state, self._request.wanted, self._request.expected_states)
        self._skip(state, plan)
        self._refuse_unsafe(state, plan)
        self.concerned = plan.concerns(self._request.wanted)
        return plan.changes or None

    def announce(self, changes: dict[str, str]) -> None:
        self._report.sent(changes)
        if not self._check_mode:
            drained = [name for name, state in changes.items() if state == DRAINED]
            claims.note_members(self._claim, drained=drained)
            if self._request.restore_timer:
                record.note_drained(self._claim, self._balancer.where, self._settings, drained)

    def predicted(self, state: Snapshot, changes: dict[str, str]) -> Snapshot:
        snapshot = member_plan.predicted(state, changes)
        self._report.saw(snapshot)
        return snapshot

    def send(self, changes: dict[str, str]) -> None:
        self._balancer.set_admin(changes)

    def missed(self, state: Snapshot, changes: dict[str, str]) -> str:
        missed = member_plan.missed(state, changes)
        if not missed:
            return ""
        states = ", ".join(f"'{name}' is {found}, not {changes[name]}" for name, found in missed.items())
        return (
            f"pool '{self._balancer.pool}' accepted the change but does not show it: {states}. Check for an agent check "
            "or another tool that reverts it."
        )

    def refused_by_node(self, error: RolloutError, state: Snapshot, changes: dict[str, str]) -> None:
        self._report.did_not_send(member_plan.missed(state, changes))

    def finish(self, state: Snapshot) -> None:
        if not self._check_mode:
            shown = [name for name in self.concerned if state.members[name].own == IN_SERVICE]
            self._note_returned(shown)
        if set(self._balancer.unsaved(state)).intersection(self.concerned):
            self._report.saved()
            if not self._check_mode:
                self._balancer.save()
        self._report.marked()

    def revert(self) -> str:
        """Undoes what this call changed, except where somebody else has changed it since; says what came of it."""
        with self.alone():
            snapshot = self._read_pool()
            ours = {
                name: before
                for name, (before, state) in self._report.own_changes.items()
                if name in snapshot.members and snapshot.members[name].own == state
            }
            reason = member_plan.refusal(self._request.guard, snapshot, ours)
            if reason:
                return f"It was not restored, because {reason}."
            snapshot = self.set(ours)
            self._report.restored(ours)
            self._note_returned([name for name, state in ours.items() if state == IN_SERVICE])
            if self._balancer.unsaved(snapshot):
                self._balancer.save()
        return "What this call had changed is restored."

    def _note_returned(self, members: list[str]) -> None:
        claims.note_members(self._claim, returned=members)
        record.note_returned(self._claim, self._balancer.where, self._balancer.pool, members)

    def _skip(self, snapshot: Snapshot, plan: Plan) -> None:
        if not plan.drained_externally:
            return
        self._report.skipped(plan.drained_externally)
        states = ", ".join(f"'{name}' ({snapshot.members[name].own})" for name in plan.drained_externally)
        self._warn(f"{self._balancer.where}: somebody else changed {states}; skipped.")

    def _refuse_unsafe(self, snapshot: Snapshot, plan: Plan) -> None:
        reason = member_plan.refusal(self._request.guard, snapshot, plan.changes)
        if plan.changes and not reason:
            reason = self._balancer.objection(plan.changes)
        if reason:
            raise GuardRefusal(
                f"{self._balancer.where}: refused to take {quoted(member_plan.taken_out(plan.changes))} out of pool "
                f"'{self._balancer.pool}': {reason}. In rotation now: {quoted(snapshot.in_rotation)}. Nothing was changed; "
                "return other members to service first.",
                refused=True,
            )
