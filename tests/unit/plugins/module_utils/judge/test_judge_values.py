# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values compared: the change of hosts against their own past, beside scipy and in simulation."""

from __future__ import annotations

import math
import random
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ansible_collections.steady.rollout.plugins.module_utils.judge import hosts, levels, paired, values
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval
from ansible_collections.steady.rollout.plugins.module_utils.judge.numbers import student_tail
from ansible_collections.steady.rollout.plugins.module_utils.judge.values import Estimate, Noise

NO_HOSTS = hosts.Between(0.0, 1.0, 0.0)
UNKNOWN = hosts.Within(0.0, 0.0, 0.0)


def fleet(
    rng: random.Random, own: dict[str, float], looks: int, worse: float = 1.0, noise: float = 0.1, canary: int = 2
) -> list[Interval]:
    """Hosts with levels of their own, a fleet that drifts, the first *canary* of them slower by a factor."""
    intervals = []
    for at in range(1, looks + 1):
        level = 100 * math.exp(0.3 * math.sin(at / 5))
        cells = {
            host: (50.0, level * factor * math.exp(rng.gauss(0, noise)) * (worse if place < canary else 1.0))
            for place, (host, factor) in enumerate(own.items())
        }
        names = list(cells)
        intervals.append(
            Interval(
                at * 10.0,
                {host: cells[host] for host in names[:canary]},
                {host: cells[host] for host in names[canary:]},
            )
        )
    return intervals


@pytest.mark.parametrize(("figure", "freedom"), [(0.0, 3.0), (2.1, 1.0), (-1.3, 4.5), (3.7, 12.2), (40.0, 200.0)])
def test_students_distribution_beside_scipy(figure: float, freedom: float) -> None:
    assert student_tail(figure, freedom) == pytest.approx(stats.t.sf(figure, freedom), rel=1e-9)


def test_the_mean_without_hosts_is_the_t_test() -> None:
    found = [0.2, 0.05, -0.1, 0.3, 0.15, 0.12, 0.02]
    data = [values.Change(at, {"": each}, {"": 0.0}, 0, 0) for at, each in enumerate(found)]
    noise = values.noise(data, found, UNKNOWN)
    assert noise.temper == 1.0
    assert values.mean(data, found, noise, NO_HOSTS).p_value() == pytest.approx(
        stats.ttest_1samp(found, 0, alternative="greater").pvalue
    )


def test_the_noise_within_hosts_beside_a_two_way_analysis_of_variance() -> None:
    rng = random.Random("anova")
    rows = [{f"h{host}": rng.gauss(host, 0.3) + at for host in range(5)} for at in range(40)]
    table = [[row[f"h{host}"] for row in rows] for host in range(5)]
    grand = statistics.fmean(statistics.fmean(each) for each in table)
    residuals = [
        table[host][at] - statistics.fmean(table[host]) - statistics.fmean(rows[at].values()) + grand
        for host in range(5)
        for at in range(40)
    ]
    found = hosts.within(rows)
    assert found.freedom == pytest.approx(4 * 39)
    assert found.variance == pytest.approx(sum(each**2 for each in residuals) / (4 * 39))
    assert found.correlation == 0.0


def test_neighbours_that_are_alike_count_less() -> None:
    rng = random.Random("alike")
    state = dict.fromkeys("abcd", 0.0)
    rows = []
    for dummy in range(200):
        state = {host: 0.8 * each + rng.gauss(0, 0.1) for host, each in state.items()}
        rows.append(dict(state))
    assert 0.6 < hosts.within(rows).correlation < 0.85


def test_a_hosts_own_level_is_taken_off() -> None:
    rng = random.Random("levels")
    own = {"c1": 1.5, "c2": 1.4, "b1": 1.0, "b2": 0.8, "b3": 1.1, "b4": 0.9}
    known, before = levels.estimated(fleet(rng, own, 40))
    mean = statistics.fmean(math.log(each) for each in own.values())
    for host, factor in own.items():
        assert known[host].mean == pytest.approx(math.log(factor) - mean, abs=0.06)
        assert known[host].variance == pytest.approx(0.01 / 40, rel=0.3)
    assert before.variance == pytest.approx(0.01, rel=0.25)
    found = values.differences(values.changes(fleet(rng, own, 20, worse=1.2), known, reverse=False))
    assert statistics.fmean(found) == pytest.approx(math.log(1.2), abs=0.05)


def test_a_host_seen_too_seldom_has_no_level() -> None:
    past = [Interval(at, {}, {"a": (1, 1.0), "b": (1, 2.0)}) for at in range(2)]
    assert levels.estimated(past)[0] == {}
    assert levels.estimated([])[0] == {}


