# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From two polls at counters to what happened in between."""

from __future__ import annotations

import math
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.metrics import counting
from ansible_collections.steady.rollout.plugins.module_utils.metrics.counting import Growth, Node

WINDOW = 512


def counters(requests: int = 0, errors: int = 0, **more: t.Any) -> dict[str, t.Any]:
    """As lb_member_info returns them."""
    plain = {"latency": None, "timed": requests, "window": 0, "histogram": []}
    return {"requests": requests, "errors": errors, **plain, **more}


def node(series: str = "1", **members: dict[str, t.Any]) -> Node:
    return Node(series, members)


class HaproxyMean:
    """The mean as HAProxy keeps it: of all until there are 512, then each new one pushes 1/512 of the sum out."""

    def __init__(self) -> None:
        self.sum, self.timed = 0, 0

    def add(self, milliseconds: int) -> None:
        self.timed += 1
        if self.timed > WINDOW:
            self.sum -= (self.sum + WINDOW - 1) // WINDOW
        self.sum += milliseconds

    def counters(self) -> dict[str, t.Any]:
        size = min(self.timed, WINDOW)
        mean = math.ceil(self.sum / size) if size else 0
        return counters(self.timed, latency=float(mean), window=WINDOW)


def test_what_grew_is_summed_over_the_nodes() -> None:
    before = {"lb1": node(a=counters(100, 2), b=counters(50)), "lb2": node(a=counters(10, 1))}
    baselines, interval = counting.advanced({}, before)
    assert (interval.members, interval.first, interval.restarted) == ({}, ("lb1", "lb2"), ())
    after = {"lb1": node(a=counters(130, 5), b=counters(50)), "lb2": node(a=counters(20, 1))}
    baselines, interval = counting.advanced(baselines, after)
    assert interval.members == {"a": Growth(40, 3), "b": Growth(0, 0)}
    assert (interval.first, interval.restarted) == ((), ())


@pytest.mark.parametrize(
    "reloaded",
    [
        node("2", a=counters(500, 2), b=counters(400)),
        node("1", a=counters(99, 2), b=counters(40)),
        node("1", a=counters(150, 1), b=counters(40)),
        node("1", a=counters(150, 2, timed=9), b=counters(40)),
        node("1", a=counters(150, 9), b=counters(39)),
    ],
    ids=["another process", "fewer requests", "fewer errors", "fewer timed", "fewer of another member"],
)
def test_counters_that_were_restarted_give_no_figures_for_that_interval(reloaded: Node) -> None:
    baselines, dummy = counting.advanced({}, {"lb1": node(a=counters(100, 2), b=counters(40))})
    baselines, interval = counting.advanced(baselines, {"lb1": reloaded})
    assert (interval.members, interval.restarted) == ({}, ("lb1",))
    grown = {name: {**one, "requests": one["requests"] + 7} for name, one in reloaded.members.items()}
    baselines, interval = counting.advanced(baselines, {"lb1": Node(reloaded.series, grown)})
    assert interval.members == {"a": Growth(7, 0), "b": Growth(7, 0)}


def test_a_node_that_was_not_seen_stays_as_it_was() -> None:
    baselines, dummy = counting.advanced({}, {"lb1": node(a=counters(100)), "lb2": node(a=counters(10))})
    baselines, interval = counting.advanced(baselines, {"lb1": node(a=counters(110))})
    assert interval.members == {"a": Growth(10, 0)}
    dummy_baselines, interval = counting.advanced(
        baselines, {"lb1": node(a=counters(110)), "lb2": node(a=counters(40))}
    )
    assert interval.members == {"a": Growth(30, 0)}


def test_a_member_that_appears_is_counted_from_its_second_look_on() -> None:
    baselines, dummy = counting.advanced({}, {"lb1": node(a=counters(1))})
    baselines, interval = counting.advanced(baselines, {"lb1": node(a=counters(1), b=counters(1000, 900))})
    assert interval.members == {"a": Growth(0, 0)}
    dummy_baselines, interval = counting.advanced(baselines, {"lb1": node(a=counters(1), b=counters(1010, 901))})
    assert interval.members == {"a": Growth(0, 0), "b": Growth(10, 1)}


def test_the_mean_of_the_latest_requests_is_computed_from_that_of_all() -> None:
    haproxy = HaproxyMean()
    for dummy in range(2000):
        haproxy.add(20)
    baselines, dummy_interval = counting.advanced({}, {"lb1": node(a=haproxy.counters())})
    for dummy in range(300):
        haproxy.add(60)
    assert haproxy.counters()["latency"] < 39
    dummy_baselines, interval = counting.advanced(baselines, {"lb1": node(a=haproxy.counters())})
    growth = interval.members["a"]
    assert growth.timed == 300
    assert growth.latency == pytest.approx(60, rel=0.05)


