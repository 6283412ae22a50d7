# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Shares of bad requests: two groups compared by a conditional test, or one held to a limit.

Given the bad ones B of an interval, those of the suspected group are Binomial(B, q r/(1 - q + q r)), q its part of the
requests and r the ratio of the shares (Przyborowski and Wilenski 1940), whatever the share itself was then: a baseline
that drifts does not matter. Assumed: shares are small, or else the test errs on the safe side; bad requests are
independent but for the dispersion, by which their number is divided (McCullagh and Nelder 1989, 4.5).

The limit's evidence is an e-value, a likelihood ratio that a true null hypothesis makes 1 or less on average, however the
looks are timed; it reaches 1/a at any time with a chance of at most a (Ville 1939; Shafer 2021, "Testing by betting").
"""

from __future__ import annotations

import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Cell, Interval, total
from ansible_collections.steady.rollout.plugins.module_utils.judge.numbers import (
    binomial_tail,
    log_mean_exp,
    mean_over_normal,
)

# How many times worse than the null hypothesis allows the alternatives are, each believed equally (Robbins 1970).
STEPS = (1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)

Expected = t.Dict[str, t.Tuple[float, float]]
"""By host: how many bad ones its group's share makes one expect, and how many there were."""


class Split(t.NamedTuple):
    """Requests and bad ones of two groups in one interval. *worse* is the group suspected of the larger share."""

    worse_requests: float
    worse_bad: float
    other_requests: float
    other_bad: float


def splits(intervals: t.Sequence[Interval], reverse: bool = False, without: str | None = None) -> list[Split]:
    """The intervals in which both groups had requests; the canary is suspected, or the baseline in *reverse*.

    *without* leaves a host of the canary out.
    """
    found = []
    for interval in intervals:
        canary, baseline = interval.canary_total, interval.baseline_total
        if without is not None:
            canary = total(cell for host, cell in interval.canary.items() if host != without)
        if canary[0] and baseline[0]:
            found.append(Split(*baseline, *canary) if reverse else Split(*canary, *baseline))
    return found


def ratio(data: t.Sequence[Split]) -> float | None:
    """The ratio of shares, stratified by interval (Mantel and Haenszel 1959, as Rothman's rate ratio); None without any bad.

    Infinite where only the suspected group has bad ones.
    """
    worse = other = 0.0
    for split in data:
        whole = split.worse_requests + split.other_requests
        worse += split.worse_bad * split.other_requests / whole
        other += split.other_bad * split.worse_requests / whole
    if not worse and not other:
        return None
    return worse / other if other else math.inf


def p_value(data: t.Sequence[Split], allowed: float, dispersion: float = 1.0, variance: float = 0.0) -> float:
    """How likely so many bad ones or more are for a share *allowed* times the other group's.

    Half of the chance of just so many counts (the mid-p value, Lancaster 1961). The binomial with the mean chance of all
    intervals is the wider one (Hoeffding 1956), so this errs on the safe side. *variance* is that of the logarithm of the
    ratio by the hosts: the mean over it is the chance to see this whichever hosts they are.
    """
    bad = sum(split.worse_bad for split in data)
    whole = bad + sum(split.other_bad for split in data)
    if not whole:
        return 1.0
    deviation = math.sqrt(variance)
    if not deviation:
        return _tail(bad, whole, dispersion, _mean_chance(data, allowed, whole))
    # The chance of the suspected group for the ratio itself; for others of it only the odds change.
    odds = _odds(_mean_chance(data, allowed, whole))
    return mean_over_normal(lambda z: _tail(bad, whole, dispersion, _chance(odds * math.exp(deviation * z))))


def _tail(bad: float, whole: float, dispersion: float, chance: float) -> float:
    # Divided last: the sum of two rounded quotients may be above the number of all of them, which is never reached.
    trials = whole / dispersion
    tails = [binomial_tail(each / dispersion, trials, chance) for each in (bad, bad + 1)]
    return sum(tails) / 2


def _mean_chance(data: t.Sequence[Split], allowed: float, whole: float) -> float:
    expected = sum(
        (split.worse_bad + split.other_bad) * _chance(allowed * split.worse_requests / split.other_requests)
        for split in data
    )
    return expected / whole


def _chance(odds: float) -> float:
    return odds / (1 + odds)


def _odds(chance: float) -> float:
    return chance / (1 - chance)


def log_evidence_above(requests: float, bad: float, limit: float) -> float:
    """The logarithm of the e-value against "the share is at most *limit*"; infinite where not one was allowed."""
    if bad > 0 and limit <= 0:
        return math.inf
    if limit <= 0 or limit >= 1:
        return 0.0
    # Halfway to 1, in logarithms, is the furthest alternative: beyond 1 there is none.
    shares = [min(limit * step, math.sqrt(limit)) for step in STEPS]
    return log_mean_exp(
        [bad * math.log(share / limit) + (requests - bad) * math.log((1 - share) / (1 - limit)) for share in shares]
    )


def expected(intervals: t.Sequence[Interval]) -> tuple[Expected, Expected]:
    """The canary's hosts and the baseline's."""
    return (
        _expected([(interval.canary, interval.canary_total) for interval in intervals if interval.canary]),
        _expected([(interval.baseline, interval.baseline_total) for interval in intervals if interval.baseline]),
    )


def _expected(group: t.Sequence[tuple[t.Mapping[str, Cell], Cell]]) -> Expected:
    hosts: Expected = {}
    for cells, (requests, bad) in group:
        rate = bad / requests
        for host, (count, seen_now) in cells.items():
            meant, seen = hosts.get(host, (0.0, 0.0))
            hosts[host] = (meant + count * rate, seen + seen_now)
    return hosts
