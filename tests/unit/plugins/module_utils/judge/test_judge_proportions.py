# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares compared: the evidence is never more than chance allows, at no ratio and however often one looks."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import canaries

from ansible_collections.steady.rollout.plugins.module_utils.judge import proportions
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval
from ansible_collections.steady.rollout.plugins.module_utils.judge.proportions import Split

counts = st.integers(0, 400)
requests = st.integers(400, 5000)
splits = st.builds(Split, requests, counts, requests, counts)


def chance_of(successes: int, trials: int, chance: float) -> float:
    return math.comb(trials, successes) * chance**successes * (1 - chance) ** (trials - successes)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 25), st.integers(1, 25), st.floats(0.01, 0.5), st.floats(1, 1.9), st.floats(0.2, 1))
def test_the_evidence_of_a_true_null_is_at_most_one_on_average(
    size: int, other: int, share: float, allowed: float, part: float
) -> None:
    """Exactly, over all outcomes: also for a group that is better than allowed."""
    mean = sum(
        chance_of(bad, size, share * allowed * part)
        * chance_of(other_bad, other, share)
        * math.exp(proportions.log_evidence([Split(size, bad, other, other_bad)], allowed))
        for bad in range(size + 1)
        for other_bad in range(other + 1)
    )
    assert mean <= 1 + 1e-9


@pytest.mark.parametrize(
    ("split", "allowed", "evidence"),
    [
        (Split(100, 40, 100, 20), 1.1, 1.3699852046405152),
        (Split(500, 12, 9500, 48), 1.0, 6.83974747975628),
        (Split(500, 3, 9500, 57), 1.1, -1.2789014254221818),
    ],
)
def test_the_evidence_beside_the_binomial_likelihoods(split: Split, allowed: float, evidence: float) -> None:
    assert proportions.log_evidence([split], allowed) == pytest.approx(evidence)


def test_looking_after_every_interval_does_not_make_a_false_stop_likelier() -> None:
    """A drifting share, 60 looks: the evidence reaches 1/0.05 in at most 5 % of the runs."""
    rng = random.Random("looks")
    stopped = 0
    for dummy in range(400):
        seen: list[Split] = []
        share = 0.02
        for dummy_look in range(60):
            share = min(0.2, max(0.002, share * math.exp(rng.gauss(0, 0.3))))
            bad, other = canaries.binomial(rng, 200, share), canaries.binomial(rng, 1000, share)
            seen.append(Split(200, bad, 1000, other))
            if proportions.log_evidence(seen, 1.0) >= math.log(20):
                stopped += 1
                break
    assert stopped <= 0.05 * 400


@settings(deadline=None)
@given(st.lists(splits, min_size=1, max_size=6), st.floats(1, 3), st.floats(1.01, 2))
def test_the_more_is_allowed_the_likelier_is_what_was_seen(data: list[Split], allowed: float, times: float) -> None:
    assert proportions.p_value(data, allowed * times) >= proportions.p_value(data, allowed) - 1e-9


@settings(deadline=None)
@given(st.lists(splits, min_size=1, max_size=6), st.integers(1, 50))
def test_one_more_bad_one_is_more_evidence(data: list[Split], more: int) -> None:
    first = data[0]
    worse = [first._replace(worse_bad=first.worse_bad + more, worse_requests=first.worse_requests), *data[1:]]
    assert proportions.log_evidence(worse, 1.2) > proportions.log_evidence(data, 1.2)
    assert proportions.p_value(worse, 1.2) <= proportions.p_value(data, 1.2) + 1e-9


@settings(deadline=None)
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
    assert proportions.log_evidence(data, 1.0) < 0
    assert proportions.p_value(data, 1.0) > 0.4


def test_nothing_bad_in_either_group() -> None:
    data = [Split(1000, 0, 1000, 0)]
    assert proportions.ratio(data) is None
    assert proportions.p_value(data, 1.0) == 1
    assert proportions.log_evidence(data, 1.0) == 0


def test_bad_ones_in_one_group_only() -> None:
    data = [Split(1000, 9, 1000, 0)]
    assert proportions.ratio(data) == math.inf
    assert proportions.p_value(data, 1.0) == pytest.approx(0.5**9)


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


@pytest.mark.parametrize(("clump", "least", "most"), [(1.0, 1.0, 1.15), (3.0, 4.0, 6.0)])
def test_clumps_of_bad_ones_are_noticed(clump: float, least: float, most: float) -> None:
    """A geometric number on average 3 has the mean square 15: chance lets it vary five times as much."""
    rng = random.Random("clumps")
    intervals = [
        Interval(at, {}, {f"b{host}": (1000, canaries.clumped(rng, 10.0, clump)) for host in range(4)})
        for at in range(100)
    ]
    assert least <= proportions.dispersion(intervals, proportions.tables(intervals)) <= most


@pytest.mark.parametrize(("clump", "least", "most"), [(1.0, 1.0, 1.3), (3.0, 3.5, 6.5)])
def test_clumps_are_noticed_where_no_group_shows_its_hosts(clump: float, least: float, most: float) -> None:
    rng = random.Random("groups")
    drawn = [(canaries.clumped(rng, 20.0, clump), canaries.clumped(rng, 40.0, clump)) for dummy in range(100)]
    intervals = [Interval(at, {"": (1000, one)}, {"": (4000, other)}) for at, (one, other) in enumerate(drawn)]
    assert least <= proportions.dispersion(intervals, proportions.tables(intervals)) <= most


def test_some_clumps_are_believed_in_at_the_first_look() -> None:
    first = [Interval(0, {"c": (1000, 9)}, {"b": (1000, 3)})]
    assert proportions.dispersion(first, proportions.tables(first)) == 1.5
