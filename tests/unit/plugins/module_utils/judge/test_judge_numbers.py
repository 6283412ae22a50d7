# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distributions by the standard library alone, beside figures of scipy 1.x."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.judge import numbers


@pytest.mark.parametrize(
    ("successes", "trials", "chance", "tail"),
    [
        (5, 20, 0.1, 0.04317449528446339),
        (60, 100, 0.5, 0.028443966820490444),
        (300, 5000, 0.05, 0.0008783392813567505),
        (1, 3, 0.2, 0.488),
        (2, 2, 0.05, 0.0025),
    ],
)
def test_the_binomial_tail(successes: int, trials: int, chance: float, tail: float) -> None:
    assert numbers.binomial_tail(successes, trials, chance) == pytest.approx(tail, rel=1e-9)


def test_the_binomial_tail_at_its_ends() -> None:
    assert numbers.binomial_tail(0, 10, 0.3) == 1
    assert numbers.binomial_tail(11, 10, 0.3) == 0


@pytest.mark.parametrize(
    ("a", "b", "x", "value"),
    [
        (2, 3, 0.4, 0.5248),
        (0.5, 0.5, 0.3, 0.36901011956554536),
        (120, 3000, 0.035, 0.15694798674404595),
        (30.5, 12.25, 0.7, 0.405229364110485),
        (1, 1, 0.25, 0.25),
        (3, 4, 0.0, 0.0),
        (3, 4, 1.0, 1.0),
    ],
)
def test_the_incomplete_beta_function(a: float, b: float, x: float, value: float) -> None:
    assert numbers.incomplete_beta(a, b, x) == pytest.approx(value, rel=1e-9)


@given(st.floats(0.1, 500), st.floats(0.1, 500), st.floats(0.001, 0.999))
def test_the_incomplete_beta_function_is_symmetrical(a: float, b: float, x: float) -> None:
    assert numbers.incomplete_beta(a, b, x) == pytest.approx(1 - numbers.incomplete_beta(b, a, 1 - x), abs=1e-9)


def test_normal_tails_and_quantiles() -> None:
    assert numbers.normal_tail(1.0) == pytest.approx(0.15865525393145707)
    assert numbers.normal_tail(3.5) == pytest.approx(0.00023262907903552502)
    assert numbers.normal_quantile(0.01) == pytest.approx(2.3263478740408408)
    assert numbers.normal_quantile(0.0025) == pytest.approx(2.8070337683438042)


def test_means_over_a_normal_figure() -> None:
    """That of a normal tail at (a - d z)/s is the tail at a/sqrt(s^2 + d^2)."""
    assert numbers.mean_over_normal(lambda z: z * z) == pytest.approx(1.0, rel=1e-3)
    mean = numbers.mean_over_normal(lambda z: numbers.normal_tail((0.3 - 0.1 * z) / 0.05))
    assert mean == pytest.approx(numbers.normal_tail(0.3 / math.sqrt(0.0125)), rel=1e-3)


def test_means_of_what_is_too_large_for_a_float() -> None:
    assert numbers.log_mean_exp([1000.0, 1000.0]) == pytest.approx(1000.0)
    assert numbers.log_mean_exp([0.0, float("inf")]) == float("inf")


def test_where_something_ceases_to_hold() -> None:
    assert numbers.crossing(lambda ratio: ratio < 2.5, 0.01, 1000) == pytest.approx(2.5, rel=1e-4)
    assert numbers.crossing(lambda ratio: False, 0.01, 1000) == 0.01
    assert numbers.crossing(lambda ratio: True, 0.01, 1000) == 1000
