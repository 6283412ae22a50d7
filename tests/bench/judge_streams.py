# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of requests for the judge's benchmark, written apart from those of the unit tests (tests/support/canaries.py).

What differs from them, on purpose:

- *Load*: a sine of 30 % over an hour from a random phase (diurnal load, compressed), and bursts: every 90 s on average the
  traffic of the whole fleet doubles for 10 to 30 s. Hosts get unequal parts of it (10 %, one standard deviation).
- *Errors*: incidents, most of one request; one in twenty is a client that tries again, 1 + geometric (mean 1) requests in the
  same interval on the same host (variance over mean 1.2; in the scenario of clumps one in ten, mean 3: 2.8). The error rate
  of the whole fleet drifts by 20 % over two minutes.
- *Latency*: 98 % of the requests are log-normal (median 60 ms, sigma 0.5), 2 % are downloads with a Pareto tail (from 250 ms,
  exponent 1.5). A host's p95 in an interval is drawn as the order statistic of its requests (David and Nagaraja 2003, 2.1)
  from that mixture. It wanders by 3 % over a minute, jitters by 5 %, and drifts by 20 % with the fleet.
- *Unlike hosts*: every host has an error rate and a latency of its own (10 %, or 20 % where the scenario says so), which it
  had before the release too: PAST intervals before the split show it.
- *Orders*: 2 % of the requests order something.

A scenario says what the new version does; nothing of all this is known to any judge.
"""

from __future__ import annotations

import dataclasses
import typing as t

import numpy as np
from scipy import signal, stats

INTERVAL = 10.0
PAST = 30
"""Intervals before the split."""
ERROR_SHARE = 0.003
ORDER_SHARE = 0.02
RETRIES, CLUMPS = (0.05, 1.0), (0.1, 3.0)
"""Which part of the incidents is tried again, and how many times on average."""
QUANTILE = 0.95
MEDIAN_MS, SIGMA = 60.0, 0.5
DOWNLOADS, DOWNLOAD_MS, PARETO = 0.02, 250.0, 1.5


@dataclasses.dataclass(frozen=True)
class Fleet:
    """Who serves. *share* is the canary's part of the traffic."""

    rate: float = 100.0
    share: float = 0.2
    canary: int = 2
    hosts: int = 10

    @property
    def name(self) -> str:
        return f"{self.rate:g}/s, share {self.share:.0%}, {self.canary} of {self.hosts} hosts"

    @property
    def numbers(self) -> tuple[int, ...]:
        """For the seed."""
        return round(self.rate), round(100 * self.share), self.canary


@dataclasses.dataclass(frozen=True)
class Scenario:
    """What the new version does. Factors are of the canary's hosts, from the first request on."""

    name: str
    is_bad: bool
    errors: float = 1.0
    latency: float = 1.0
    orders: float = 1.0
    host_noise: float = 0.1
    base_errors: float = ERROR_SHARE
    warm_up: float = 0.0
    """How many times slower the first second is, above 1; it decays with a time constant of 20 s."""
    leak: float = 0.0
    """How much is added to the latency in 20 minutes, linearly."""
    clumps: bool = False
    burst: int = 0
    """How many errors one client makes within a second, on one host of the canary."""
    window: float = 300.0
    metrics: t.Tuple[str, ...] = ("errors", "p95")
    gates: t.Tuple[float, ...] = ()
    """The canary's shares, one for each gate of a rollout of several; empty: one gate with the fleet's share."""

    @property
    def slot(self) -> int:
        """Intervals that one gate may take: its window, and as long again where it waits."""
        return round(2 * self.window / INTERVAL)


class Stream(t.NamedTuple):
    """Arrays by interval and host; the canary's hosts come first. *past* is the same before the split."""

    requests: t.Any
    bad: t.Any
    p95: t.Any
    orders: t.Any
    past: t.Any


def _quantile_table() -> t.Tuple[t.Any, t.Any]:
    """The mixture's distribution function in logarithms, to be read backwards."""
    logs = np.linspace(np.log(2.0), np.log(1e6), 4000)
    body = stats.norm.cdf((logs - np.log(MEDIAN_MS)) / SIGMA)
    tail = np.where(logs > np.log(DOWNLOAD_MS), 1 - np.exp(-PARETO * (logs - np.log(DOWNLOAD_MS))), 0.0)
    return (1 - DOWNLOADS) * body + DOWNLOADS * tail, logs


