# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How small a p-value has to be at each look: beside simulated looks and beside scipy's normal distribution."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ansible_collections.steady.rollout.plugins.module_utils.judge.spending import Budget, level


def levels(budget: Budget, looks: int) -> list[float]:
    """Of so many looks at equal distances over the window."""
    return [level(budget, [(each + 1) / looks for each in range(end)]) for end in range(1, looks + 1)]


def test_a_single_look_at_the_end_may_spend_everything() -> None:
    assert level(Budget(0.01, 3.0, 0.0), [1.0]) == pytest.approx(0.01)


@pytest.mark.parametrize(("looks", "power"), [(2, 2.0), (3, 1.0), (5, 1.0)])
def test_the_bounds_beside_scipys_multivariate_normal(looks: int, power: float) -> None:
    """The sums at two looks have the correlation of the square root of their times' ratio."""
    found = levels(Budget(0.025, power, 0.0), looks)
    covariance = [[(min(a, b) / max(a, b)) ** 0.5 for a in range(1, looks + 1)] for b in range(1, looks + 1)]
    none = stats.multivariate_normal([0] * looks, covariance).cdf(stats.norm.isf(found))
    assert 1 - none == pytest.approx(0.025, rel=5e-3)
    assert found[0] == pytest.approx(0.025 * (1 / looks) ** power, rel=2e-3)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_all_looks_together_stop_no_more_often_than_agreed(power: float) -> None:
    rng = random.Random("looks")
    bounds = [float(stats.norm.isf(each)) for each in levels(Budget(0.05, power, 0.0), 20)]
    stopped = 0
    for dummy in range(4000):
        total = 0.0
        for look, bound in enumerate(bounds, start=1):
            total += rng.gauss(0, 1)
            if total >= bound * look**0.5:
                stopped += 1
                break
    assert 0.035 <= stopped / 4000 <= 0.06


def test_a_part_is_kept_for_waiting() -> None:
    budget = Budget(0.01, 1.0, 1.0)
    assert budget.spent(1.0) == pytest.approx(0.009)
    assert budget.spent(1.5) == pytest.approx(0.0095)
    assert budget.spent(2.0) == budget.spent(3.0) == pytest.approx(0.01)


def test_what_is_kept_for_waiting_is_spent_by_the_same_power() -> None:
    budget = Budget(0.01, 3.0, 1.0)
    assert budget.spent(1.5) == pytest.approx(0.009 + 0.001 / 8)
    assert budget.spent(2.0) == pytest.approx(0.01)


def test_a_look_between_two_of_the_grid_spends_nothing() -> None:
    budget = Budget(0.01, 1.0, 0.0)
    assert level(budget, [0.5, 0.51]) == 0.0
    assert level(budget, [0.5, 0.51, 0.53]) == level(budget, [0.5, 0.53]) > 0
    assert level(budget, []) == 0.0


@settings(max_examples=25)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=12, unique=True).map(sorted), st.sampled_from([1.0, 2.0, 3.0]))
def test_no_look_may_spend_more_than_there_is(looks: list[int], power: float) -> None:
    budget = Budget(0.01, power, 0.0)
    assert 0 <= level(budget, [each / 40 for each in looks]) <= budget.spent(looks[-1] / 40) + 1e-9