def test_too_few_requests_are_waited_for_and_then_reported_together() -> None:
    haproxy = HaproxyMean()
    for dummy in range(2000):
        haproxy.add(20)
    baselines, dummy_interval = counting.advanced({}, {"lb1": node(a=haproxy.counters())})
    means = []
    for dummy in range(8):
        for dummy_request in range(40):
            haproxy.add(30)
        baselines, interval = counting.advanced(baselines, {"lb1": node(a=haproxy.counters())})
        means.append((interval.members["a"].timed, interval.members["a"].latency))
    assert [timed for timed, dummy in means][:6] == [0, 80, 0, 0, 120, 0]
    assert all(
        latency == pytest.approx(30, rel=counting.LARGEST_ERROR) for dummy, latency in means if latency is not None
    )


@given(
    st.lists(st.integers(1, 400), max_size=1200),
    st.lists(st.integers(1, 400), min_size=1, max_size=900),
)
def test_a_reported_mean_is_as_near_as_documented(before: list[int], after: list[int]) -> None:
    haproxy = HaproxyMean()
    for milliseconds in before:
        haproxy.add(milliseconds)
    old = haproxy.counters()
    for milliseconds in after:
        haproxy.add(milliseconds)
    found = counting.mean_since(old, haproxy.counters())
    if found is None:
        return
    mean, count = found
    assert count == len(after)
    assert mean >= 0
    # Within the window the newest weigh most; the plain mean of a list in any order may differ by what drifts in it.
    weights = [
        (1 - 1 / WINDOW) ** max(0, min(len(after) - 1 - place, haproxy.timed - WINDOW)) for place in range(len(after))
    ]
    weighed = sum(weight * one for weight, one in zip(weights, after)) / sum(weights)
    assert (
        abs(mean - weighed) <= max(2 * counting.SMALLEST_ERROR_MS, 2 * counting.LARGEST_ERROR * max(mean, weighed)) + 2
    )


def test_no_mean_without_new_requests_or_without_times() -> None:
    one = counters(10, latency=5.0, window=WINDOW)
    assert counting.mean_since(one, one) is None
    assert counting.mean_since(counters(10), counters(20)) is None


def test_means_of_several_nodes_count_by_their_requests() -> None:
    growth = Growth(10, 1, 20.0, 10)
    growth.add(Growth(30, 0, 40.0, 30))
    assert growth == Growth(40, 1, 35.0, 40)
    growth.add(Growth(5, 0))
    assert (growth.requests, growth.latency, growth.timed) == (45, 35.0, 40)


def histogram(*bins: tuple[float, float, int]) -> dict[str, t.Any]:
    return counters(sum(count for dummy, dummy_width, count in bins), histogram=[list(one) for one in bins])


def test_a_histogram_gives_the_latencies_since() -> None:
    baselines, dummy = counting.advanced({}, {"lb1": node(a=histogram((1.0, 0.1, 500)))})
    now = histogram((1.0, 0.1, 500), (20.0, 1.0, 90), (100.0, 10.0, 10))
    dummy_baselines, interval = counting.advanced(baselines, {"lb1": node(a=now)})
    bins = interval.members["a"].bins
    assert bins == {20.0: (1.0, 90), 100.0: (10.0, 10)}
    assert counting.quantile(bins, 0.5) == pytest.approx(20.556, abs=0.001)
    assert counting.quantile(bins, 0.95) == pytest.approx(105.0)
    assert counting.quantile(bins, 1.0) == pytest.approx(110.0)


def test_a_few_requests_make_no_histogram_until_there_are_more() -> None:
    baselines, dummy = counting.advanced({}, {"lb1": node(a=histogram())})
    baselines, interval = counting.advanced(baselines, {"lb1": node(a=histogram((5.0, 1.0, 12)))})
    assert interval.members["a"].bins == {}
    dummy_baselines, interval = counting.advanced(baselines, {"lb1": node(a=histogram((5.0, 1.0, 20)))})
    assert interval.members["a"].bins == {5.0: (1.0, 20)}


def test_histograms_of_several_nodes_are_added_up() -> None:
    growth = Growth(bins={1.0: (0.1, 5)})
    growth.add(Growth(bins={1.0: (0.1, 3), 2.0: (0.1, 1)}))
    assert growth.bins == {1.0: (0.1, 8), 2.0: (0.1, 1)}


@given(st.dictionaries(st.integers(0, 50), st.integers(1, 100), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_grow_and_stay_within_the_bins(counts: dict[int, int], one: float, other: float) -> None:
    bins = {float(lower): (1.0, count) for lower, count in counts.items()}
    low, high = sorted((counting.quantile(bins, one), counting.quantile(bins, other)))
    assert (one <= other) == (counting.quantile(bins, one) <= counting.quantile(bins, other)) or low == high
    assert min(counts) <= low <= high <= max(counts) + 1


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans()), max_size=30))
def test_no_interval_ever_shrinks(steps: list[tuple[int, int, bool]]) -> None:
    baselines: counting.Baselines = {}
    requests = errors = 0
    series = 0
    for more, bad, is_reloaded in steps:
        if is_reloaded:
            requests = errors = 0
            series += 1
        requests, errors = requests + more + bad, errors + bad
        # A reload may stay unseen where the same name counts on: then only a falling counter shows it.
        baselines, interval = counting.advanced(baselines, {"lb1": node(str(series % 2), a=counters(requests, errors))})
        growth = interval.members.get("a", Growth())
        assert growth.requests >= 0
        assert growth.errors >= 0
