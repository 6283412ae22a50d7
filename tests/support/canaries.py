# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated canaries: what the hosts of a canary and of its baseline show, interval by interval.

Requests arrive as a Poisson process at a rate that drifts; each fails with a chance and takes a log-normal time, both of
which drift for all hosts alike. Hosts with the same release differ: by a factor each has for good, by one that wanders
(slow for a minute or two), and by jitter in every interval; now and then one has a hiccup. Bad requests may come in
clumps. The judge gets none of this. A release that is worse has a larger chance to fail, or takes longer,
from its first request on.

The p95 that a host shows for an interval is the order statistic of its requests in it: the k-th smallest of n
log-normal figures is drawn directly, as a beta variate put through the quantile function.
"""

from __future__ import annotations

import dataclasses
import math
import random
import statistics
import typing as t

BAKE = 600.0
INTERVAL = 10.0
PAST = 20
NORMAL = statistics.NormalDist()
QUANTILE = 0.95


@dataclasses.dataclass(frozen=True)
class Setting:
    """A fleet and its traffic. Noise and drift are standard deviations of the logarithm, times are seconds."""

    name: str
    rate: float = 1000.0
    canary_share: float = 0.05
    baseline_share: float = 0.95
    canary_hosts: int = 3
    baseline_hosts: int = 20
    error_share: float = 0.01
    median_ms: float = 60.0
    latency_sigma: float = 0.7
    host_noise: float = 0.1
    wander: float = 0.05
    wander_time: float = 60.0
    jitter: float = 0.05
    drift: float = 0.3
    drift_time: float = 180.0
    clump: float = 1.0
    hiccups: float = 0.0

    def described(self) -> str:
        return (
            f"{self.rate:g} requests/s in all; {self.canary_hosts} canary hosts with {self.canary_share:.0%}, "
            f"{self.baseline_hosts} baseline hosts with {self.baseline_share:.0%}; {BAKE:g} s of bake in intervals of "
            f"{INTERVAL:g} s, a look after each; {self.error_share:.1%} errors, in clumps of {self.clump:g}; latency with a "
            f"median of {self.median_ms:g} ms, sigma {self.latency_sigma:g}; hosts differ by {self.host_noise:.0%}, wander "
            f"by {self.wander:.0%} over {self.wander_time:g} s, jitter by {self.jitter:.0%}, hiccup in "
            f"{self.hiccups:.0%} of the intervals; all drift by {self.drift:.0%} over {self.drift_time:g} s"
        )


@dataclasses.dataclass(frozen=True)
class Effect:
    """How much worse the canary's release is."""

    name: str
    errors: float = 1.0
    latency: float = 1.0


class Seen(t.NamedTuple):
    """What one host showed in one interval; *p95* is None where there were no requests."""

    requests: int
    bad: int
    p95: t.Optional[float]


@dataclasses.dataclass(frozen=True)
class Interval:
    at: float
    canary: dict[str, Seen]
    baseline: dict[str, Seen]


class _Wandering:
    """A figure that returns to 0 slowly: an autoregressive process in steps of an interval."""

    def __init__(self, rng: random.Random, deviation: float, time: float) -> None:
        self._rng = rng
        self._keeps = math.exp(-INTERVAL / time)
        self._pushes = deviation * math.sqrt(1 - self._keeps**2)
        self.now = rng.gauss(0, deviation)

    def step(self) -> float:
        self.now = self._keeps * self.now + self._rng.gauss(0, self._pushes)
        return self.now


