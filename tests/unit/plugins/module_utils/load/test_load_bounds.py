# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounds of quantiles and shares, against published figures and what they mean."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.load import bounds
from ansible_collections.steady.rollout.plugins.module_utils.load.bounds import Estimate

ONE_TO = {count: tuple(float(number) for number in range(1, count + 1)) for count in (10, 58, 59, 100, 600)}


def test_quantiles_are_observations() -> None:
    assert [bounds.quantile(ONE_TO[100], share) for share in (0.5, 0.95, 0.99, 0.999)] == [50, 95, 99, 100]
    assert bounds.quantile((7.0,), 0.5) == 7


@given(st.lists(st.floats(0.001, 10), min_size=1, max_size=50).map(sorted), st.floats(0.01, 0.999))
def test_a_quantile_is_the_smallest_that_enough_do_not_exceed(ordered: list[float], share: float) -> None:
    found = bounds.quantile(ordered, share)
    assert sum(one <= found for one in ordered) >= share * len(ordered) - 1e-6
    assert sum(one < found for one in ordered) < share * len(ordered) + 1e-6


def test_the_bounds_of_a_median_of_ten() -> None:
    """The second and the ninth of ten bound the median with 0.989 each, the third and the eighth with 0.945."""
    assert bounds.quantile_bounds(ONE_TO[10], 0.5, 0.98) == Estimate(5, 2, 9)
    assert bounds.quantile_bounds(ONE_TO[10], 0.5, 0.94) == Estimate(5, 3, 8)


def test_59_observations_are_the_fewest_that_bound_a_p95_from_above() -> None:
    """The classical sample of Wilks for a one-sided tolerance limit, 95 percent by 95 percent."""
    assert bounds.quantile_bounds(ONE_TO[59], 0.95, 0.95).high == 59
    assert bounds.quantile_bounds(ONE_TO[58], 0.95, 0.95).high == math.inf


def test_bounds_hold_as_often_as_they_promise() -> None:
    chance = random.Random(4)
    true = math.exp(1.6448536269514722)
    found = [
        bounds.quantile_bounds(sorted(chance.lognormvariate(0, 1) for dummy in range(200)), 0.95, 0.95)
        for dummy in range(400)
    ]
    assert 0.94 <= sum(one.low <= true for one in found) / 400 <= 1
    assert 0.94 <= sum(one.high >= true for one in found) / 400 <= 1


def test_wilson_as_published() -> None:
    """Newcombe 1998, table I: 81 of 263 and 15 of 148, two-sided 95 percent."""
    assert bounds.share_bounds(81, 263, 0.975) == pytest.approx((0.3080, 0.2553, 0.3662), abs=5e-5)
    assert bounds.share_bounds(15, 148, 0.975) == pytest.approx((0.1014, 0.0624, 0.1605), abs=5e-5)
    assert bounds.share_bounds(0, 20, 0.975) == pytest.approx((0, 0, 0.1611), abs=5e-5)


def test_newcombe_as_published() -> None:
    """Newcombe 1998, table II, method 10: 56 of 70 less 48 of 80."""
    found = bounds.difference(bounds.share_bounds(56, 70, 0.975), bounds.share_bounds(48, 80, 0.975))
    assert found == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


@given(st.integers(0, 200), st.integers(1, 200), st.floats(0.51, 0.999))
def test_a_share_lies_between_its_bounds(hits: int, count: int, confidence: float) -> None:
    found = bounds.share_bounds(min(hits, count), count, confidence)
    assert 0 <= found.low <= found.value <= found.high <= 1


POSITIVE = st.floats(0.001, 100)


@given(st.lists(POSITIVE, min_size=6, max_size=6))
def test_a_ratio_and_its_inverse_mirror_each_other(six: list[float]) -> None:
    one, two = (Estimate(sorted(part)[1], sorted(part)[0], sorted(part)[2]) for part in (six[:3], six[3:]))
    found, inverse = bounds.ratio(one, two), bounds.ratio(two, one)
    assert found.low <= found.value <= found.high
    assert (1 / inverse.high, 1 / inverse.low) == pytest.approx((found.low, found.high), rel=1e-6)


def test_a_ratio_of_an_unbounded_estimate_is_unbounded_on_that_side() -> None:
    unbounded = Estimate(2.0, 1.0, math.inf)
    assert bounds.ratio(unbounded, Estimate(1.0, 0.5, 2.0)).high == math.inf
    assert bounds.ratio(Estimate(1.0, 0.5, 2.0), unbounded).low == 0
