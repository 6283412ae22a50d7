# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A ratio of two rates that may be zero in an interval, such as orders per visit: the paired t-test of Fieller (1954).

Where the true ratio of the sums is R, the differences x - R y of the intervals have the mean 0, whatever the rates are
distributed like; Student's test (1908) of that mean is a test of the ratio. Nothing is taken the logarithm of. Assumed:
the mean of the differences is roughly normal.

Where a rate comes with the number of requests behind it, an interval counts by them, which is the inverse of its variance
(Cochran 1977, 6.9): a busy interval says more than a quiet one.

Monitoring often tells a rate over the last minutes, so that what one interval says the next ones say again. The differences
then count like fewer: their number over the sum of their autocorrelations, up to the first pair that is not positive (Geyer
1992, 3.3: the initial positive sequence).
"""

from __future__ import annotations

import math
import statistics
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval, mean, total
from ansible_collections.steady.rollout.plugins.module_utils.judge.numbers import student_tail

LEAST_PAIRS = 3
SELDOM = 3.0
LEAST_OF_REPEATED = 6
"""How many independent ones there have to be where intervals repeat each other: with fewer one cannot tell how often."""
NOTHING = 1e-20

Pair = t.Tuple[float, float]


def pairs(intervals: t.Sequence[Interval], reverse: bool) -> list[Pair]:
    """Each interval's figure of the suspected group and of the other, by the interval's weight."""
    compared = [each for each in intervals if each.canary and each.baseline]
    weights = [_weight(each) for each in compared]
    weights = weights if all(weights) else [1.0] * len(compared)
    found = [
        (weight * mean(each.canary.values()), weight * mean(each.baseline.values()))
        for each, weight in zip(compared, weights)
    ]
    return [(other, one) for one, other in found] if reverse else found


def _weight(interval: Interval) -> float:
    """The inverse of the difference's variance, but for a factor; 0 where not all figures come with their requests."""
    counts = [count for cells in (interval.canary, interval.baseline) for count, dummy in cells.values()]
    if min(counts) <= 0:
        return 0.0
    canary, baseline = total(interval.canary.values())[0], total(interval.baseline.values())[0]
    return canary * baseline / (canary + baseline)


def ratio(data: t.Sequence[Pair]) -> float | None:
    """That of the sums; None without any."""
    worse, other = sum(one for one, dummy in data), sum(each for dummy, each in data)
    if not worse and not other:
        return None
    return worse / other if other else math.inf


def p_value(data: t.Sequence[Pair], allowed: float) -> float:
    """How likely so large a ratio or a larger one is where the true one is *allowed*; 1 where too little is independent."""
    if len(data) < LEAST_PAIRS:
        return 1.0
    differences = [worse - allowed * other for worse, other in data]
    middle = statistics.fmean(differences)
    around = [each - middle for each in differences]
    squares = sum(each * each for each in around)
    if squares <= NOTHING * sum(worse * worse for worse, dummy in data):
        return 0.0 if middle > 0 else 1.0
    times = repetition(around)
    count = len(around) / times
    if count < (LEAST_OF_REPEATED if times > 1 else LEAST_PAIRS):
        return 1.0
    # The mean is estimated from as few: the squares around it are too small by one of them.
    error = math.sqrt(squares / len(around) * count / (count - 1) / count)
    return student_tail(middle / error, count - 1)


def repetition(around: t.Sequence[float]) -> float:
    """How many figures, given around their mean, say what one says; at least 1."""
    squares = sum(each * each for each in around)
    whole = -1.0
    for lag in range(0, len(around) - 1, 2):
        pair = sum(sum(one * other for one, other in zip(around, around[each:])) / squares for each in (lag, lag + 1))
        if pair <= 0:
            break
        whole += 2 * pair
    # By chance alone it is above 1 half of the time: one standard error is forgiven. What is taken around the mean of a short
    # series is too small, the more so the more often it repeats itself.
    return max(1.0, whole - 2 / math.sqrt(len(around)) if whole < SELDOM else whole * (1 + 2 * whole / len(around)))
