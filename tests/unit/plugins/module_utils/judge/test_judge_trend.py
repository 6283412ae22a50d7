# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What grows slowly: where its line begins, what a warm-up does to it, and on how many hosts it is."""

from __future__ import annotations

import functools
import math
import random
import typing as t

import numpy as np
import pytest

from ansible_collections.steady.rollout.plugins.module_utils.judge import hosts, spec, values
from ansible_collections.steady.rollout.plugins.module_utils.judge.comparisons import ONE_HOST, SPREAD, Given, OfValues
from ansible_collections.steady.rollout.plugins.module_utils.judge.decide import decide
from ansible_collections.steady.rollout.plugins.module_utils.judge.history import History
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import (
    BASELINE,
    CANARY,
    Evidence,
    Progress,
    Sample,
    Verdict,
)
from ansible_collections.steady.rollout.plugins.module_utils.judge.numbers import normal_quantile
from ansible_collections.steady.rollout.plugins.module_utils.judge.spending import Budget, level

LOOKS = 36
HOSTS = ("c1", "c2", "b1", "b2", "b3", "b4")
Change = t.Callable[[float, str], float]


def measured(change: Change, seed: str = "trend", noise: float = 0.1) -> list[Sample]:
    """A look every 10 s for six minutes; *change* is the logarithm of what the canary's hosts take longer, by time and host."""
    rng = random.Random(seed)
    found = []
    for look in range(1, LOOKS + 1):
        for host in HOSTS:
            group = CANARY if host.startswith("c") else BASELINE
            worse = change(10.0 * look, host) if group == CANARY else 0.0
            found.append(Sample(10.0 * look, group, host, 100, 50 * math.exp(worse + rng.gauss(0, noise))))
    return found


def judged(samples: t.Sequence[Sample], **words: t.Any) -> Verdict:
    past = [Sample(each.at - 1000, BASELINE, each.host, 100, each.value) for each in measured(nothing, "past")]
    metrics = spec.parse_metrics([{"name": "m", "unit": "ms", "judge": True, **words}])
    progress = Progress(0.0, 360.0, 360.0, final=True)
    return decide(metrics, Evidence({"m": samples}, past={"m": past}), progress, spec.parse_policy(None))


def p_value(found: Verdict) -> float:
    return float(found.metrics[0].figures["p_value"])


def nothing(at: float, host: str) -> float:
    return 0.0


def leak(at: float, host: str) -> float:
    return 0.15 * at / 360


def cold(at: float, host: str) -> float:
    """Four times as slow at first, which decays within a minute."""
    return math.log1p(3 * math.exp(-at / 20))


def test_the_first_minute_says_where_a_line_begins() -> None:
    found = {
        delay: sum(math.log(p_value(judged(measured(leak, seed), delay=delay))) for seed in "abcdefghij")
        for delay in (None, "60s")
    }
    assert found[None] < found["60s"] - 1


def test_a_delay_that_was_asked_for_is_left_out_of_a_line_too() -> None:
    samples = measured(leak)
    other = [
        Sample(each.at, each.group, each.host, each.count, 900.0 if each.at <= 60 else each.value) for each in samples
    ]
    assert judged(samples, delay="60s").metrics[0].figures == judged(other, delay="60s").metrics[0].figures


@pytest.mark.parametrize("seed", ["a", "b", "c"])
def test_what_starts_cold_does_not_grow(seed: str) -> None:
    found = judged(measured(cold, seed))
    assert found.verdict == "pass"
    assert p_value(found) > 0.2


@pytest.mark.parametrize("seed", ["a", "b", "c"])
def test_what_starts_cold_and_leaks_is_found_all_the_same(seed: str) -> None:
    assert judged(measured(lambda at, host: cold(at, host) + 4 * leak(at, host), seed)).verdict == "fail"


def compared(change: Change) -> OfValues:
    cells: dict[float, Interval] = {}
    for each in measured(change, noise=0.02):
        interval = cells.setdefault(each.at, Interval(each.at, {}, {}))
        (interval.canary if each.group == CANARY else interval.baseline)[each.host] = (each.count, each.value)
    return OfValues(Given(list(cells.values()), History(), {CANARY: 2, BASELINE: 4}, 0.01, 0.0), reverse=False)