def test_a_line_from_nothing() -> None:
    data = [values.Change(at * 10.0, {"": 0.01 * at}, {"": 0.0}, 0, 0) for at in range(1, 21)]
    found = [each.difference for each in data]
    assert values.trend(data, found, 0.0, Noise(0.01, 10, 1.0), NO_HOSTS).figure == pytest.approx(0.2)
    slope = stats.linregress([0.0] * 20 + [each.at for each in data], [0.0] * 20 + found).slope
    assert values.trend(data, found, 0.0, Noise(0.01, 10, 1.0), NO_HOSTS).figure / 200 == pytest.approx(slope, rel=0.2)


def test_outliers_are_cut_off() -> None:
    data = [values.Change(at, {"": 5.0 if at == 3 else 0.1 * (at % 3)}, {"": 0.0}, 0, 0) for at in range(20)]
    assert max(values.differences(data)) < 1


def test_an_estimate_without_any_noise() -> None:
    assert Estimate(0.5, 0.0, 1.0).p_value() == 0.0
    assert Estimate(0.0, 0.0, 1.0).p_value() == 1.0


def test_good_hosts_are_rarely_unlikely() -> None:
    """Four hosts of ten with levels of their own: a p-value below 5 % in about 5 % of the fleets."""
    rng = random.Random("good")
    low = 0
    for dummy in range(300):
        own = {f"h{host}": math.exp(rng.gauss(0, 0.2)) for host in range(10)}
        known, before = levels.estimated(fleet(rng, own, 20))
        data = values.without_outliers(values.changes(fleet(rng, own, 15), known, reverse=False))
        found = values.differences(data)
        variance = statistics.fmean(each.variance for each in known.values()) * (1 / 2 + 1 / 8)
        estimate = values.mean(data, found, values.noise(data, found, before), hosts.Between(0.0, 1.0, variance))
        low += estimate.p_value() <= 0.05
    assert 0.02 <= low / 300 <= 0.08


figures = st.lists(st.floats(0, 10), min_size=3, max_size=12)


def test_orders_beside_scipys_paired_test() -> None:
    one, other = [2.0, 0.0, 1.5, 3.0, 2.2], [2.5, 1.0, 2.0, 2.0, 3.1]
    expected = stats.ttest_rel(one, [0.8 * each for each in other], alternative="greater").pvalue
    assert paired.p_value(list(zip(one, other)), 0.8) == pytest.approx(expected)
    assert paired.ratio([(0.0, 0.0)]) is None
    assert paired.ratio([(1.0, 0.0)]) == math.inf
    assert paired.p_value([(1.0, 0.5)] * 2, 1.0) == 1.0


def test_a_busy_interval_counts_by_its_requests() -> None:
    """With the same visits in every interval as a rate alone; with other ones it is the sums that are compared."""
    rows = [(2.0, 10, 2.5, 40), (0.5, 20, 1.0, 80), (1.5, 10, 2.0, 40), (3.0, 30, 2.0, 120)]
    known = [Interval(at, {"": (few, one)}, {"": (many, other)}) for at, (one, few, other, many) in enumerate(rows)]
    unknown = [Interval(at, {"": (0, one)}, {"": (0, other)}) for at, (one, dummy, other, dummy_2) in enumerate(rows)]
    pairs = paired.pairs(known, False)
    assert paired.ratio(pairs) == pytest.approx((20 + 10 + 15 + 90) / (100 + 80 + 80 + 240) * 4)
    assert paired.pairs(unknown, False) == [(one, other) for one, dummy, other, dummy_2 in rows]
    assert paired.pairs([*known, unknown[0]], False)[:4] == paired.pairs(unknown, False)
    weighted = [(8 * each, 8 * beside) for (each, beside) in ((2.0, 2.5), (1.0, 2.0), (1.5, 2.0), (9.0, 6.0))]
    assert paired.p_value(pairs, 0.9) == pytest.approx(paired.p_value(weighted, 0.9))


@settings(max_examples=40)
@given(figures, st.floats(0.1, 2), st.floats(1.01, 3))
def test_the_more_is_allowed_the_likelier(found: list[float], allowed: float, times: float) -> None:
    """On average over the intervals; the noise of a pair grows with what is allowed too."""
    pairs = [(each, 1.0) for each in found]
    assert paired.p_value(pairs, allowed * times) >= paired.p_value(pairs, allowed) - 1e-9


