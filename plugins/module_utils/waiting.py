# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Waiting for several things together under one deadline.

A poll says for each of them: reached, not yet, or impossible. Reached counts when several polls in a row say
so, for a session count that is zero once may be between two requests.
"""

from __future__ import annotations

import dataclasses
import enum
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import in_progress


class Verdict(enum.Enum):
    REACHED = "reached"
    NOT_YET = "not yet"
    IMPOSSIBLE = "impossible"


@dataclasses.dataclass(frozen=True)
class Clock:
    """Monotonic seconds, and a sleep that is cut when the caller is gone; tests bring their own."""

    now: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = in_progress.pause


@dataclasses.dataclass(frozen=True)
class Pace:
    """Seconds between polls: *first*, growing by *growth* up to *longest*; *confirm* once all is reached."""

    first: float = 0.01
    growth: float = 1.05
    longest: float = 0.025
    confirm: float = 0.008
    late: float = 1 / 2400
    """*longest* grows to this share of the time waited: a wait of ten minutes need not know its end to 25 ms."""
    rest: float = 3.0
    """At least so many times as long as the poll before took, so that a slow node is not kept busy."""

    def longest_after(self, waited: float) -> float:
        return max(self.longest, waited * self.late)


@dataclasses.dataclass(frozen=True)
class Waited:
    """How the wait for one of them ended, and after how many seconds."""

    verdict: Verdict
    seconds: float


def wait_together(
    poll: t.Callable[[], t.Mapping[str, Verdict]],
    timeout: float,
    clock: Clock,
    consecutive: int = 3,
    pace: Pace = Pace(),
    every_second: t.Callable[[], None] = lambda: None,
) -> dict[str, Waited]:
    """Polls until every name is reached in *consecutive* polls or impossible, or *timeout* seconds are over.

    A wait that is being confirmed when the time is over is still confirmed. *every_second* may raise to end it.
    """
    progress = _Progress(clock.now(), consecutive)
    second = progress.started
    interval = pace.first
    late_polls = 0
    while True:
        asked = clock.now()
        verdicts = poll()
        now = clock.now()
        progress.add(verdicts, now)
        left = progress.started + timeout - now
        late_polls += left <= 0
        if progress.settled or late_polls > (consecutive - 1 if progress.confirming else 0):
            return progress.outcome()
        if now - second >= 1.0:
            second = now
            every_second()
        pause = max(interval, (now - asked) * pace.rest)
        clock.sleep(pace.confirm if progress.confirming else min(pause, left))
        interval = min(interval * pace.growth, pace.longest_after(now - progress.started))


class _Progress:
    """How often in a row each name was reached."""

    def __init__(self, started: float, consecutive: int) -> None:
        self.started = started
        self._consecutive = consecutive
        self._now = started
        self._verdicts: t.Mapping[str, Verdict] = {}
        self._in_a_row: dict[str, int] = {}
        self._reached_at: dict[str, float] = {}

    def add(self, verdicts: t.Mapping[str, Verdict], now: float) -> None:
        self._verdicts, self._now = verdicts, now
        for name, verdict in verdicts.items():
            self._in_a_row[name] = self._in_a_row.get(name, 0) + 1 if verdict is Verdict.REACHED else 0
            if self._in_a_row[name] == self._consecutive:
                self._reached_at[name] = now

    @property
    def confirming(self) -> bool:
        """Nothing is missing but more polls that say the same."""
        return Verdict.NOT_YET not in self._verdicts.values()

    @property
    def settled(self) -> bool:
        return all(
            verdict is Verdict.IMPOSSIBLE or self._in_a_row[name] >= self._consecutive
            for name, verdict in self._verdicts.items()
        )

    def outcome(self) -> dict[str, Waited]:
        return {name: self._waited(name, verdict) for name, verdict in self._verdicts.items()}

    def _waited(self, name: str, verdict: Verdict) -> Waited:
        if self._in_a_row[name] >= self._consecutive:
            return Waited(Verdict.REACHED, self._reached_at[name] - self.started)
        unproven = Verdict.NOT_YET if verdict is Verdict.REACHED else verdict
        return Waited(unproven, self._now - self.started)
