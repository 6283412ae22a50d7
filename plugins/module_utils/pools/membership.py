# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""lb_pool: adds a member to a pool, or removes one.

A new member starts drained. To be removed, a member is drained as by lb_member, and removed once nothing is in flight.
"""

from __future__ import annotations

import abc
import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import claims, durations
from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract, registry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    Balancer,
    MemberBusy,
    NewMember,
    Snapshot,
)
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.pools.guarded_change import GuardedChange
from ansible_collections.steady.rollout.plugins.module_utils.pools.members import drain
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.change import MemberChange
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.plan import Guard
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.request import Request
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

PRESENT, ABSENT = "present", "absent"
STATES = (PRESENT, ABSENT)
SECONDS_BETWEEN_ATTEMPTS = 0.5


def core(call: Call) -> dict[str, t.Any]:
    """lb_pool."""
    nothing_done = _result(call, [], [], "")
    try:
        balancer = registry.open_balancer(call.params["balancer"], call.run_command)
        return changed(call, balancer, Clock())
    except RolloutError as error:
        error.result = {**nothing_done, **error.result}
        raise


def changed(call: Call, balancer: Balancer, clock: Clock) -> dict[str, t.Any]:
    """What lb_pool does on a balancer."""
    change: Membership = (Addition if call.params["state"] == PRESENT else Removal)(call, balancer, clock)
    try:
        return change.run()
    except RolloutError as error:
        error.result = {**change.result(), **error.result}
        raise


class Membership(GuardedChange[Snapshot, NewMember], abc.ABC):
    """One call of lb_pool on one balancer node. Of a member to be removed only the name matters."""

    def __init__(self, call: Call, balancer: Balancer, clock: Clock) -> None:
        super().__init__(call, balancer)
        self._call = call
        self._clock = clock
        self._timeout = durations.seconds("timeout", call.params["timeout"])
        parameters = call.params["balancer"].get("member_parameters") or ""
        self._wanted = NewMember(call.params["member"], call.params["address"] or "", parameters)
        self._members: dict[str, str] = {}
        """What the pool had before, addresses by name."""
        self._actions: list[str] = []
        self._notes: list[str] = []
        self._to_configure = ""

    @abc.abstractmethod
    def run(self) -> dict[str, t.Any]:
        """The result of the call."""

    @abc.abstractmethod
    def members_after(self) -> dict[str, str]:
        """Addresses by name once the change is made."""

    def result(self) -> dict[str, t.Any]:
        result = _result(self._call, self._actions, self._notes, self._to_configure)
        if self._call.diff:
            header = f"{self._balancer.where} pool {self._balancer.pool}"
            after = self.members_after() if self._actions else self._members
            result["diff"] = {"before_header": header, "after_header": header, "before": self._members, "after": after}
        return result

    @property
    def _cannot(self) -> str:
        return self._balancer.lacks.get(contract.CAN_ADD, "")

    def refuse_unable(self) -> None:
        """Only where there is something to change."""
        if self._cannot:
            raise InputError(
                f"{self._balancer.where}: cannot add or remove members of pool '{self._balancer.pool}': {self._cannot}. "
                "Nothing was changed."
            )

    def read(self) -> Snapshot:
        return drain.patiently(self._balancer.snapshot, self._clock)

    def refused_by_node(self, error: RolloutError, state: Snapshot, changes: NewMember) -> None:
        """It was not done, and what was done before is on record."""

    def saw(self, state: Snapshot) -> None:
        self._members = {name: one.address for name, one in state.members.items()}
        self._notes = list(state.notes)

    def did(self, action: str, to_configure: str) -> None:
        self._actions.append(action)
        self._to_configure = to_configure


class Addition(Membership):
    def run(self) -> dict[str, t.Any]:
        if not self._wanted.address:
            raise InputError(
                "address: required with state=present. Set the address and port at which the load balancer reaches the member."
            )
        self.apply()
        return self.result()

    def members_after(self) -> dict[str, str]:
        return {**self._members, self._wanted.name: self._wanted.address}

    def plan(self, state: Snapshot) -> NewMember | None:
        self.saw(state)
        there = self._members.get(self._wanted.name)
        if there is None:
            self.refuse_unable()
            return self._wanted
        if there != self._wanted.address and not self._cannot:
            raise InputError(
                f"{self._balancer.where}: expected '{self._wanted.name}' of pool '{self._balancer.pool}' to have the address "
                f"{self._wanted.address}, found {there}. Nothing was changed; correct address, or remove the member first (state=absent)."
            )
        return None

    def announce(self, changes: NewMember) -> None:
        if not self._check_mode:
            claims.note_members(self._claim, drained=[changes.name])
        self.did(
            f"added '{changes.name}' ({changes.address}) to pool '{self._balancer.pool}', drained",
            self._balancer.lost_by_reload(changes),
        )

    def predicted(self, state: Snapshot, changes: NewMember) -> Snapshot:
        return state

    def send(self, changes: NewMember) -> None:
        self._balancer.add_member(changes)

    def missed(self, state: Snapshot, changes: NewMember) -> str:
        if changes.name in state.members:
            return ""
        return (
            f"pool '{self._balancer.pool}' accepted '{changes.name}' but does not show it. Check whether the load balancer is being "
            "reloaded, then run again."
        )

    def refused_by_node(self, error: RolloutError, state: Snapshot, changes: NewMember) -> None:
        if changes.name not in state.members:
            self._actions, self._to_configure = [], ""

    def finish(self, state: Snapshot) -> None:
        if not self._check_mode and self._wanted.name in self._balancer.unsaved(state):
            self._balancer.save()


class Removal(Membership):
    def run(self) -> dict[str, t.Any]:
        first = self.read()
        self.saw(first)
        if self._wanted.name in first.members and not self._balancer.is_gone(first, self._wanted.name):
            self.refuse_unable()
            self._drain()
            self._remove()
        return self.result()

    def members_after(self) -> dict[str, str]:
        return {name: address for name, address in self._members.items() if name != self._wanted.name}

    def _drain(self) -> None:
        request = Request(
            wanted={self._wanted.name: contract.DRAINED},
            wait=True,
            timeout=self._timeout,
            on_timeout=self._call.params["on_timeout"],
            expected_states=None,
            guard=Guard.from_params(self._call.params["guard"]),
            guard_timeout=durations.seconds("guard_timeout", self._call.params["guard_timeout"]),
            claim=self._claim,
        )
        drained = MemberChange(request, self._balancer, self._silent_about_diff(), self._clock).run()
        self._actions += drained["actions"]

    def _silent_about_diff(self) -> Call:
        return dataclasses.replace(self._call, diff=False)

    def _remove(self) -> None:
        """A node that still has idle connections to the member closes them within seconds."""
        started = self._clock.now()
        drained = list(self._actions)
        while True:
            try:
                self.apply()
                return
            except MemberBusy as error:
                self._actions = drained
                waited = self._clock.now() - started
                if waited >= self._timeout:
                    raise RolloutError(
                        f"{error.message} It is out of service and was not removed within {waited:.0f} s; run again to remove it."
                    ) from None
            self._clock.sleep(SECONDS_BETWEEN_ATTEMPTS)

    def plan(self, state: Snapshot) -> NewMember | None:
        member = state.members.get(self._wanted.name)
        if member is None or self._balancer.is_gone(state, self._wanted.name):
            return None
        if member.own not in contract.OUT_STATES and not self._check_mode:
            raise RolloutError(
                f"{self._balancer.where}: '{self._wanted.name}' of pool '{self._balancer.pool}' was put back in service by somebody "
                "else, so it was not removed. Find out what changes it besides this call, then run again."
            )
        return self._wanted

    def announce(self, changes: NewMember) -> None:
        self._actions = [
            *self._actions,
            f"removed '{changes.name}' from pool '{self._balancer.pool}'",
        ]
        self._to_configure = self._balancer.lost_by_reload(changes.name)

    def predicted(self, state: Snapshot, changes: NewMember) -> Snapshot:
        return state

    def send(self, changes: NewMember) -> None:
        self._balancer.remove_member(changes.name)

    def missed(self, state: Snapshot, changes: NewMember) -> str:
        if self._balancer.is_gone(state, changes.name):
            return ""
        return f"pool '{self._balancer.pool}' still has '{changes.name}' after it was removed. Check what else adds it, then run again."

    def finish(self, state: Snapshot) -> None:
        """The saved state of a removed member would drain it again if it were added later."""
        if self._check_mode:
            return
        claims.note_members(self._claim, returned=[self._wanted.name])
        if contract.CAN_SAVE in self._balancer.capabilities:
            self._balancer.save()


def _result(call: Call, actions: t.Sequence[str], notes: t.Sequence[str], to_configure: str) -> dict[str, t.Any]:
    place = f"{call.params['member']} on {call.params['balancer'].get('host') or 'localhost'}"
    return {
        "changed": bool(actions),
        "pool": call.params["balancer"]["pool"],
        "member": call.params["member"],
        "actions": list(actions),
        "notes": list(notes),
        "to_configure": to_configure,
        "msg": " ".join([f"{place}: {', '.join(actions) or 'nothing to do'}.", to_configure]).strip(),
    }
