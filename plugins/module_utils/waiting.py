# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Waiting for several things together under one deadline.

A look says for each of them: reached, not yet, or impossible. Reached counts when several looks in a row say
so, for a session count that is zero once may be between two requests.
"""

from __future__ import annotations

import dataclasses
import enum
import time
import typing as t


class Verdict(enum.Enum):
    REACHED = "reached"
    NOT_YET = "not yet"
    IMPOSSIBLE = "impossible"


@dataclasses.dataclass(frozen=True)
class Clock:
    """Monotonic seconds and sleep; tests bring their own."""

    now: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep


@dataclasses.dataclass(frozen=True)
class Pace:
    """Seconds between looks: *first*, growing by *growth* up to *longest*; *confirm* once all is reached."""

    first: float = 0.002
    growth: float = 1.5
    longest: float = 0.04
    confirm: float = 0.015


@dataclasses.dataclass(frozen=True)
class Waited:
    """How the wait for one of them ended, and after how many seconds."""

    verdict: Verdict
    seconds: float


@dataclasses.dataclass
class _Streak:
    looks: int = 0
    since: float = 0.0

    def add(self, verdict: Verdict, now: float, enough: int) -> None:
        if verdict is not Verdict.REACHED:
            self.looks = 0
            return
        self.looks += 1
        if self.looks == enough:
            self.since = now


def wait_together(
    look: t.Callable[[], t.Mapping[str, Verdict]],
    timeout: float,
    clock: Clock,
    consecutive: int = 3,
    pace: Pace = Pace(),
    every_second: t.Callable[[], None] = lambda: None,
) -> dict[str, Waited]:
    """Looks until every name is reached in *consecutive* looks or impossible, or *timeout* seconds are over.

    A wait that is being confirmed when the time is over is still confirmed. *every_second* may raise to end it.
    """
    started = last_second = clock.now()
    streaks: dict[str, _Streak] = {}
    interval = pace.first
    while True:
        verdicts = look()
        now = clock.now()
        for name, verdict in verdicts.items():
            streaks.setdefault(name, _Streak()).add(verdict, now, consecutive)
        open_names = [name for name, verdict in verdicts.items() if verdict is not Verdict.IMPOSSIBLE]
        confirming = all(verdicts[name] is Verdict.REACHED for name in open_names)
        settled = all(streaks[name].looks >= consecutive for name in open_names)
        if settled or (now - started >= timeout and not confirming):
            return {
                name: _waited(verdict, streaks[name], started, now, consecutive) for name, verdict in verdicts.items()
            }
        if now - last_second >= 1.0:
            last_second = now
            every_second()
        clock.sleep(pace.confirm if confirming else min(interval, max(0.0, started + timeout - now)))
        interval = min(interval * pace.growth, pace.longest)


def _waited(verdict: Verdict, streak: _Streak, started: float, now: float, consecutive: int) -> Waited:
    if verdict is Verdict.IMPOSSIBLE:
        return Waited(verdict, now - started)
    if streak.looks >= consecutive:
        return Waited(Verdict.REACHED, streak.since - started)
    return Waited(Verdict.NOT_YET, now - started)
