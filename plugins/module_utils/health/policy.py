# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""When a target counts as healthy: so many successes in a row and so many seconds without a failure.

Pure: samples go in, a state and a verdict come out. All times are seconds on one monotonic clock that starts
at 0 with the first probe.
"""

from __future__ import annotations

import dataclasses
import typing as t

FIRST_PAUSE = 0.1
PAUSE_GROWTH = 1.5


class Verdict:
    """What is known about a target: healthy, not yet, or too late to become healthy in time."""

    HEALTHY = "healthy"
    WAITING = "waiting"
    LOST = "lost"


@dataclasses.dataclass(frozen=True)
class Policy:
    """Healthy means *successes* good probes in a row that span *min_healthy_time* seconds, by *timeout* seconds."""

    successes: int
    min_healthy_time: float
    timeout: float
    interval: float

    @classmethod
    def single_probe(cls) -> Policy:
        """One good probe is enough and nobody waits for a second one."""
        return cls(successes=1, min_healthy_time=0.0, timeout=0.0, interval=1.0)

    @property
    def waits(self) -> bool:
        return self.timeout > 0

    def pause(self, probes: int) -> float:
        """Seconds between the starts of probe number *probes* and the next: short at first, then the interval."""
        growth: float = PAUSE_GROWTH ** min(probes - 1, 50)
        return min(self.interval, FIRST_PAUSE * growth)

    def next_probe(self, state: State, began: float) -> float:
        """When to probe again after the probe that began at *began*; the one that can complete the proof is not late."""
        regular = began + self.pause(state.attempts)
        if state.streak_began is None or state.streak + 1 < self.successes:
            return regular
        proven_at = state.streak_began + self.min_healthy_time
        return proven_at if began < proven_at < regular else regular

    def shortest_proof(self) -> float:
        """Seconds that a target needs at least to become healthy when it answers at once and well."""
        probing = 0.0
        for probe in range(1, self.successes):
            pause = self.pause(probe)
            if pause >= self.interval:
                probing += (self.successes - probe) * self.interval
                break
            probing += pause
        return max(probing, self.min_healthy_time)


@dataclasses.dataclass(frozen=True)
class Sample:
    """What one probe saw; *at* is when it ended, *latency* how long it took, both in seconds."""

    at: float
    ok: bool
    reason: str
    latency: float | None = None
    status: int | None = None
    version: str | None = None
    body: str | None = None
    revision: str | None = None


@dataclasses.dataclass(frozen=True)
class State:
    """What the probes at one target add up to. Only the latest unbroken run of successes counts."""

    attempts: int = 0
    good: int = 0
    streak: int = 0
    streak_began: float | None = None
    flaps: int = 0
    last: Sample | None = None
    last_failure: Sample | None = None

    @property
    def healthy_for(self) -> float:
        """Seconds from the first to the latest success of the unbroken run; 0 after a failure."""
        if self.streak_began is None or self.last is None:
            return 0.0
        return self.last.at - self.streak_began


def observe(state: State, sample: Sample) -> State:
    """The state after one more probe. A failure after a success is a flap and takes all progress away."""
    if sample.ok:
        return dataclasses.replace(
            state,
            attempts=state.attempts + 1,
            good=state.good + 1,
            streak=state.streak + 1,
            streak_began=sample.at if state.streak_began is None else state.streak_began,
            last=sample,
        )
    return dataclasses.replace(
        state,
        attempts=state.attempts + 1,
        streak=0,
        streak_began=None,
        flaps=state.flaps + (1 if state.streak else 0),
        last=sample,
        last_failure=sample,
    )


def verdict(policy: Policy, state: State, now: float) -> str:
    """Healthy on what was seen; lost as soon as the proof can no longer be complete at the deadline."""
    if state.streak >= policy.successes and state.healthy_for >= policy.min_healthy_time:
        return Verdict.HEALTHY
    began = now if state.streak_began is None else state.streak_began
    if now >= policy.timeout or began + policy.min_healthy_time > policy.timeout:
        return Verdict.LOST
    return Verdict.WAITING


@dataclasses.dataclass
class Run:
    """Probes in a row that saw the same; *latency* is the longest of them."""

    at: float
    until: float
    times: int
    ok: bool
    reason: str
    latency: float | None

    def as_result(self) -> dict[str, t.Any]:
        return {
            "at": round(self.at, 3),
            "until": round(self.until, 3),
            "times": self.times,
            "ok": self.ok,
            "reason": self.reason,
            "latency": rounded(self.latency),
        }


class History:
    """The probes of one target, runs of the same outcome folded into one entry, the latest *limit* kept."""

    def __init__(self, limit: int = 50) -> None:
        self._runs: list[Run] = []
        self._limit = limit

    def add(self, sample: Sample) -> None:
        latest = self._runs[-1] if self._runs else None
        if latest and (latest.ok, latest.reason) == (sample.ok, sample.reason):
            latest.until = sample.at
            latest.times += 1
            latest.latency = max(latest.latency or 0.0, sample.latency or 0.0)
            return
        self._runs.append(Run(sample.at, sample.at, 1, sample.ok, sample.reason, sample.latency))
        del self._runs[: -self._limit]

    def as_result(self) -> list[dict[str, t.Any]]:
        return [run.as_result() for run in self._runs]


def rounded(seconds: float | None) -> float | None:
    """Seconds as people read them: to the millisecond."""
    return None if seconds is None else round(seconds, 3)
