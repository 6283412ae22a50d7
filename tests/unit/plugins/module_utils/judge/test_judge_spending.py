# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How small a p-value has to be at each look: beside simulated looks and beside scipy's normal distribution."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ansible_collections.steady.rollout.plugins.module_utils.judge.spending import SUSPECT, Budget, level


def levels(budget: Budget, looks: int) -> list[float]:
    """Of so many looks at equal distances over the window."""
    return [level(budget, [(each + 1) / looks for each in range(end)]) for end in range(1, looks + 1)]


def test_a_single_look_at_the_end_may_spend_everything() -> None:
    assert level(Budget(0.01, 3.0, 0.0), [1.0]) == pytest.approx(0.01)


@pytest.mark.parametrize(("looks", "late"), [(2, 8.0), (3, 0.0), (5, 0.0)])
def test_the_bounds_beside_scipys_multivariate_normal(looks: int, late: float) -> None:
    """The sums at two looks have the correlation of the square root of their times' ratio."""
    found = levels(Budget(0.025, late, 0.0), looks)
    covariance = [[(min(a, b) / max(a, b)) ** 0.5 for a in range(1, looks + 1)] for b in range(1, looks + 1)]
    none = stats.multivariate_normal([0] * looks, covariance).cdf(stats.norm.isf(found))
    assert 1 - none == pytest.approx(0.025, rel=5e-3)
    part = (math.exp(late / looks) - 1) / (math.exp(late) - 1) if late else 1 / looks
    assert found[0] == pytest.approx(0.025 * part, rel=2e-3)


@pytest.mark.parametrize("late", [0.0, 8.0])
def test_all_looks_together_stop_no_more_often_than_agreed(late: float) -> None:
    rng = random.Random("looks")
    bounds = [float(stats.norm.isf(each)) for each in levels(Budget(0.05, late, 0.0), 20)]
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
    budget = Budget(0.01, 0.0, 1.0)
    assert budget.spent(1.0) == pytest.approx(0.0095)
    assert budget.spent(1.5) == pytest.approx(0.00975)
    assert budget.spent(2.0) == budget.spent(3.0) == pytest.approx(0.01)


def test_what_is_kept_for_waiting_is_spent_as_late() -> None:
    budget = Budget(0.01, 4.0, 1.0)
    assert budget.spent(1.5) == pytest.approx(0.0095 + 0.0005 / (1 + math.exp(2)))
    assert budget.spent(2.0) == pytest.approx(0.01)


def test_only_what_is_suspect_at_the_end_of_the_window_spends_what_is_kept_for_waiting() -> None:
    """Beside scipy: the second sum is beyond its bound, the first one between suspect and its own."""
    suspect = stats.norm.isf(SUSPECT)
    first, second = (
        stats.norm.isf(levels(Budget(0.01, 4.0, 1.0), 1)[0]),
        stats.norm.isf(level(Budget(0.01, 4.0, 1.0), [1.0, 2.0])),
    )
    both = stats.multivariate_normal([0, 0], [[1, 0.5**0.5], [0.5**0.5, 1]])
    chance = stats.norm.cdf(first) - stats.norm.cdf(suspect) - both.cdf([first, second]) + both.cdf([suspect, second])
    assert 0.00045 < chance <= 0.0005


def test_a_look_between_two_of_the_grid_spends_nothing() -> None:
    budget = Budget(0.01, 0.0, 0.0)
    assert level(budget, [0.5, 0.51]) == 0.0
    assert level(budget, [0.5, 0.51, 0.53]) == level(budget, [0.5, 0.53]) > 0
    assert level(budget, []) == 0.0


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=12, unique=True).map(sorted), st.sampled_from([0.0, 4.0, 12.0])
)
def test_no_look_may_spend_more_than_there_is(looks: list[int], late: float) -> None:
    budget = Budget(0.01, late, 0.0)
    assert 0 <= level(budget, [each / 40 for each in looks]) <= budget.spent(looks[-1] / 40) + 1e-9
