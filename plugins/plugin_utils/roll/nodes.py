# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a member out of rotation and puts it back on every node of the load balancers, all nodes at the same time."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.balancer_calls import (
    balancer_of,
    error_of,
    node_of,
    on_balancer,
    place_of,
)
from ansible_collections.steady.rollout.plugins.plugin_utils.restore_timers import calls as restore_timers
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors, Invocation, Outcome

Balancer = t.Dict[str, t.Any]
Result = t.Dict[str, t.Any]


class Nodes:
    """*claim* goes with every change: a node that has seen a newer run refuses it.

    *timers* are the hosts on which a restore timer of this run is armed.
    """

    def __init__(
        self,
        executors: Executors,
        balancers: t.Sequence[Balancer],
        member: str,
        claim: Result,
        timers: t.Sequence[str] = (),
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._executors = executors
        self._balancers = list(balancers)
        self._member = member
        self._claim = claim
        self._timers = list(timers)

    def connect(self) -> None:
        """Ahead of the first call, which fails if a node cannot be reached."""
        self._executors.connect([one.host for one in self._invocations(self._balancers, state="in_service")])

    def drain(
        self,
        options: Result,
        expected_states: t.Sequence[str],
        guard: Result | None,
        guard_timeout: float,
        restorable: bool = False,
    ) -> Result:
        """Marked on all nodes before any is waited for: while one node drains, the others must send no new work.

        The first node is asked alone: two hosts that the guard lets through one at a time must not each hold a node that
        the other one waits for.

        With *restorable* the restore timers put the member back if this run disappears before it marks it as changing.

        ``out_for`` is how long the first node has sent no new work: connecting to the nodes before is no time out.
        """
        marked_at: float | None = None
        guarded: Result = {"guard": guard, "guard_timeout": guard_timeout} if guard else {}
        guarded["expected_states"] = list(expected_states)
        marked: list[Outcome] = []
        first, others = self._balancers[:1], self._balancers[1:]
        if others:
            marked = self._change(first, restorable, state="drained", wait=False, **guarded)
            marked_at = self._clock()
            self._refuse_failures("drain", marked, marked)
            first = []
        fresh = self._invocations(first + others, restorable, state="drained", **guarded, **options)
        waiting = self._invocations(self._balancers[:1] if others else [], state="drained", **options)
        drained = self._executors.together(fresh + waiting)
        self._refuse_failures("drain", drained, marked + drained)
        drained_for = max(_waited(one) for one in drained)
        return {"drained_for": drained_for, "out_for": drained_for if marked_at is None else self._clock() - marked_at}

    def add(self, address: str) -> Result:
        """Adds the member, drained, on every node whose pool does not have it; returns what to change in the configuration."""
        seen = self._executors.together([on_balancer(one, "lb_member_info") for one in self._balancers])
        self._refuse_failures("balancer", seen, [])
        lacking = [
            balancer for balancer, one in zip(self._balancers, seen) if self._member not in one.result["members"]
        ]
        asked: Result = {"member": self._member, "address": address, "claim": self._claim}
        added = self._executors.together([on_balancer(one, "lb_pool", **asked) for one in lacking])
        self._refuse_failures("balancer", added, [])
        to_configure = dict.fromkeys(str(one.result.get("to_configure") or "") for one in added)
        return {
            "changed": bool(added),
            "added": [node_of(one) for one in added],
            "to_configure": [sentence for sentence in to_configure if sentence],
        }

    def mark_changing(self) -> Result:
        """From here on no restore timer puts the member back, whatever becomes of this run."""
        marked = self._executors.together(restore_timers.marking(self._timers, self._claim, self._member))
        self._refuse_failures("balancer", marked, [])
        return {}

    def put_back(self, timeout: float, require_weight: bool) -> Result:
        restored = self._change(
            self._balancers,
            state="in_service",
            expected_states=["in_service", "drained"],
            require_weight=require_weight,
            timeout=timeout,
        )
        self._refuse_failures("restore", restored, [])
        return {"restored_after": max(_waited(one) for one in restored)}

    def _change(self, balancers: t.Sequence[Balancer], restorable: bool = False, **options: t.Any) -> list[Outcome]:
        return self._executors.together(self._invocations(balancers, restorable, **options))

    def _invocations(
        self, balancers: t.Sequence[Balancer], restorable: bool = False, **options: t.Any
    ) -> list[Invocation]:
        common: Result = {"members": [self._member], "claim": self._claim}
        return [
            on_balancer(balancer, "lb_member", **common, **self._timed(balancer, restorable), **options)
            for balancer in balancers
        ]

    def _timed(self, balancer: Balancer, restorable: bool) -> Result:
        has_timer = restorable and place_of(balancer) in self._timers
        return {"restore_timer": True} if has_timer and not restore_timers.why_not(balancer) else {}

    def _refuse_failures(self, kind: str, outcomes: t.Sequence[Outcome], changed: t.Sequence[Outcome]) -> None:
        """Raises StepFailed where a node failed, or where somebody else had drained the member.

        Then whatever this run has marked is undone: the member is left as it was found.
        """
        externally = sorted({node_of(one) for one in outcomes if one.result.get("drained_externally")})
        if externally:
            marked = {node_of(one): balancer_of(one) for one in changed if one.result.get("changed")}
            self._change(list(marked.values()), state="in_service")
            raise StepFailed("drained_externally", f"drained on {', '.join(externally)} by somebody else")
        unreachable = next((one for one in outcomes if one.unreachable), None)
        if unreachable:
            raise StepFailed("balancer", error_of(unreachable))
        bad = next((one for one in outcomes if one.failed), None)
        if bad:
            raise StepFailed(str(bad.result.get("kind") or kind), error_of(bad))


def _waited(outcome: Outcome) -> float:
    return float(outcome.result.get("waited") or 0.0)
