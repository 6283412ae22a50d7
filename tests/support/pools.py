# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool that exists only in memory, and a clock that only sleeping moves."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer, Member, Snapshot
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock


def member(name: str, own: str = contract.IN_SERVICE, **changes: t.Any) -> Member:
    """A member that is up, idle and in the state given."""
    taking = own == contract.IN_SERVICE
    plain = Member(
        name=name,
        address="192.0.2.1:80",
        own=own,
        admin=own,
        operational=contract.UP,
        weight=1,
        sessions=0,
        queue=0,
        old_sessions=0,
        usable=taking,
        in_rotation=taking,
    )
    return dataclasses.replace(plain, **changes)


def snapshot(*members: Member) -> Snapshot:
    return Snapshot("shop", {one.name: one for one in members})


class ManualClock:
    """Starts at 0 and moves by the seconds slept; *events* are run when their second has come."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._events: list[tuple[float, t.Callable[[], object]]] = []

    def at(self, second: float, event: t.Callable[[], object]) -> None:
        self._events.append((second, event))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        # Even a sleep of 0 takes time, so that a loop that never ends is seen by the deadline below.
        self.now += max(seconds, 0.0001)
        if self.now > 10_000:
            raise AssertionError("waited for hours")
        for second, event in [one for one in self._events if one[0] <= self.now]:
            self._events.remove((second, event))
            event()

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self.sleep)


class FakePool(Balancer):
    """A pool of *members*; ``asked`` lists what was done to it, looks left out.

    *silent* makes it unreachable; *ignores* are members whose state it accepts and does not set.
    """

    capabilities = frozenset({contract.CAN_DRAIN, contract.CAN_END_SESSIONS, contract.CAN_SAVE})

    def __init__(self, *members: Member) -> None:
        super().__init__("shop", "lb1")
        self.members = {one.name: one for one in members}
        self.asked: list[tuple[str, t.Any]] = []
        self.silent = False
        self.read_only = False
        self.ignores: set[str] = set()
        self.stubborn: set[str] = set()
        self.saved: dict[str, str] | None = None
        self.looks = 0

    def version(self) -> str:
        return "1.0"

    def require_admin(self) -> None:
        if self.read_only:
            raise RolloutError("lb1: no change is allowed here.")

    def snapshot(self) -> Snapshot:
        self.looks += 1
        if self.silent:
            raise contract.Unreachable("lb1: does not answer.")
        return snapshot(*self.members.values())

    def snapshot_of(self, members: t.Sequence[str]) -> Snapshot:
        """Never more than was asked for: who needs the rest has to read it."""
        seen = self.snapshot()
        return snapshot(*(seen.members[name] for name in members if name in seen.members))

    def set_admin(self, states: t.Mapping[str, str]) -> None:
        self.asked.append(("set_admin", dict(states)))
        for name, state in states.items():
            if name not in self.ignores:
                self.change(name, **_effect(state))

    def end_sessions(self, members: t.Sequence[str]) -> None:
        self.asked.append(("end_sessions", list(members)))
        for name in members:
            if name not in self.stubborn:
                self.change(name, sessions=0, queue=0)

    def unsaved(self, snapshot: Snapshot) -> list[str]:
        if self.saved is None:
            return []
        return [name for name, one in snapshot.members.items() if self.saved.get(name) != one.own]

    def save(self) -> None:
        self.asked.append(("save", None))
        self.saved = {name: one.own for name, one in self.members.items()}

    def change(self, name: str, **changes: t.Any) -> None:
        """What happens to a member without us."""
        self.members[name] = dataclasses.replace(self.members[name], **changes)

    def operator_sets(self, name: str, state: str) -> None:
        self.change(name, **_effect(state))


def _effect(state: str) -> dict[str, t.Any]:
    taking = state == contract.IN_SERVICE
    return {"own": state, "admin": state, "usable": taking, "in_rotation": taking}
