# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Figures compared by rank within every interval, however often one looks: by it a limit is held (limits.py).

Ranks do not care how figures are distributed. Assumed: intervals are independent.
"""

from __future__ import annotations

import bisect
import functools
import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.numbers import log_mean_exp

# By how many standard deviations of U the alternatives lie apart, each believed equally.
TILTS = (0.25, 0.5, 1.0, 2.0, 3.0)


class Heat(t.NamedTuple):
    """One interval's values, sorted. *worse* is the group suspected of the larger ones."""

    worse: t.List[float]
    other: t.List[float]


def u_statistic(worse: t.Sequence[float], other: t.Sequence[float], allowed: float = 1.0) -> float:
    """In how many pairs the suspected value is the larger, after division by *allowed*; a tie is half a pair.

    Mann and Whitney 1947. *other* is sorted.
    """
    pairs = 0
    for value in worse:
        pairs += bisect.bisect_left(other, value / allowed) + bisect.bisect_right(other, value / allowed)
    return pairs / 2


def log_evidence(data: t.Sequence[Heat], allowed: float) -> float:
    """The logarithm of the e-value against "the values are at most *allowed* times the other group's".

    In every interval exp(s U) over its mean among all orders of the hosts, which has a closed form (see `log_mean_tilted`),
    is an e-value: exact at any number of hosts, and with a tie, a mean of orders, on the safe side. Their product over the
    intervals is one too, whenever one looks (Ville 1939).
    """
    gains = [0.0] * len(TILTS)
    for heat in data:
        sizes = len(heat.worse), len(heat.other)
        pairs = u_statistic(heat.worse, heat.other, allowed)
        for place, (slope, mean) in enumerate(_tilts(*sizes)):
            gains[place] += slope * pairs - mean
    return log_mean_exp(gains)


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


def u_variance(worse: int, other: int) -> float:
    """The variance of U (Lehmann 1975, 1.4)."""
    return worse * other * (worse + other + 1) / 12