class _Host:
    def __init__(self, rng: random.Random, setting: Setting, effect: Effect) -> None:
        self._rng, self._setting, self.effect = rng, setting, effect
        self._errors = rng.gauss(0, setting.host_noise)
        self._latency = rng.gauss(0, setting.host_noise)
        self._wander = _Wandering(rng, setting.wander, setting.wander_time)

    def look(self, rate: float, errors_drift: float, latency_drift: float) -> Seen:
        rng, setting = self._rng, self._setting
        requests = poisson(rng, rate * INTERVAL)
        wander = self._wander.step()
        share = setting.error_share * self.effect.errors * math.exp(self._errors + wander + errors_drift)
        bad = min(requests, clumped(rng, requests * share, setting.clump))
        if not requests:
            return Seen(0, 0, None)
        hiccup = math.log(2) if rng.random() < setting.hiccups else 0.0
        shift = self._latency + wander + latency_drift + hiccup + rng.gauss(0, setting.jitter)
        p95 = (
            setting.median_ms * self.effect.latency * math.exp(shift + setting.latency_sigma * quantile(rng, requests))
        )
        return Seen(requests, bad, p95)


def canary(setting: Setting, effect: Effect, seed: str) -> t.Iterator[Interval]:
    """The intervals of one simulated canary, the same for the same seed; those up to 0 are of before the release."""
    rng = random.Random(seed)
    nothing = Effect("none")
    canaries = {f"c{number}": _Host(rng, setting, effect) for number in range(setting.canary_hosts)}
    baselines = {f"b{number}": _Host(rng, setting, nothing) for number in range(setting.baseline_hosts)}
    load, errors, latency = (_Wandering(rng, setting.drift, setting.drift_time) for dummy in range(3))
    for number in range(1 - PAST, round(BAKE / INTERVAL) + 1):
        for host in canaries.values():
            host.effect = effect if number > 0 else nothing
        rate = setting.rate * math.exp(load.step())
        drifts = errors.step(), latency.step()
        yield Interval(
            number * INTERVAL,
            {name: host.look(rate * setting.canary_share / len(canaries), *drifts) for name, host in canaries.items()},
            {
                name: host.look(rate * setting.baseline_share / len(baselines), *drifts)
                for name, host in baselines.items()
            },
        )


def poisson(rng: random.Random, mean: float) -> int:
    """Knuth's product of uniforms for small means; large ones are halved by a gamma variate (Ahrens and Dieter 1974)."""
    before = 0
    while mean > 30:
        half = int(mean * 7 / 8)
        waited = rng.gammavariate(half, 1.0)
        if waited > mean:
            return before + binomial(rng, half - 1, mean / waited)
        before, mean = before + half, mean - waited
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return before + count


def binomial(rng: random.Random, trials: int, chance: float) -> int:
    """Halved by beta variates while it is long (Relles 1972)."""
    count = 0
    while trials > 30:
        middle = (trials + 1) // 2
        split = rng.betavariate(middle, trials + 1 - middle)
        if split <= chance:
            count, trials, chance = count + middle, trials - middle, (chance - split) / (1 - split)
        else:
            trials, chance = middle - 1, chance / split
    return count + sum(1 for dummy in range(trials) if rng.random() < chance)


def clumped(rng: random.Random, mean: float, clump: float) -> int:
    """Bad requests of that mean: a Poisson number of incidents, each a geometric number of bad ones, *clump* on average."""
    incidents = poisson(rng, mean / clump)
    if clump <= 1:
        return incidents
    stay = math.log(1 - 1 / clump)
    return sum(1 + int(math.log(1 - rng.random()) / stay) for dummy in range(incidents))


def quantile(rng: random.Random, requests: int) -> float:
    """The standard normal figure at the p95 of so many of them: the order statistic (David and Nagaraja 2003, 2.1)."""
    rank = math.ceil(QUANTILE * requests)
    return NORMAL.inv_cdf(min(1 - 1e-12, rng.betavariate(rank, requests + 1 - rank)))


def group_share(cells: t.Iterable[Seen]) -> tuple[int, int]:
    """Requests and bad ones of a group."""
    seen = list(cells)
    return sum(each.requests for each in seen), sum(each.bad for each in seen)


def group_p95(cells: t.Iterable[Seen]) -> float | None:
    """What monitoring shows for a group: the mean of its hosts' p95, by their requests."""
    known = [(each.requests, each.p95) for each in cells if each.p95 is not None]
    return sum(count * p95 for count, p95 in known) / sum(count for count, dummy in known) if known else None
