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

# How long a node that is being reloaded may refuse the first read.
RELOAD_GAP = 1.0
# How often a wait reads all that a node shows of its members.
FULL_EVERY = 1.0
# In a large pool that takes at most this part of the time.
SPARINGLY = 10

Seen = t.TypeVar("Seen")


def verdict(state: str, member: Member | None, require_weight: bool = True) -> Verdict:
    """Whether *member* is in *state*: out and idle, or in rotation and fully up.

    Without *require_weight* a member of weight 0 counts as in rotation once it could take traffic.
    """
    if member is None:
        return Verdict.IMPOSSIBLE
    if state == contract.IN_SERVICE and member.weight == 0 and not require_weight:
        return _stands_by(member)
    if state == contract.IN_SERVICE:
        return _in_service(member)
    if member.own not in contract.OUT_STATES:
        return Verdict.IMPOSSIBLE
    return Verdict.NOT_YET if member.busy or member.pending else Verdict.REACHED


def _in_service(member: Member) -> Verdict:
    if member.own != contract.IN_SERVICE:
        return Verdict.IMPOSSIBLE
    if (member.weight == 0 and not member.agent) or member.unrecoverable:
        return Verdict.IMPOSSIBLE
    return Verdict.REACHED if member.serving else Verdict.NOT_YET


def _stands_by(member: Member) -> Verdict:
    if member.own != contract.IN_SERVICE:
        return Verdict.IMPOSSIBLE
    is_fit = not member.inherited and member.operational in contract.FULLY_UP
    return Verdict.REACHED if is_fit else Verdict.NOT_YET


class Shortfall(t.NamedTuple):
    """What keeps a member from where it is wanted, and what to do about it."""

    what: str
    advice: str


SOMEBODY_ELSE = "Find out what changes it besides this call, then run again."


def shortfall(state: str, member: Member | None, forced: bool = False) -> Shortfall:
    """Why *member* is not in *state*; *forced* if its sessions were ended already."""
    if member is None:
        return Shortfall("is gone from the pool", SOMEBODY_ELSE)
    if state == contract.IN_SERVICE:
        return _not_serving(member)
    if member.own not in contract.OUT_STATES:
        by = "its agent check, somebody else or a reload" if member.agent else "somebody else or a reload"
        return Shortfall(f"was put back in service by {by}", SOMEBODY_ELSE)
    if member.pending:
        return Shortfall(member.pending, "It stays out of rotation: wait longer (timeout).")
    return Shortfall(f"still has sessions: {_busy_where(member)}", _advice_for_busy(member, forced))


def _not_serving(member: Member) -> Shortfall:
    if member.own != contract.IN_SERVICE:
        return Shortfall(f"was put in {member.own} by somebody else or a reload", SOMEBODY_ELSE)
    if member.inherited:
        return _held_out(member)
    if member.weight == 0 and member.operational in contract.FULLY_UP:
        return Shortfall("has weight 0 and so takes no traffic", "Give it a weight first.")
    last = f", last check: {member.check}" if member.check else ""
    if member.unrecoverable:
        return Shortfall(member.unrecoverable + last, "Fix that first; waiting does not help.")
    what = {
        contract.DOWN: f"is DOWN{last}",
        contract.GOING_DOWN: f"is up but its checks do not pass yet{last}",
        contract.STARTING: "is still in its slow start",
        contract.STOPPING: f"reports by its check that it is stopping{last}",
    }.get(member.operational, f"is {member.operational}{last}")
    return Shortfall(what, "Check its service and its health check.")


def _held_out(member: Member) -> Shortfall:
    if member.tracks:
        return Shortfall(
            f"is in {member.admin} because '{member.tracks}', which it tracks, is", f"Put '{member.tracks}' in service."
        )
    return Shortfall(
        f"is in {member.admin} because its address cannot be resolved", "Check the resolvers of the load balancer."
    )


