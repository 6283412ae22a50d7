# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""How much hosts with the same release differ, and how large a difference of two groups this alone explains.

A host's own bias does not average out with time, so with few hosts more intervals do not make a comparison surer. What
is compared is therefore not "equal" but "no further apart than groups of so many hosts are" (Donner and Klar 2000: the
host, not the request, is what was given a release).
"""

from __future__ import annotations

import math
import statistics
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge import proportions
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval

# What the user says of unlike hosts counts like so many of them.
BELIEF = 4
# The same where values show it: they do so sooner than shares of few bad requests.
BELIEF_OF_VALUES = 8

Rows = t.Sequence[t.Mapping[str, float]]


class Spread(t.NamedTuple):
    """A group's variance between hosts (of the logarithm), the variance of one host's figure, and the degrees of freedom."""

    between: float
    within: float
    freedom: int


class Within(t.NamedTuple):
    """The variance of one value of a host, its degrees of freedom, and the correlation of neighbouring intervals."""

    variance: float
    freedom: float
    correlation: float


class Between(t.NamedTuple):
    """The variance that hosts alone give the logarithm of a ratio of two groups, and its degrees of freedom.

    *known* is what is added for the levels before the release, which are known to a standard error, *drift* what hosts change
    by themselves from a gate's beginning to its end.
    """

    variance: float
    freedom: float
    known: float
    drift: float = 0.0


def noise(believed: float, spreads: t.Sequence[Spread], belief: int = BELIEF) -> tuple[float, float]:
    """The standard deviation between hosts, with its degrees of freedom: the user's figure, corrected by what the hosts show.

    *belief* is how many hosts that could be measured exactly the figure counts like. The credibility formula (Bühlmann 1967):
    each group weighs its degrees of freedom by the square of its reliability.
    """
    variance, weight = belief * believed**2, float(belief)
    for spread in spreads:
        reliability = believed**2 / (believed**2 + spread.within) if believed else 0.0
        variance += spread.freedom * reliability**2 * spread.between
        weight += spread.freedom * reliability**2
    return math.sqrt(max(0.0, variance / weight)), weight


def variance_of_ratio(deviation: float, canary: int, baseline: int) -> float:
    """That of the logarithm of the ratio of two groups of so many hosts, from nothing but their hosts."""
    return deviation**2 * (1 / canary + 1 / baseline)


def spreads_of_shares(groups: t.Sequence[proportions.Expected], dispersion: float) -> list[Spread]:
    """By the method of moments (DerSimonian and Laird 1986), of each host's bad ones over those expected."""
    found = []
    for group in groups:
        hosts = [(meant, seen) for meant, seen in group.values() if meant]
        freedom = len(hosts) - 1
        if freedom < 1:
            continue
        whole = sum(meant for meant, dummy in hosts)
        squares = sum((seen - meant) ** 2 / meant for meant, seen in hosts)
        scale = whole - sum(meant**2 for meant, dummy in hosts) / whole
        found.append(Spread((squares - dispersion * freedom) / scale, dispersion * freedom / scale, freedom))
    return found


def spread_of_values(rows: Rows, known: float) -> Spread | None:
    """By analysis of variance of logarithms, after each interval's mean is taken off; *known* variance is not the hosts'."""
    series = _series(rows)
    freedom = len(series) - 1
    if freedom < 1:
        return None
    spread = within(rows)
    length = sum(len(each) for each in series.values()) / len(series)
    temper = (1 - spread.correlation) / (1 + spread.correlation)
    noisy = spread.variance / length / temper + known
    means = [statistics.fmean(each) for each in series.values()]
    return Spread(sum(mean**2 for mean in means) / freedom - noisy, noisy, freedom)


def within(rows: Rows) -> Within:
    """The noise of one value, by the residuals of hosts and intervals, and how alike neighbouring residuals of a host are."""
    series = _series(rows)
    freedom = sum(len(each) - 1 for each in series.values()) * (1 - 1 / len(series)) if series else 0.0
    if freedom < 1:
        return Within(0.0, 0.0, 0.0)
    squares = products = 0.0
    for each in series.values():
        middle = statistics.fmean(each)
        around = [one - middle for one in each]
        squares += sum(one * one for one in around)
        products += sum(one * following for one, following in zip(around, around[1:]))
    if not squares:
        return Within(0.0, freedom, 0.0)
    length = sum(len(each) for each in series.values()) / len(series)
    # Residuals around their own mean are less alike by 1/length; one standard error is forgiven.
    seen = products / squares + 1 / length - 1 / math.sqrt(freedom)
    return Within(squares / freedom, freedom, min(0.9, max(0.0, seen)))


def pooled(several: t.Sequence[Within]) -> Within:
    freedom = sum(each.freedom for each in several)
    if not freedom:
        return Within(0.0, 0.0, 0.0)
    variance = sum(each.freedom * each.variance for each in several) / freedom
    return Within(variance, freedom, sum(each.freedom * each.correlation for each in several) / freedom)


def _series(rows: Rows) -> dict[str, list[float]]:
    """The hosts' values beside their interval's mean, of hosts with more than one."""
    series: dict[str, list[float]] = {}
    for row in rows:
        if len(row) < 2:
            continue
        middle = sum(row.values()) / len(row)
        for host, each in row.items():
            series.setdefault(host, []).append(each - middle)
    return {host: each for host, each in series.items() if len(each) > 1}


def count(intervals: t.Sequence[Interval], group: str, known: t.Mapping[str, int]) -> int:
    """How many hosts stand behind a group: those named, or what is known of it, or one."""
    named = {host for interval in intervals for host in getattr(interval, group)}
    return max(1, len(named - {""}), known.get(group, 0) if named <= {""} else 0)
