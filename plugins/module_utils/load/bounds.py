# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Quantiles and shares of a sample, and between which bounds the true ones lie. Pure.

All bounds are one-sided: the true value lies on the right side of each with the given confidence.
"""

from __future__ import annotations

import math
import statistics
import typing as t


class Estimate(t.NamedTuple):
    """A value and its two bounds; a bound that so few observations do not give is infinite."""

    value: float
    low: float
    high: float


def quantile(ordered: t.Sequence[float], share: float) -> float:
    """The smallest observation that at least *share* of all do not exceed; *ordered* must not be empty."""
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


def quantile_bounds(ordered: t.Sequence[float], share: float, confidence: float) -> Estimate:
    """The quantile with bounds that hold for every distribution.

    The number of observations below the true quantile is binomial; ranks that it falls outside of with the chance
    left over bound it (David and Nagaraja, Order Statistics, section 7.1).
    """
    count, left_over = len(ordered), 1 - confidence
    low, high = -math.inf, math.inf
    below = 0.0
    for rank, chance in enumerate(_binomial(count, share)):
        below += chance
        if below <= left_over and rank < count:
            low = ordered[rank]
        if below >= confidence and rank < count:
            high = ordered[rank]
            break
    return Estimate(quantile(ordered, share), low, high)


def ratio(numerator: Estimate, denominator: Estimate) -> Estimate:
    """The ratio of two independent positive estimates, by recovered variances of their logarithms.

    (Zou and Donner, Construction of confidence limits about effect measures, Statistics in Medicine 2008.)
    """
    a, b = numerator, denominator
    value = a.value / b.value
    low, high = 0.0, math.inf
    if a.low > 0 and b.high < math.inf:
        low = value * math.exp(-math.hypot(math.log(a.value / a.low), math.log(b.high / b.value)))
    if a.high < math.inf and b.low > 0:
        high = value * math.exp(math.hypot(math.log(a.high / a.value), math.log(b.value / b.low)))
    return Estimate(value, low, high)


def share_bounds(hits: int, count: int, confidence: float) -> Estimate:
    """The share of hits with Wilson's bounds (Wilson 1927)."""
    if not count:
        return Estimate(math.nan, 0.0, 1.0)
    z = statistics.NormalDist().inv_cdf(confidence)
    share = hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return Estimate(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def difference(minuend: Estimate, subtrahend: Estimate) -> Estimate:
    """The difference of two independent shares (Newcombe, Statistics in Medicine 1998, method 10)."""
    a, b = minuend, subtrahend
    value = a.value - b.value
    return Estimate(
        value,
        value - math.hypot(a.value - a.low, b.high - b.value),
        value + math.hypot(a.high - a.value, b.value - b.low),
    )


def _binomial(count: int, share: float) -> t.Iterator[float]:
    """The chances of 0, 1, ... *count* hits."""
    whole = math.lgamma(count + 1)
    hit, miss = math.log(share), math.log1p(-share)
    for hits in range(count + 1):
        ways = whole - math.lgamma(hits + 1) - math.lgamma(count - hits + 1)
        yield math.exp(ways + hits * hit + (count - hits) * miss)
