# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Values such as latencies: the hosts of two groups compared by rank within every interval, however often one looks.

Ranks do not care how latencies are distributed, and only figures of one interval are compared, so a load that goes up
and down for both groups changes nothing.
"""

from __future__ import annotations

import bisect
import functools
import math
import statistics
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval
from ansible_collections.steady.rollout.plugins.module_utils.judge.numbers import log_mean_exp, normal_tail

# By how many standard deviations of U the alternatives lie apart, each believed equally.
TILTS = (0.25, 0.5, 1.0, 2.0, 3.0)
# Below this sum of squares logarithms differ by nothing but rounding.
NO_CHANGE = 1e-18


class Heat(t.NamedTuple):
    """One interval's values, sorted. *worse* is the group suspected of the larger ones."""

    worse: t.List[float]
    other: t.List[float]


def heats(intervals: t.Sequence[Interval], reverse: bool = False) -> list[Heat]:
    """The intervals in which both groups were measured; a ratio has no meaning where a value is below zero."""
    found = []
    for interval in intervals:
        canary = sorted(value for dummy, value in interval.canary.values())
        baseline = sorted(value for dummy, value in interval.baseline.values())
        if canary and baseline and canary[0] >= 0 and baseline[0] >= 0:
            found.append(Heat(baseline, canary) if reverse else Heat(canary, baseline))
    return found


def u_statistic(worse: t.Sequence[float], other: t.Sequence[float], allowed: float = 1.0) -> float:
    """In how many pairs the suspected value is the larger, after division by *allowed*; a tie is half a pair.

    Mann and Whitney 1947. *other* is sorted.
    """
    pairs = 0
    for value in worse:
        pairs += bisect.bisect_left(other, value / allowed) + bisect.bisect_right(other, value / allowed)
    return pairs / 2


def effect(data: t.Sequence[Heat]) -> float:
    """In what part of the pairs of one interval the suspected value is the larger (Vargha and Delaney 2000: A)."""
    pairs = sum(len(heat.worse) * len(heat.other) for heat in data)
    return sum(u_statistic(heat.worse, heat.other) for heat in data) / pairs


def ratio(data: t.Sequence[Heat]) -> float | None:
    """The median over all intervals of the ratio of the groups' medians; None where a group shows only zeros."""
    logs = _log_ratios(data)
    return math.exp(statistics.median(logs)) if logs else None


def _log_ratios(data: t.Sequence[Heat]) -> list[float]:
    sides = [(statistics.median(heat.worse), statistics.median(heat.other)) for heat in data]
    return [math.log(worse / other) for worse, other in sides if worse > 0 and other > 0]


def log_ratio(data: t.Sequence[Heat], temper: float) -> tuple[float, float] | None:
    """The logarithm of the ratio and its variance, from how much it varies between intervals.

    That of a median is pi/2 times that of a mean (Lehmann 1983, 5.3).
    """
    logs = _log_ratios(data)
    if len(logs) < 2:
        return None
    return statistics.median(logs), math.pi / 2 * statistics.variance(logs) / len(logs) / temper


def log_evidence(data: t.Sequence[Heat], allowed: float, temper: float = 1.0) -> float:
    """The logarithm of the e-value against "the values are at most *allowed* times the other group's".

    In every interval exp(s U) over its mean among all orders of the hosts, which has a closed form (see `log_mean_tilted`),
    is an e-value: exact at any number of hosts, and with a tie, a mean of orders, on the safe side. Their product over the
    intervals is one too, whenever one looks (Ville 1939). *temper* below 1 takes back what intervals tell twice.
    """
    gains = [0.0] * len(TILTS)
    for heat in data:
        sizes = len(heat.worse), len(heat.other)
        pairs = u_statistic(heat.worse, heat.other, allowed)
        for place, (slope, mean) in enumerate(_tilts(*sizes)):
            gains[place] += slope * pairs - mean
    return log_mean_exp([gain * temper for gain in gains])


@functools.lru_cache(maxsize=4096)
def _tilts(worse: int, other: int) -> tuple[tuple[float, float], ...]:
    deviation = math.sqrt(u_variance(worse, other))
    slopes = [tilt / deviation for tilt in TILTS]
    return tuple((slope, log_mean_tilted(slope, worse, other)) for slope in slopes)


def log_mean_tilted(slope: float, worse: int, other: int) -> float:
    """The logarithm of the mean of exp(slope U) over all orders of two groups, slope above 0.

    The counts of orders by U are the coefficients of the Gaussian binomial (Mann and Whitney 1947; Andrews 1976, 3.1):
    the mean is the product of (1 - x^(m+j))/(1 - x^j) over j = 1..n, at x = exp(slope), over the number of orders.
    """
    few, many = sorted((worse, other))
    orders = math.lgamma(few + many + 1) - math.lgamma(few + 1) - math.lgamma(many + 1)
    product = sum(_log_expm1(slope * (many + each)) - _log_expm1(slope * each) for each in range(1, few + 1))
    return product - orders


def _log_expm1(exponent: float) -> float:
    """log(exp(x) - 1), also where exp(x) is beyond what a float can hold."""
    return exponent + math.log(-math.expm1(-exponent))


def u_variance(worse: int, other: int, ties: t.Sequence[int] = ()) -> float:
    """The variance of U, corrected for groups of equal values (Lehmann 1975, 1.4)."""
    whole = worse + other
    tied = sum(each**3 - each for each in ties) / (whole * (whole - 1)) if ties else 0.0
    return worse * other * (whole + 1 - tied) / 12


def p_value(data: t.Sequence[Heat], allowed: float, temper: float = 1.0) -> float:
    """How likely ranks so high or higher are, by van Elteren's test (1960: U of every stratum over N + 1); for one look only."""
    above = variance = 0.0
    for heat in data:
        worse, other = len(heat.worse), len(heat.other)
        weight = 1 / (worse + other + 1)
        above += weight * (u_statistic(heat.worse, heat.other, allowed) - worse * other / 2)
        variance += weight * weight * u_variance(worse, other, _ties(heat, allowed))
    return normal_tail(above / math.sqrt(variance / temper)) if variance else 1.0


def _ties(heat: Heat, allowed: float) -> list[int]:
    every = [value / allowed for value in heat.worse] + heat.other
    return [] if len(set(every)) == len(every) else [every.count(value) for value in set(every)]


def temper(data: t.Sequence[Heat]) -> float:
    """What part of the intervals' number counts where one resembles the next: (1 - r)/(1 + r), r the correlation of neighbours.

    Bayley and Hammersley 1946. A balancer's moving average, or a host that is slow for a while, is otherwise counted many
    times. One standard error of r is forgiven: by chance alone it is above 0 half of the time.
    """
    logs = _log_ratios(data)
    if len(logs) < 3:
        return 1.0
    middle = sum(logs) / len(logs)
    around = [each - middle for each in logs]
    squares = sum(each * each for each in around)
    if squares < NO_CHANGE:
        return 1.0
    found = sum(one * following for one, following in zip(around, around[1:])) / squares
    correlation = min(0.9, max(0.0, found - 1 / math.sqrt(len(logs))))
    return (1 - correlation) / (1 + correlation)
