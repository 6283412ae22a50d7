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
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge import proportions
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Cell, Interval

# The user's figure counts like that of so many hosts that could be measured exactly.
BELIEF = 4


class Spread(t.NamedTuple):
    """A group's variance between hosts (of the logarithm), the variance of one host's figure, and the degrees of freedom."""

    between: float
    within: float
    freedom: int


def noise(believed: float, spreads: t.Sequence[Spread]) -> float:
    """The standard deviation between hosts: the user's figure, corrected by what the hosts show as far as they are sure.

    The credibility formula (Bühlmann 1967): each group weighs its degrees of freedom by the square of its reliability.
    """
    variance, weight = BELIEF * believed**2, float(BELIEF)
    for spread in spreads:
        reliability = believed**2 / (believed**2 + spread.within) if believed else 0.0
        variance += spread.freedom * reliability**2 * spread.between
        weight += spread.freedom * reliability**2
    return math.sqrt(max(0.0, variance / weight))


def variance_of_ratio(deviation: float, canary: int, baseline: int) -> float:
    """That of the logarithm of the ratio of two groups of so many hosts, from nothing but their hosts."""
    return deviation**2 * (1 / canary + 1 / baseline)


def spreads_of_shares(groups: t.Sequence[proportions.Table], dispersion: float) -> list[Spread]:
    """By the method of moments (DerSimonian and Laird 1986), of each host's bad ones over those expected."""
    found = []
    for table in groups:
        hosts = [(meant, seen) for meant, seen in table.hosts.values() if meant]
        freedom = len(hosts) - 1
        if freedom < 1:
            continue
        whole = sum(meant for meant, dummy in hosts)
        squares = sum((seen - meant) ** 2 / meant for meant, seen in hosts)
        scale = whole - sum(meant**2 for meant, dummy in hosts) / whole
        found.append(Spread((squares - dispersion * freedom) / scale, dispersion * freedom / scale, freedom))
    return found


def spreads_of_values(intervals: t.Sequence[Interval]) -> list[Spread]:
    """By analysis of variance of the logarithms, after each interval's mean is taken off."""
    groups = ([interval.canary for interval in intervals], [interval.baseline for interval in intervals])
    return [spread for spread in map(_spread_of_values, groups) if spread is not None]


def _spread_of_values(group: t.Sequence[t.Mapping[str, Cell]]) -> Spread | None:
    by_host: dict[str, list[float]] = {}
    for cells in group:
        if len(cells) < 2 or any(value <= 0 for dummy, value in cells.values()):
            continue
        logs = [math.log(value) for dummy, value in cells.values()]
        middle = sum(logs) / len(logs)
        for host, each in zip(cells, logs):
            by_host.setdefault(host, []).append(each - middle)
    series = [each for each in by_host.values() if len(each) > 1]
    freedom = len(series) - 1
    if freedom < 1:
        return None
    means = [sum(each) / len(each) for each in series]
    squares = sum(sum(x * x for x in each) - len(each) * mean**2 for each, mean in zip(series, means))
    length = sum(len(each) for each in series) / len(series)
    within = squares / (freedom * (length - 1)) / length
    return Spread(sum(mean**2 for mean in means) / freedom - within, within, freedom)


def count(intervals: t.Sequence[Interval], group: str, known: t.Mapping[str, int]) -> int:
    """How many hosts stand behind a group: those named, or what is known of it, or one."""
    named = {host for interval in intervals for host in getattr(interval, group)}
    return max(1, len(named - {""}), known.get(group, 0) if named <= {""} else 0)
