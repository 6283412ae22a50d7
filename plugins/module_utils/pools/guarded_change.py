# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The one way to change something at a load balancer: under the claim, guarded, sent, and read back.

Members, weights, routes and pages differ in what they read and send. The order of steps that keeps a change safe is
here, once.
"""

from __future__ import annotations

import abc
import contextlib
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer, Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.claims import Claim
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.pools.pool_lock import pool_lock

State = t.TypeVar("State")
Changes = t.TypeVar("Changes")


class GuardedChange(abc.ABC, t.Generic[State, Changes]):
    """A change of one pool on one balancer node, made of State by Changes; *apply* makes it."""

    attempts: t.ClassVar[int] = 1
    """How often the change is sent before it counts as not shown."""

    def __init__(self, call: Call, balancer: Balancer) -> None:
        self._check_mode = call.check_mode
        self._claim = Claim.from_params(call.params["claim"])
        self._balancer = balancer

    @contextlib.contextmanager
    def alone(self) -> t.Iterator[None]:
        """The claim is ours, and no other change of the pool is made from this host meanwhile."""
        if self._check_mode:
            yield
            return
        with claims.held(self._claim), pool_lock(self._balancer, self._claim):
            yield

    def require_claim(self) -> None:
        """Raises ClaimLost where the service has been taken over since."""
        claims.require(self._claim)

    def apply(self) -> State:
        """Makes the change unless it is made already; returns what the node shows then."""
        with self.alone():
            state = self.read()
            changes = self.plan(state)
            if changes is not None:
                self._require_admin()
                self.announce(changes)
                state = self.predicted(state, changes) if self._check_mode else self.set(changes)
            self.finish(state)
            return state

    def set(self, changes: Changes) -> State:
        """Sends and reads back; call it alone. A node that does not answer may have done it: what it shows decides."""
        for _attempt in range(self.attempts):
            try:
                self.send(changes)
            except Unreachable:
                pass
            except RolloutError as error:
                self.refused_by_node(error, self.read_back(), changes)
                raise
            state = self.read_back()
            missed = self.missed(state, changes)
            if not missed:
                return state
        raise RolloutError(f"{self._balancer.where}: {missed}")

    @abc.abstractmethod
    def read(self) -> State:
        """What the node shows now."""

    def read_back(self) -> State:
        """What the node shows of what was changed."""
        return self.read()

    @abc.abstractmethod
    def plan(self, state: State) -> Changes | None:
        """What there is to change, None for nothing. Raises RolloutError where it must not be changed."""

    @abc.abstractmethod
    def announce(self, changes: Changes) -> None:
        """Records that the change is about to be made: from here on it counts, whatever comes after."""

    @abc.abstractmethod
    def predicted(self, state: State, changes: Changes) -> State:
        """Check mode: what the node would show."""

    @abc.abstractmethod
    def send(self, changes: Changes) -> None:
        """Asks the node to change. Accepted is not reached."""

    @abc.abstractmethod
    def missed(self, state: State, changes: Changes) -> str:
        """How *state* differs from what was asked for, as a sentence; empty where it does not."""

    @abc.abstractmethod
    def refused_by_node(self, error: RolloutError, state: State, changes: Changes) -> None:
        """Records what a node that refused has changed all the same, and may undo it."""

    def finish(self, state: State) -> None:
        """What follows also where nothing had to be changed; an earlier call may have died before it."""

    def _require_admin(self) -> None:
        self._balancer.require_admin()