def test_a_leak_of_all_hosts_was_held_to_be_that_of_one() -> None:
    """The mean of a host that was a little faster before is below half of the tolerance until its end."""
    found = compared(lambda at, host: 0.2 * at / 360 - (0.06 if host == "c2" else 0.0))
    assert found.extent(1.1) == SPREAD


def test_a_leak_of_one_host_is_that_of_one() -> None:
    found = compared(lambda at, host: 0.5 * at / 360 if host == "c1" else 0.0)
    assert found.extent(1.1) == ONE_HOST


def test_a_leak_whose_latest_figures_scatter_was_held_to_have_passed() -> None:
    """Two of three latest differences are below what is tolerated, and yet their mean is above it."""

    def scattered(at: float, host: str) -> float:
        return 0.2 * at / 360 + (0.2 if at % 30 == 0 else -0.1)

    assert compared(scattered).extent(1.1) == SPREAD


def test_how_much_each_host_changed() -> None:
    data = [values.Change(at, {"c1": 0.02 * at, "c2": 0.3}, {"b1": 0.1, "b2": -0.1}, 0, 0) for at in (2.0, 4.0, 8.0)]
    assert values.by_host(data, None) == {"c1": pytest.approx(0.28 / 3), "c2": pytest.approx(0.3)}
    assert values.by_host(data, 0.0)["c1"] == pytest.approx(0.16)


def test_what_hosts_drift_by_themselves_is_no_growth() -> None:
    data = [values.Change(at, {"c1": 0.01 * at}, {"b1": 0.0}, 0, 0) for at in (1.0, 2.0, 3.0, 4.0, 5.0)]
    found = [each.difference for each in data]
    errors = [
        values.trend(data, found, 0.0, values.Noise(1e-4, 30, 1.0), hosts.Between(0.0, 8.0, 0.0, drift)).error
        for drift in (0.0, 0.01)
    ]
    assert errors[1] == pytest.approx(math.hypot(errors[0], 0.1))


@pytest.mark.parametrize(
    ("between", "least", "most"),
    [
        (hosts.Between(0.0, 8.0, 0.0, 0.0), 0.95, 1.3),
        (hosts.Between(0.00056, 8.0, 0.0005, 0.00056), 0.9, 1.1),
        (hosts.Between(0.00625, 8.0, 0.0, 0.00056), 0.9, 1.1),
    ],
    ids=["alike", "usual", "unlike"],
)
def test_mean_and_trend_together_spend_the_chance(between: hosts.Between, least: float, most: float) -> None:
    """Polls of good releases that scatter just as is assumed; only where hosts do not differ at all is it some more."""
    chance, looks, warming, streams = 0.00375, 36, 6, 100_000
    noise = values.Noise(0.015, 500, 1.0)
    rng = np.random.default_rng(7)
    line = np.arange(1, looks + 1) / looks
    lasting = max(0.0, between.variance - between.drift * line.mean() ** 2) + between.known
    found = math.sqrt(noise.variance) * rng.standard_normal((streams, looks))
    found += math.sqrt(lasting) * rng.standard_normal((streams, 1))
    found += math.sqrt(between.drift) * rng.standard_normal((streams, 1)) * line
    data = [values.Change(10.0 * at, {"c": 0.0}, {"b": 0.0}, 0, 0) for at in range(1, looks + 1)]
    fractions = [(at - warming) / (looks - warming) for at in range(warming + 1, looks + 1)]
    stopped = np.zeros(streams, bool)
    for number, at in enumerate(range(warming + 1, looks + 1), start=1):
        for part, late, first, estimate in (
            (OfValues.OF_MEAN, OfValues.LATE, warming, values.mean),
            (OfValues.OF_TREND, OfValues.LATE_OF_TREND, 0, functools.partial(values.trend, began=0.0)),
        ):
            some, ones = data[first:at], np.eye(at - first)
            weights = [estimate(some, found=list(one), chance=noise, between=between).figure for one in ones]
            error = estimate(some, found=list(ones[0]), chance=noise, between=between).error
            needed = normal_quantile(max(1e-15, level(Budget(chance * part, late, 1.0), fractions[:number])))
            stopped |= found[:, first:at] @ np.array(weights) > needed * error
    assert least <= stopped.mean() / chance <= most