def test_a_rate_over_minutes_says_the_same_many_times() -> None:
    """Of good releases whose rates are over thirty intervals, a t-test that takes them for independent stops a third.

    The judge stops a few, and none whose ratio is not beyond the bound too.
    """
    rng = random.Random("minutes")
    stopped = naive = 0
    for dummy in range(60):
        single = [rng.gauss(1.0, 0.5) for dummy_interval in range(119)]
        rolled = [statistics.fmean(single[at : at + 30]) for at in range(90)]
        stopped += paired.p_value([(each, 1.0) for each in rolled], 1.0) <= 0.01
        naive += stats.ttest_1samp(rolled, 1.0, alternative="greater").pvalue <= 0.01
    assert stopped <= 4
    assert naive >= 15


def test_alternating_figures_repeat_nothing() -> None:
    assert paired.repetition([1.0, -1.0] * 20) == 1.0


@pytest.mark.parametrize("busy", [1.0, 4.0])
@pytest.mark.parametrize("drift", [0.0, 0.002])
@pytest.mark.parametrize("temper", [1.0, 0.6])
@pytest.mark.parametrize("spread", [0.0, 0.001, 0.1])
def test_growth_is_the_estimate_of_generalised_least_squares(
    temper: float, spread: float, drift: float, busy: float
) -> None:
    """Every third interval has *busy* times the requests; what hosts drift is part of what they differ by."""
    rng = random.Random("gls")
    counts = [busy if at % 3 == 0 else 1.0 for at in range(1, 21)]
    data = [
        values.Change(10.0 * at, {"a": rng.gauss(0, 0.1)}, {"b": 0.0}, count, 5 * count)
        for at, count in enumerate(counts, start=1)
    ]
    found = [each.difference for each in data]
    chance, between = Noise(0.01, 30, temper), hosts.Between(spread, 8.0, spread / 2, drift)
    shape = np.array([each.at / 200.0 for each in data])
    rarer = 1 / np.array(counts)
    of_interval = 0.01 / temper * (0.5 + 0.5 * rarer / rarer.mean())
    covariance = np.diag(of_interval) + max(0.0, spread - drift * shape.mean() ** 2) + spread / 2
    inverse = np.linalg.inv(covariance)
    precision = shape @ inverse @ shape
    estimate = values.trend(data, found, 0.0, chance, between)
    assert estimate.figure == pytest.approx(shape @ inverse @ np.array(found) / precision)
    assert estimate.error**2 == pytest.approx(1 / precision + drift)


def test_a_quiet_interval_of_latencies_counts_less() -> None:
    """A sixteenth of the requests: more than half of the weight, as not all of the noise is that of few requests."""
    data = [values.Change(at, {"a": 0.1}, {"b": 0.0}, count, count) for at, count in ((1.0, 160.0), (2.0, 10.0))]
    unknown = [each._replace(canary_count=0.0) for each in data]
    chance = Noise(0.01, 30, 1.0)
    assert values.mean(data, [0.0, 1.0], chance, NO_HOSTS).figure == pytest.approx(19 / 68)
    assert values.mean(unknown, [0.0, 1.0], chance, NO_HOSTS).figure == pytest.approx(0.5)


def test_hosts_that_differ_for_good_are_no_growth() -> None:
    data = [values.Change(10.0 * at, {"a": 0.2}, {"b": 0.0}, 1.0, 1.0) for at in range(1, 41)]
    found = [each.difference for each in data]
    apart = values.trend(data, found, 0.0, Noise(0.0001, 30, 1.0), hosts.Between(0.1, 8.0, 0.0))
    alike = values.trend(data, found, 0.0, Noise(0.0001, 30, 1.0), NO_HOSTS)
    assert abs(apart.figure) < 0.01
    assert alike.figure == pytest.approx(0.3, abs=0.01)


def test_a_larger_share_of_the_traffic_is_no_growth_of_latency() -> None:
    """Earlier gates with another share made a good release look as if it leaked."""
    few, many = ((2.0, 20.0), (20.0, 20.0))
    earlier = [values.Change(at, {"a": 0.0}, {"b": 0.0}, *few) for at in (10.0, 20.0)]
    here = [values.Change(at, {"a": 0.2}, {"b": 0.0}, *many) for at in (30.0, 40.0)]
    unknown = [values.Change(at, {"a": 0.0}, {"b": 0.0}, 0.0, 0.0) for at in (10.0, 20.0)]
    assert values.as_loaded(earlier, here) == []
    assert values.as_loaded(here, here) == here
    assert values.as_loaded(earlier, []) == []
    assert values.as_loaded(unknown, unknown) == []
