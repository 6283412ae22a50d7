# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""When a member has reached what was asked for, and how to say that it has not."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    Balancer,
    Member,
    Snapshot,
    Unreachable,
)
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock, Verdict

# How long a node may stay silent during a wait (it is being reloaded, say) before the wait ends.
PATIENCE = 5.0
# How long a node that is being reloaded may refuse the first look.
RELOAD_GAP = 1.0


def verdict(state: str, member: Member | None) -> Verdict:
    """Whether *member* is where *state* wants it: out and idle, or in rotation and fully up."""
    if member is None:
        return Verdict.IMPOSSIBLE
    if state == contract.IN_SERVICE:
        return _in_service(member)
    if member.admin not in contract.OUT_STATES:
        return Verdict.IMPOSSIBLE
    return Verdict.NOT_YET if member.busy else Verdict.REACHED


def _in_service(member: Member) -> Verdict:
    if member.admin != contract.IN_SERVICE and not member.inherited:
        return Verdict.IMPOSSIBLE
    if member.weight == 0 and not member.agent:
        return Verdict.IMPOSSIBLE
    return Verdict.REACHED if member.serving else Verdict.NOT_YET


def shortfall(state: str, member: Member | None) -> str:
    """What keeps *member* from where *state* wants it, in words."""
    if member is None:
        return "is gone from the pool"
    if state == contract.IN_SERVICE:
        return _not_serving(member)
    if member.admin not in contract.OUT_STATES:
        by = "its agent check, somebody else or a reload" if member.agent else "somebody else or a reload"
        return f"was put back in service by {by}"
    return _still_busy(member)


def _not_serving(member: Member) -> str:
    last = f", last check: {member.check}" if member.check else ""
    if member.admin != contract.IN_SERVICE:
        if member.tracks:
            return f"is in {member.admin} because '{member.tracks}', which it tracks, is"
        by = "its address cannot be resolved" if member.inherited else "somebody else put it there"
        return f"is in {member.admin}: {by}"
    if member.weight == 0:
        return "has weight 0 and so takes no traffic"
    return {
        contract.DOWN: f"is DOWN{last}",
        contract.GOING_DOWN: f"is up but its checks do not pass yet{last}",
        contract.STARTING: "is still in its slow start",
        contract.STOPPING: f"says by its check that it is stopping{last}",
    }.get(member.operational, f"is {member.operational}{last}")


def _still_busy(member: Member) -> str:
    parts = [f"{member.sessions} sessions"]
    if member.queue:
        parts.append(f"{member.queue} queued")
    if member.old_sessions:
        parts.append(f"{member.old_sessions} in processes that a reload left behind")
    return "still has " + ", ".join(parts)


def shortfalls(wanted: t.Mapping[str, str], seen: t.Mapping[str, Member], names: t.Iterable[str]) -> str:
    return "; ".join(f"'{name}' {shortfall(wanted[name], seen.get(name))}" for name in names)


def advice(late: t.Mapping[str, str], lost: t.Sequence[str], on_timeout: str) -> str:
    """What to do after a wait that failed. *late* are the states asked for; *lost* was changed by others."""
    if on_timeout == "restore":
        return "What this call had changed is put back."
    if lost:
        return "Find out what changes it besides this call, then run again."
    if contract.IN_SERVICE in late.values():
        return "Look at the member's own service and at its health check."
    if on_timeout == "force":
        return (
            "Its sessions were ended and new ones came, or they are in a process that a reload left behind: such ones "
            "end by themselves, by 'hard-stop-after' or with that process."
        )
    return "It stays out of rotation; wait longer (timeout), or end what is left with on_timeout=force."


def first_look(balancer: Balancer, clock: Clock) -> Snapshot:
    """A snapshot; asks again for a moment, since a reload makes the sockets refuse for some milliseconds."""
    started = clock.now()
    while True:
        try:
            return balancer.snapshot()
        except Unreachable:
            if clock.now() - started >= RELOAD_GAP:
                raise
        clock.sleep(0.05)


class Watch:
    """Looks at members again and again, and keeps what was seen last.

    A node that does not answer is *not yet* for PATIENCE seconds; then Unreachable is raised.
    """

    def __init__(self, balancer: Balancer, wanted: t.Mapping[str, str], clock: Clock) -> None:
        self._balancer = balancer
        self._wanted = wanted
        self._clock = clock
        self._answered = clock.now()
        self.snapshot: Snapshot | None = None

    def look(self) -> dict[str, Verdict]:
        try:
            self.snapshot = self._balancer.snapshot()
        except Unreachable:
            if self._clock.now() - self._answered > PATIENCE:
                raise
            return dict.fromkeys(self._wanted, Verdict.NOT_YET)
        self._answered = self._clock.now()
        members = self.snapshot.members
        return {name: verdict(state, members.get(name)) for name, state in self._wanted.items()}
