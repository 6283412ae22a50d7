# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a single figure of a single host may say: beside scipy, and where figures have heavy tails."""

from __future__ import annotations

import math
import random
import statistics

import numpy as np
import pytest
from scipy import stats

from ansible_collections.steady.rollout.plugins.module_utils.judge import compare, levels, values
from ansible_collections.steady.rollout.plugins.module_utils.judge.bounded import BOUND, KEPT, bounded, residuals, scale
from ansible_collections.steady.rollout.plugins.module_utils.judge.comparisons import Given, OfValues
from ansible_collections.steady.rollout.plugins.module_utils.judge.history import History
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval

HOSTS = {"canary": 2, "baseline": 8}


def rows(rng: random.Random, count: int, hosts: int = 8, noise: float = 0.1) -> list[dict[str, float]]:
    return [{f"h{host}": rng.gauss(0, noise) for host in range(hosts)} for dummy in range(count)]


def beside(count: int) -> list[dict[str, float]]:
    return [{"": 0.0} for dummy in range(count)]


def test_the_scale_is_the_median_absolute_deviation() -> None:
    table = rows(random.Random("scale"), 300)
    expected = stats.median_abs_deviation([each for row in table for each in row.values()], scale="normal")
    assert scale(residuals(table, beside(300))) == pytest.approx(expected, rel=0.1)


def test_one_outlier_counts_for_no_more_than_the_bound() -> None:
    table = rows(random.Random("one"), 20)
    spread = scale(residuals(table, beside(20)))
    table[7]["h3"] = 5.0
    found = bounded(table, residuals(table, beside(20)))[7]["h3"]
    assert 0 < found < 3 * BOUND * spread / KEPT


def test_a_step_stays_a_step() -> None:
    rng = random.Random("step")
    table = [
        {host: value + (0.5 if at >= 10 else 0.0) for host, value in row.items()}
        for at, row in enumerate(rows(rng, 20))
    ]
    found = bounded(table, residuals(table, beside(20)))
    assert statistics.fmean(value for row in found[10:] for value in row.values()) == pytest.approx(0.5, abs=0.05)
    assert statistics.fmean(value for row in found[:7] for value in row.values()) == pytest.approx(0.0, abs=0.05)


def test_normal_figures_keep_their_mean_and_nearly_their_efficiency() -> None:
    """Of normal figures Huber's estimate with this bound has 96 % of the mean's efficiency (Huber 1964)."""
    rng = random.Random("normal")
    means, raw = [], []
    for dummy in range(800):
        table = rows(rng, 12, hosts=2)
        means.append(
            statistics.fmean(
                value for row in bounded(table, residuals(table, beside(12)), 0.1) for value in row.values()
            )
        )
        raw.append(statistics.fmean(value for row in table for value in row.values()))
    assert statistics.fmean(means) == pytest.approx(0.0, abs=0.003)
    assert statistics.variance(raw) / statistics.variance(means) == pytest.approx(0.96, abs=0.06)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_nothing_is_cut_of_fewer_than_three_intervals(count: int) -> None:
    table = rows(random.Random("few"), count)
    assert bounded(table, residuals(table, beside(count)), 0.01) == table


def test_figures_without_noise_stay_as_they_are() -> None:
    table = [{"h1": 0.3, "h2": 0.1}] * 10
    assert bounded(table, residuals(table, beside(10))) == table


def thin(rng: random.Random, count: int, requests: int) -> list[Interval]:
    """Two hosts of the canary with *requests* behind each figure, eight with 120."""
    found = []
    for at in range(1, count + 1):
        canary = {f"c{host}": (requests, 100 * rng.lognormvariate(0, 0.2)) for host in range(2)}
        found.append(
            Interval(at * 10.0, canary, {f"b{host}": (120.0, 100 * rng.lognormvariate(0, 0.15)) for host in range(8)})
        )
    return found


def quantiles(rng: np.random.Generator, count: int, hosts: int, requests: int) -> np.ndarray:
    """p95 of pages among which one in fifty is a download."""
    shape = (count, hosts, requests)
    times = np.where(rng.random(shape) < 0.02, 250 * (1 + rng.pareto(1.5, shape)), rng.lognormal(4, 0.5, shape))
    found: np.ndarray = np.sort(times, axis=2)[:, :, math.ceil(0.95 * requests) - 1]
    return found


def test_a_thin_quantile_with_a_heavy_tail_is_no_reason_to_stop() -> None:
    """A canary with 5 % of the traffic: the p95 of 25 requests is that of a download in one interval of eleven."""
    rng = np.random.default_rng(95)
    low = 0
    for dummy in range(150):
        canary, baseline = quantiles(rng, 24, 2, 25), quantiles(rng, 24, 8, 120)
        intervals = [
            Interval(
                at * 10.0,
                {f"c{host}": (25.0, each) for host, each in enumerate(canary[at])},
                {f"b{host}": (120.0, each) for host, each in enumerate(baseline[at])},
            )
            for at in range(24)
        ]
        compared = OfValues(Given(intervals, History(), HOSTS, 0.03, 0.0), reverse=False)
        low += compared.tests(1.1, 0.5)[0].p <= 0.05
    assert low <= 5


def test_outliers_of_each_host_are_no_reason_to_stop() -> None:
    """Two of three figures of one host and one of the other are those of downloads."""
    intervals = thin(random.Random("three"), 3, 120)
    for interval, slow, other in zip(intervals, ("c0", "c1", "c0"), ("c1", "c0", "c1")):
        interval.canary[slow], interval.canary[other] = (120.0, 400.0), (120.0, 100.0)
    compared = OfValues(Given(intervals, History(), HOSTS, 0.03, 0.0), reverse=False)
    assert min(test.p for test in compared.tests(1.1, 0.5)) > 0.001


def test_the_noise_of_other_loads_is_trusted_less() -> None:
    data = values.changes(thin(random.Random("loads"), 10, 25), {}, reverse=False)
    alike = values.changes(thin(random.Random("loads"), 10, 120), {}, reverse=False)
    before = levels.hosts.Within(0.02, 200.0, 0.0)
    found = [values.noise(each, values.differences(each), before).freedom for each in (data, alike)]
    assert found[0] < 40 < 200 < found[1]


def test_a_regression_of_all_hosts_is_seen_at_the_third_interval() -> None:
    rng = random.Random("seen")
    intervals = [
        Interval(each.at, {host: (120.0, 2 * value) for host, (dummy, value) in each.canary.items()}, each.baseline)
        for each in thin(rng, 3, 120)
    ]
    compared = OfValues(Given(intervals, History(), HOSTS, 0.03, 0.0), reverse=False)
    assert min(test.p for test in compared.tests(1.1, 0.5)) < 1e-3
    assert compared.extent(1.1) == compare.SPREAD
