# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a restore timer has recorded and what follows from it: a dead man's switch, without clock or I/O.

A member that a run has drained is *drained* until it is back in service, and *changing* from just before the first step
that could change its host. Only what is drained and not changing is ever put back. Whatever is unclear leaves it out.
"""

from __future__ import annotations

import dataclasses
import typing as t

WAIT, RESTORE, OVER, RESTART = "wait", "restore", "over", "restart"
MOST_REPORTS = 500
RESTORED, LEFT_CHANGING, LEFT_ALONE = "restored", "left_changing", "left_alone"


class Moment(t.NamedTuple):
    """A time of this host: seconds of a clock that nobody sets, and the boot since which it counts."""

    boot: str
    seconds: float


class Standing(t.NamedTuple):
    """Whose the claim of the service is on this host."""

    ledger: str
    token: int


@dataclasses.dataclass(frozen=True)
class Pool:
    """One pool of one balancer node: how to reach it, and the members that the run has drained there."""

    where: str
    balancer: dict[str, t.Any]
    """The option of lb_member."""
    drained: tuple[str, ...] = ()
    changing: tuple[str, ...] = ()

    @property
    def name(self) -> tuple[str, str]:
        return (self.where, str(self.balancer["pool"]))


@dataclasses.dataclass(frozen=True)
class Report:
    """What the timer did with one member, for the next run. *at* is the host's wall clock."""

    at: float
    token: int
    where: str
    member: str
    outcome: str
    why: str


@dataclasses.dataclass(frozen=True)
class Timer:
    """A timer that a run has armed on a balancer's host, and what that run has drained there since."""

    service: str
    ledger: str
    token: int
    after: float
    """Seconds without a heartbeat of the run."""
    renewed: Moment
    pools: tuple[Pool, ...] = ()
    reports: tuple[Report, ...] = ()
    is_scheduled: bool = True
    """Whether the host looks at it; not any more once there is nothing left to restore."""

    def is_of(self, ledger: str, token: int) -> bool:
        return (self.ledger, self.token) == (ledger, token)

    def with_drained(self, where: str, balancer: dict[str, t.Any], members: t.Collection[str]) -> Timer:
        """These are about to be drained there; one that is being changed stays so."""
        key = Pool(where, balancer).name
        known = next((pool for pool in self.pools if pool.name == key), Pool(where, balancer))
        fresh = [name for name in members if name not in known.drained + known.changing]
        pool = dataclasses.replace(known, balancer=balancer, drained=(*known.drained, *fresh))
        others = tuple(one for one in self.pools if one.name != key)
        reports = tuple(one for one in self.reports if (one.where, one.member in members) != (where, True))
        return dataclasses.replace(self, pools=(*others, pool), reports=reports)

    def with_changing(self, members: t.Collection[str]) -> Timer:
        """From here on none of them is put back, in whatever pool it is."""
        return self._each(
            lambda pool: dataclasses.replace(
                pool,
                drained=tuple(name for name in pool.drained if name not in members),
                changing=(*pool.changing, *(name for name in pool.drained if name in members)),
            )
        )

    def without(self, key: tuple[str, str], members: t.Collection[str]) -> Timer:
        """These are in service again in that pool, or somebody else decides about them."""

        def rest(pool: Pool) -> Pool:
            if pool.name != key:
                return pool
            drained, changing = (
                tuple(name for name in names if name not in members) for names in (pool.drained, pool.changing)
            )
            return dataclasses.replace(pool, drained=drained, changing=changing)

        kept = self._each(rest)
        return dataclasses.replace(kept, pools=tuple(pool for pool in kept.pools if pool.drained or pool.changing))

    def unreported(self, reports: t.Iterable[Report]) -> list[Report]:
        """Those whose outcome is not on record yet: a member that stays out is not reported at each look."""
        known = {_same(one) for one in self.reports}
        return [one for one in reports if _same(one) not in known]

    def reported(self, reports: t.Iterable[Report]) -> Timer:
        return dataclasses.replace(self, reports=(*self.reports, *reports)[-MOST_REPORTS:])

    @property
    def own_reports(self) -> tuple[Report, ...]:
        """Of what was done while this run had it; the others are known to it since it began."""
        return tuple(one for one in self.reports if one.token == self.token)

    def restored_meanwhile(self, members: t.Collection[str]) -> list[str]:
        """Who of them the timer has put back while the run was alive after all."""
        return sorted({one.member for one in self.own_reports if one.outcome == RESTORED and one.member in members})

    def _each(self, change: t.Callable[[Pool], Pool]) -> Timer:
        return dataclasses.replace(self, pools=tuple(change(pool) for pool in self.pools))


@dataclasses.dataclass(frozen=True)
class Verdict:
    """WAIT, RESTORE those of *restore* by pool, OVER: nothing will be restored any more, RESTART: count again from the start."""

    kind: str
    why: str
    restore: dict[tuple[str, str], tuple[str, ...]] = dataclasses.field(default_factory=dict)
    left_out: dict[tuple[str, str], tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """Those that were being changed: a run decides about them."""


def armed(
    before: Timer | None, service: str, standing: Standing, previous: Standing | None, after: float, now: Moment
) -> Timer:
    """The timer of a run that has just left its claim, *standing*; *previous* is the claim that it found.

    What the run before has drained is this run's to restore, and only then: any other run may have changed the hosts
    without this timer's knowing.
    """
    follows = before is not None and previous is not None and before.is_of(previous.ledger, previous.token)
    is_ours = before is not None and before.ledger == standing.ledger
    pools = before.pools if before and follows and is_ours else ()
    reports = before.reports if before and is_ours else ()
    return Timer(service, standing.ledger, standing.token, after, now, pools, reports)


def given_up(timer: Timer) -> Timer | None:
    """What is left of a timer whose run was refused before it began: it has drained nothing itself.

    None where nothing is. What a run before has drained is still to be restored, and what was done still to be reported.
    """
    if any(pool.drained for pool in timer.pools):
        return timer
    return dataclasses.replace(timer, is_scheduled=False) if timer.pools or timer.reports else None


def decide(timer: Timer, standing: Standing | None, now: Moment) -> Verdict:
    """What is to be done now; *standing* is None where there is no claim."""
    if standing is None or not timer.is_of(standing.ledger, standing.token):
        return Verdict(OVER, "another run has claimed the service since")
    if now.boot != timer.renewed.boot:
        return Verdict(RESTART, "this host has rebooted since the last heartbeat")
    silent = now.seconds - timer.renewed.seconds
    if silent < timer.after:
        return Verdict(WAIT, f"last heartbeat {silent:.0f} s ago")
    restore = {pool.name: pool.drained for pool in timer.pools if pool.drained}
    left_out = {pool.name: pool.changing for pool in timer.pools if pool.changing}
    why = f"no heartbeat from its run for {silent:.0f} s"
    return Verdict(RESTORE if restore else OVER, why, restore, left_out)


def _same(one: Report) -> tuple[int, str, str, str]:
    return (one.token, one.where, one.member, one.outcome)
