# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Puts back into one pool what a run has drained there and left, through the one way to change a balancer."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import DRAINED, IN_SERVICE, Snapshot
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.pools.guarded_change import GuardedChange
from ansible_collections.steady.rollout.plugins.module_utils.pools.members import drain
from ansible_collections.steady.rollout.plugins.module_utils.pools.members import plan as member_plan
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer import record, rules
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer.rules import Pool, Report, Timer, Verdict
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock


class Look(t.Protocol):
    """What a change needs of the look that it is made in."""

    @property
    def path(self) -> str: ...
    @property
    def run_command(self) -> t.Callable[..., tuple[int, str, str]]: ...
    @property
    def say(self) -> t.Callable[[str], None]: ...
    def verdict(self, timer: Timer) -> Verdict: ...
    def note(self, timer: Timer, reports: t.Sequence[Report]) -> Timer: ...
    def report(self, timer: Timer, where: str, member: str, outcome: str, why: str) -> Report: ...


class Restoring(GuardedChange[Snapshot, t.Dict[str, str]]):
    """Those members of *pool* that are still due once the claim is held, and still drained."""

    attempts = 2

    def __init__(self, look: Look, claim: claims.Claim, pool: Pool) -> None:
        self._look = look
        self._pool = pool
        self._due: tuple[str, ...] = ()
        self._why = ""
        self._clock = Clock()
        params = {"claim": dataclasses.asdict(claim), "balancer": pool.balancer}
        call = Call(params, False, False, look.say, look.run_command)
        super().__init__(call, registry.open_balancer(pool.balancer, look.run_command))

    def read(self) -> Snapshot:
        return drain.patiently(self._balancer.snapshot, self._clock)

    def plan(self, state: Snapshot) -> dict[str, str] | None:
        timer = record.read(self._look.path)
        verdict = self._look.verdict(timer) if timer else None
        self._due = verdict.restore.get(self._pool.name, ()) if verdict else ()
        self._why = verdict.why if verdict else ""
        return {name: IN_SERVICE for name in self._due if _own(state, name) == DRAINED} or None

    def announce(self, changes: dict[str, str]) -> None:
        """It is on record since the drain."""

    def predicted(self, state: Snapshot, changes: dict[str, str]) -> Snapshot:
        return member_plan.predicted(state, changes)

    def send(self, changes: dict[str, str]) -> None:
        self._balancer.set_admin(changes)

    def missed(self, state: Snapshot, changes: dict[str, str]) -> str:
        missed = member_plan.missed(state, changes)
        return f"pool '{self._balancer.pool}' accepted the change but does not show it: {missed}." if missed else ""

    def refused_by_node(self, error: RolloutError, state: Snapshot, changes: dict[str, str]) -> None:
        """The next look tries again."""

    def finish(self, state: Snapshot) -> None:
        timer = record.read(self._look.path)
        if timer is None or not self._due:
            return
        back = [name for name in self._due if _own(state, name) == IN_SERVICE]
        claims.note_members(self._claim, returned=back)
        if set(self._balancer.unsaved(state)).intersection(back):
            self._balancer.save()
        reports = [
            self._look.report(timer, self._pool.where, name, *self._outcome(_own(state, name))) for name in self._due
        ]
        record.write(self._look.path, self._look.note(timer, reports).without(self._pool.name, self._due))

    def _outcome(self, state: str) -> tuple[str, str]:
        if state == IN_SERVICE:
            return rules.RESTORED, f"{self._why}, and it was not being changed"
        return rules.LEFT_ALONE, f"somebody else has changed it, it is now {state}"


def _own(state: Snapshot, name: str) -> str:
    member = state.members.get(name)
    return member.own if member else "gone"