CDF, LOGS = _quantile_table()


def stream(scenario: Scenario, fleet: Fleet, seed: t.Sequence[int], looks: int) -> Stream:
    rng = np.random.default_rng(seed)
    count = PAST + looks
    load = _load(rng, count)
    parts = _parts(rng, fleet, count, scenario)
    requests = rng.poisson(fleet.rate * INTERVAL * load[:, None] * parts)
    canary = np.zeros((count, fleet.hosts))
    canary[PAST:, : fleet.canary] = 1.0
    after = np.maximum(0.0, (np.arange(count) - PAST + 0.5) * INTERVAL)[:, None]

    own = rng.normal(0, scenario.host_noise, (3, fleet.hosts))
    fleet_errors, fleet_latency = _wander(rng, count, 1, 0.2, 120.0), _wander(rng, count, 1, 0.2, 120.0)
    chance = scenario.base_errors * np.exp(own[0] + fleet_errors) * np.where(canary > 0, scenario.errors, 1.0)
    bad = np.minimum(requests, _incidents(rng, requests * chance, *(CLUMPS if scenario.clumps else RETRIES)))
    if scenario.burst:
        at = PAST + rng.integers(1, max(2, min(looks, 28)))
        bad[at, 0] += scenario.burst
        requests[at, 0] = max(requests[at, 0], bad[at, 0])

    change = np.log(scenario.latency) + np.log1p(scenario.warm_up * np.exp(-after / 20.0))
    change = change + np.log1p(scenario.leak * after / 1200.0)
    shift = own[1] + fleet_latency + _wander(rng, count, fleet.hosts, 0.03, 60.0) + canary * change
    shift = shift + rng.normal(0, 0.05, shift.shape)
    p95 = np.where(requests > 0, np.exp(shift + _order_statistic(rng, requests)), np.nan)

    orders = rng.binomial(requests, np.minimum(1.0, ORDER_SHARE * np.where(canary > 0, scenario.orders, 1.0)))
    past = Stream(requests[:PAST], bad[:PAST], p95[:PAST], orders[:PAST], None)
    return Stream(requests[PAST:], bad[PAST:], p95[PAST:], orders[PAST:], past)


def _load(rng: t.Any, count: int) -> t.Any:
    at = np.arange(count) * INTERVAL
    load = 1 + 0.3 * np.sin(2 * np.pi * (at / 3600.0 + rng.random()))
    begins = rng.random(count) < INTERVAL / 90.0
    for begin in np.flatnonzero(begins):
        load[begin : begin + rng.integers(1, 4)] *= 2.0
    return load


def _parts(rng: t.Any, fleet: Fleet, count: int, scenario: Scenario) -> t.Any:
    """Which part of the requests every host gets; before the split the hosts share them alike."""
    weights = np.exp(rng.normal(0, 0.1, fleet.hosts))
    found = [np.tile(weights / weights.sum(), (PAST, 1))]
    left = count - PAST
    for number, share in enumerate(scenario.gates or (fleet.share,), start=1):
        after = weights.copy()
        after[: fleet.canary] *= share / after[: fleet.canary].sum()
        after[fleet.canary :] *= (1 - share) / after[fleet.canary :].sum()
        length = left if number >= len(scenario.gates) else min(left, scenario.slot)
        found.append(np.tile(after, (length, 1)))
        left -= length
    return np.concatenate(found)


def _wander(rng: t.Any, count: int, width: int, deviation: float, time: float) -> t.Any:
    keeps = np.exp(-INTERVAL / time)
    steps = deviation * rng.normal(0, 1, (count + 1, width))
    steps[1:] *= np.sqrt(1 - keeps**2)
    return signal.lfilter([1.0], [1.0, -keeps], steps, axis=0)[1:]


def _incidents(rng: t.Any, mean: t.Any, part: float, more: float) -> t.Any:
    """Bad requests of that mean; *part* of the incidents are clients that make *more* of them, on average."""
    incidents = rng.poisson(mean / (1 + part * more))
    stubborn = rng.binomial(incidents, part)
    return incidents + np.where(stubborn > 0, rng.negative_binomial(np.maximum(stubborn, 1), 1 / (1 + more)), 0)


def _order_statistic(rng: t.Any, requests: t.Any) -> t.Any:
    size = np.maximum(requests, 1)
    rank = np.ceil(QUANTILE * size)
    return np.interp(rng.beta(rank, size + 1 - rank), CDF, LOGS)
