# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Numbers that tests are made of, with nothing but the standard library."""

from __future__ import annotations

import math
import statistics
import typing as t

NORMAL = statistics.NormalDist()
# The continued fraction converges in far fewer terms wherever it is used.
MOST_TERMS = 10000
PRECISION = 1e-14
TINY = 1e-300


def median(figures: t.Iterable[float]) -> float:
    """As that of the module statistics, which takes three times as long for the few figures of an interval."""
    ordered = sorted(figures)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def log_mean_exp(logs: t.Sequence[float]) -> float:
    """The logarithm of the mean of numbers whose logarithms are given."""
    largest = max(logs)
    if math.isinf(largest):
        return largest
    return largest + math.log(sum(math.exp(each - largest) for each in logs) / len(logs))


def normal_tail(z: float) -> float:
    """The chance that a standard normal figure is above *z*."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def normal_quantile(tail: float) -> float:
    """The figure that a standard normal one exceeds with the chance *tail*."""
    return NORMAL.inv_cdf(1 - tail)


def mean_over_normal(function: t.Callable[[float], float]) -> float:
    """The mean of a function of a standard normal figure, by the trapezoidal rule, which is all but exact for it."""
    steps = [step / 2 for step in range(-9, 10)]
    weights = [math.exp(-step * step / 2) for step in steps]
    return sum(weight * function(step) for weight, step in zip(weights, steps)) / sum(weights)


def student_tail(figure: float, freedom: float) -> float:
    """The chance that a figure with Student's t-distribution is above *figure*: NIST DLMF 8.17 (Abramowitz and Stegun 26.7)."""
    half = incomplete_beta(freedom / 2, 0.5, freedom / (freedom + figure * figure)) / 2 if figure else 0.5
    return half if figure >= 0 else 1 - half


def binomial_tail(successes: float, trials: float, chance: float) -> float:
    """The chance of at least so many successes: I_p(k, n - k + 1), NIST DLMF 8.17.5; also for fractions of trials."""
    if successes <= 0:
        return 1.0
    if successes > trials:
        return 0.0
    return incomplete_beta(successes, trials - successes + 1, chance)


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function by its continued fraction, NIST DLMF 8.17.22, evaluated as Lentz does."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - incomplete_beta(b, a, 1 - x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) / (a * _continued_fraction(a, b, x))


def _continued_fraction(a: float, b: float, x: float) -> float:
    both = a + b
    denominator = 1.0
    fraction = numerator = 1 - both * x / (a + 1) or TINY
    for term in range(1, MOST_TERMS):
        twice = a + 2 * term
        part = term * (b - term) * x / ((twice - 1) * twice)
        denominator = 1 / (1 + part * denominator or TINY)
        numerator = 1 + part / numerator or TINY
        fraction *= numerator * denominator
        part = -(a + term) * (both + term) * x / (twice * (twice + 1))
        denominator = 1 / (1 + part * denominator or TINY)
        numerator = 1 + part / numerator or TINY
        change = numerator * denominator
        fraction *= change
        if abs(change - 1) < PRECISION:
            break
    return fraction


def crossing(holds: t.Callable[[float], bool], low: float, high: float) -> float:
    """Where, between two ratios, what holds at *low* ceases to; *low* or *high* where it does so nowhere between."""
    if not holds(low):
        return low
    if holds(high):
        return high
    for dummy in range(25):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
