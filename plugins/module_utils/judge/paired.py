# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A ratio of two rates that may be zero in an interval, such as orders per visit: the paired t-test of Fieller (1954).

Where the true ratio of the sums is R, the differences x - R y of the intervals have the mean 0, whatever the rates are
distributed like; Student's test (1908) of that mean is a test of the ratio. Nothing is taken the logarithm of. Assumed:
the intervals' differences are independent and their mean is roughly normal.
"""

from __future__ import annotations

import math
import statistics
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval, mean
from ansible_collections.steady.rollout.plugins.module_utils.judge.numbers import student_tail

LEAST_PAIRS = 3

Pair = t.Tuple[float, float]


def pairs(intervals: t.Sequence[Interval], reverse: bool) -> list[Pair]:
    """Each interval's figure of the suspected group and of the other."""
    found = [
        (mean(each.canary.values()), mean(each.baseline.values()))
        for each in intervals
        if each.canary and each.baseline
    ]
    return [(other, one) for one, other in found] if reverse else found


def ratio(data: t.Sequence[Pair]) -> float | None:
    """That of the sums; None without any."""
    worse, other = sum(one for one, dummy in data), sum(each for dummy, each in data)
    if not worse and not other:
        return None
    return worse / other if other else math.inf


def p_value(data: t.Sequence[Pair], allowed: float) -> float:
    """How likely so large a ratio or a larger one is where the true one is *allowed*."""
    if len(data) < LEAST_PAIRS:
        return 1.0
    differences = [worse - allowed * other for worse, other in data]
    error = statistics.stdev(differences) / math.sqrt(len(differences))
    middle = statistics.fmean(differences)
    if not error:
        return 0.0 if middle > 0 else 1.0
    return student_tail(middle / error, len(differences) - 1)