def _busy_where(member: Member) -> str:
    counts = (
        (member.sessions, "in flight"),
        (member.queue, "queued"),
        (member.old_sessions, "in processes that a reload left behind"),
    )
    return ", ".join(f"{count} {where}" for count, where in counts if count)


def _advice_for_busy(member: Member, forced: bool) -> str:
    if not forced:
        return "It stays out of rotation: wait longer (timeout), or end what is left with on_timeout=force."
    if member.old_sessions:
        return (
            "An old process has no command to end sessions: wait for it, set 'hard-stop-after', or stop that process."
        )
    return "Sessions were ended but new ones came, from clients tied to it: state=maintenance sends those elsewhere."


def explain(
    wanted: t.Mapping[str, str], seen: t.Mapping[str, Member], names: t.Sequence[str], forced: bool
) -> Shortfall:
    """All of *names* in one: what keeps each of them, and each advice once."""
    each = {name: shortfall(wanted[name], seen.get(name), forced) for name in names}
    return Shortfall(
        "; ".join(f"'{name}' {one.what}" for name, one in each.items()),
        " ".join(dict.fromkeys(one.advice for one in each.values())),
    )


def first_snapshot(balancer: Balancer, clock: Clock) -> Snapshot:
    return patiently(balancer.snapshot, clock)


def patiently(read: t.Callable[[], Seen], clock: Clock) -> Seen:
    """What *read* returns; asks again for a moment, since a reload makes the sockets refuse for some milliseconds."""
    until = clock.now() + RELOAD_GAP
    while True:
        try:
            return read()
        except Unreachable:
            if clock.now() >= until:
                raise
        clock.sleep(0.05)


class Watch:
    """Polls members again and again, and keeps what was seen last.

    In between, only what is in flight to them is read. All that the node shows of them is read about every second and
    once a poll finds nothing more to wait for: that decides, and what is in flight confirms it. A node that does not
    answer is *not yet*; see require_answer.
    """

    def __init__(
        self, balancer: Balancer, wanted: t.Mapping[str, str], clock: Clock, require_weight: bool = True
    ) -> None:
        self._balancer = balancer
        self._wanted = wanted
        self._clock = clock
        self._require_weight = require_weight
        self._answered = clock.now()
        self._unreachable: Unreachable | None = None
        self._due = clock.now()
        self._is_decided = False
        """All that the node shows of them said that there is nothing more to wait for, and each poll since."""
        self.snapshot: Snapshot | None = None

    def poll(self) -> dict[str, Verdict]:
        is_due = self._clock.now() >= self._due
        try:
            self.snapshot = self._read(is_due)
        except Unreachable as error:
            self._unreachable = error
            self._due, self._is_decided = self._clock.now(), False
            return dict.fromkeys(self._wanted, Verdict.NOT_YET)
        self._unreachable = None
        self._answered = self._clock.now()
        members = self.snapshot.members
        verdicts = {
            name: verdict(state, members.get(name), self._require_weight) for name, state in self._wanted.items()
        }
        is_over = Verdict.NOT_YET not in verdicts.values()
        self._is_decided = is_over and (is_due or self._is_decided)
        if is_over and not self._is_decided:
            self._due = self._clock.now()
        return verdicts

    def require_answer(self) -> None:
        """Raises Unreachable where the node did not answer last, and says since when."""
        if self._unreachable:
            seconds = self._clock.now() - self._answered
            raise Unreachable(f"{self._unreachable.message} It has not answered for {seconds:.0f} s.")

    def _read(self, is_due: bool) -> Snapshot:
        if self.snapshot is not None and not is_due:
            return self._balancer.refreshed(self.snapshot, list(self._wanted))
        asked = self._clock.now()
        snapshot = self._balancer.snapshot_of(list(self._wanted))
        now = self._clock.now()
        self._due = now + max(FULL_EVERY, (now - asked) * SPARINGLY)
        return snapshot
