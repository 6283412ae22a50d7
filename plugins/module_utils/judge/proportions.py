# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Shares of bad requests: two groups compared, or one with a limit, as often as one likes to look.

The evidence is an e-value, a likelihood ratio that a true null hypothesis makes 1 or less on average, however the
looks are timed; it reaches 1/a at any time with a chance of at most a (Ville 1939; Shafer 2021, "Testing by betting").
"""

from __future__ import annotations

import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Cell, Interval, total
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import BASELINE, CANARY
from ansible_collections.steady.rollout.plugins.module_utils.judge.numbers import binomial_tail, log_mean_exp

# How many times worse than the null hypothesis allows the alternatives are, each believed equally (Robbins 1970).
STEPS = (1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
# A client that tries again makes two bad requests of one; what is believed counts like so many degrees of freedom.
BELIEVED_DISPERSION, BELIEVED_FREEDOM = 1.5, 10


class Split(t.NamedTuple):
    """Requests and bad ones of two groups in one interval. *worse* is the group suspected of the larger share."""

    worse_requests: float
    worse_bad: float
    other_requests: float
    other_bad: float


def splits(intervals: t.Sequence[Interval], reverse: bool = False) -> list[Split]:
    """The intervals in which both groups had requests; the canary is suspected, or the baseline in *reverse*."""
    found = []
    for interval in intervals:
        if interval.canary and interval.baseline:
            canary, baseline = total(interval.canary.values()), total(interval.baseline.values())
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


def log_evidence(data: t.Sequence[Split], allowed: float, dispersion: float = 1.0) -> float:
    """The logarithm of the e-value against "the share is at most *allowed* times the other group's".

    Given the bad ones B of an interval, those of the suspected group are Binomial(B, q r/(1 - q + q r)), q its part of
    the requests and r the ratio of shares (Przyborowski and Wilenski 1940), whatever the share itself was then: a
    baseline that drifts does not matter. For binomial counts the likelihood ratio of r against *allowed* is an e-value
    too: with c = (1 - q + q allowed)/(1 - q + q r) its mean is (1 - allowed p + r p c)^n (1 - p + p c)^m, which by
    1 + x <= e^x is at most 1. *dispersion* above 1 discounts bad ones that come in clumps (McCullagh and Nelder 1989, 9.2).
    """
    bad = sum(split.worse_bad for split in data)
    parts = [
        (split.worse_requests / (split.worse_requests + split.other_requests), split.worse_bad + split.other_bad)
        for split in data
        if split.worse_bad + split.other_bad
    ]
    usual = sum(each * math.log(1 - part + part * allowed) for part, each in parts)
    gains = []
    for step in STEPS:
        supposed = sum(each * math.log(1 - part + part * allowed * step) for part, each in parts)
        gains.append((bad * math.log(step) - supposed + usual) / dispersion)
    return log_mean_exp(gains)


def p_value(data: t.Sequence[Split], allowed: float, dispersion: float = 1.0) -> float:
    """How likely so many bad ones or more are for a share *allowed* times the other group's; for one look only.

    The binomial with the mean chance of all intervals is the wider one (Hoeffding 1956), so this errs on the safe side.
    """
    bad = sum(split.worse_bad for split in data)
    whole = bad + sum(split.other_bad for split in data)
    if not whole:
        return 1.0
    expected = 0.0
    for split in data:
        odds = allowed * split.worse_requests / split.other_requests
        expected += (split.worse_bad + split.other_bad) * odds / (1 + odds)
    return binomial_tail(bad / dispersion, whole / dispersion, expected / whole)


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


class Table(t.NamedTuple):
    """One group's bad requests by interval and host. *rates* are the group's shares in each interval, *hosts* by host
    how many bad ones these make one expect, and how many there were.
    """

    intervals: t.List[t.Dict[str, Cell]]
    rates: t.List[float]
    hosts: t.Dict[str, t.Tuple[float, float]]


def tables(intervals: t.Sequence[Interval]) -> tuple[Table, Table]:
    """The canary's and the baseline's."""
    return (
        _table([interval.canary for interval in intervals if interval.canary]),
        _table([interval.baseline for interval in intervals if interval.baseline]),
    )


def _table(intervals: list[dict[str, Cell]]) -> Table:
    rates = []
    hosts: dict[str, tuple[float, float]] = {}
    for cells in intervals:
        requests, bad = total(cells.values())
        rate = bad / requests
        rates.append(rate)
        for host, (requests, bad) in cells.items():
            meant, seen = hosts.get(host, (0.0, 0.0))
            hosts[host] = (meant + requests * rate, seen + bad)
    return Table(intervals, rates, hosts)


def dispersion(intervals: t.Sequence[Interval], groups: t.Sequence[Table]) -> float:
    """How much more the bad ones vary than chance lets them: Pearson's chi-square over its degrees of freedom, at least 1.

    Of each group's table of hosts by intervals, given both margins (McCullagh and Nelder 1989, 6.2.4); of the two groups
    by intervals where no group shows its hosts. Until there is something to go by, clumps of a usual size are believed.
    """
    squares, freedom = _chi_square(groups)
    if not freedom:
        squares, freedom = _chi_square([_table([_as_hosts(interval) for interval in intervals])])
    return max(1.0, (BELIEVED_FREEDOM * BELIEVED_DISPERSION + squares) / (BELIEVED_FREEDOM + freedom))


def _as_hosts(interval: Interval) -> dict[str, Cell]:
    cells = {CANARY: interval.canary, BASELINE: interval.baseline}
    return {name: total(group.values()) for name, group in cells.items() if group}


def _chi_square(groups: t.Sequence[Table]) -> tuple[float, float]:
    squares = freedom = 0.0
    for table in groups:
        factors = {host: seen / meant for host, (meant, seen) in table.hosts.items() if seen}
        counted = lines = 0
        for rate, cells in zip(table.rates, table.intervals):
            if not rate:
                continue
            lines += 1
            for host, (requests, bad) in cells.items():
                if host in factors:
                    meant = requests * rate * factors[host]
                    squares += (bad - meant) ** 2 / meant
                    counted += 1
        freedom += max(0, counted - len(factors) - lines + 1)
    return squares, freedom
