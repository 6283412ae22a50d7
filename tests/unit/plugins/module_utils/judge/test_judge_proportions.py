# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares compared, beside scipy."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from ansible_collections.steady.rollout.plugins.module_utils.judge import proportions
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval
from ansible_collections.steady.rollout.plugins.module_utils.judge.proportions import Split

counts = st.integers(0, 400)
requests = st.integers(400, 5000)
splits = st.builds(Split, requests, counts, requests, counts)


@given(st.lists(splits, min_size=1, max_size=6), st.floats(1, 3), st.floats(1.01, 2))
def test_the_more_is_allowed_the_likelier_is_what_was_seen(data: list[Split], allowed: float, times: float) -> None:
    assert proportions.p_value(data, allowed * times) >= proportions.p_value(data, allowed) - 1e-9


@given(st.lists(splits, min_size=1, max_size=6), st.integers(1, 50))
def test_one_more_bad_one_is_more_evidence(data: list[Split], more: int) -> None:
    first = data[0]
    worse = [first._replace(worse_bad=first.worse_bad + more, worse_requests=first.worse_requests), *data[1:]]
    assert proportions.p_value(worse, 1.2) <= proportions.p_value(data, 1.2) + 1e-9


@given(st.lists(splits, min_size=1, max_size=6))
def test_the_groups_exchanged_are_the_inverse_ratio(data: list[Split]) -> None:
    ratio = proportions.ratio(data)
    exchanged = proportions.ratio([Split(*split[2:], *split[:2]) for split in data])
    if ratio is None or not ratio or math.isinf(ratio):
        assert exchanged in (None, 0, math.inf)
    else:
        assert exchanged == pytest.approx(1 / ratio)


def test_a_drifting_share_does_not_pass_for_a_difference() -> None:
    """Simpson's paradox: equal in every interval, but the suspected group had its requests when errors were many."""
    data = [Split(1000, 100, 100, 10), Split(100, 1, 1000, 10)]
    assert proportions.ratio(data) == pytest.approx(1.0)
    assert proportions.p_value(data, 1.0) > 0.4


@pytest.mark.parametrize(
    ("bad", "other", "part", "allowed"), [(9, 12, 0.2, 1.0), (30, 60, 0.25, 1.5), (3, 0, 0.5, 1.0)]
)
def test_the_mid_p_value_beside_scipys_binomial(bad: int, other: int, part: float, allowed: float) -> None:
    chance = part * allowed / (1 - part + part * allowed)
    whole = stats.binom(bad + other, chance)
    found = proportions.p_value([Split(1000 * part, bad, 1000 * (1 - part), other)], allowed)
    assert found == pytest.approx(whole.sf(bad) + whole.pmf(bad) / 2)


def test_hosts_that_differ_make_it_likelier() -> None:
    """The mean over what ratio the hosts alone bring about, beside scipy's integral."""
    data = [Split(500, 20, 1500, 30)]
    integral, dummy = integrate.quad(lambda z: proportions.p_value(data, math.exp(0.3 * z)) * stats.norm.pdf(z), -6, 6)
    assert proportions.p_value(data, 1.0, variance=0.09) == pytest.approx(integral, rel=1e-4)
    assert proportions.p_value(data, 1.0, variance=0.09) > proportions.p_value(data, 1.0)


def test_a_host_may_be_left_out() -> None:
    intervals = [Interval(1.0, {"c1": (10, 5), "c2": (10, 1)}, {"b": (20, 2)})]
    assert proportions.splits(intervals, without="c1") == [Split(10, 1, 20, 2)]
    assert proportions.splits(intervals, reverse=True) == [Split(20, 2, 20, 6)]


def test_nothing_bad_in_either_group() -> None:
    data = [Split(1000, 0, 1000, 0)]
    assert proportions.ratio(data) is None
    assert proportions.p_value(data, 1.0) == 1


def test_bad_ones_in_one_group_only() -> None:
    data = [Split(1000, 9, 1000, 0)]
    assert proportions.ratio(data) == math.inf
    assert proportions.p_value(data, 1.0) == pytest.approx(0.5**9 / 2)


@pytest.mark.parametrize(
    ("requests", "bad", "limit", "evidence"),
    [
        (1000, 25, 0.01, 6.300585474379437),
        (50, 0, 0.01, -0.9210336760964692),
        (20, 18, 0.6, 3.362860015137076),
        (10, 1, 0.0, math.inf),
        (10, 0, 0.0, 0.0),
    ],
)
def test_the_evidence_against_a_limit(requests: int, bad: int, limit: float, evidence: float) -> None:
    assert proportions.log_evidence_above(requests, bad, limit) == pytest.approx(evidence)


def test_an_interval_that_only_one_group_was_asked_in_compares_nothing() -> None:
    seen = [Interval(1.0, {"c": (10.0, 9.0)}, {}), Interval(2.0, {}, {"b": (10.0, 9.0)})]
    assert proportions.splits(seen) == []


def test_a_rounded_quotient_decided_whether_all_bad_ones_counted() -> None:
    """Of 57 bad ones all but one were the canary's: that all are has a chance too, whatever they are divided by."""
    data = [Split(1000, 56, 600, 1)]
    found = [proportions.p_value(data, 1.0, dispersion) for dispersion in (1.0054475182678853, 1.005447518267886)]
    assert 56 / 1.0054475182678853 + 1 / 1.0054475182678853 > 57 / 1.0054475182678853
    assert found[0] == pytest.approx(found[1], rel=1e-9)
