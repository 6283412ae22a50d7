# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Values such as latencies: how much the canary's hosts changed beside the baseline's, in logarithms.

In every interval each host's value is taken relative to the host's own level before the release, where that is known
(levels.py), and the canary's mean is compared with the baseline's of the same interval: what happens to the whole fleet
cancels (difference in differences; Bertrand, Duflo and Mullainathan 2004 for what follows when neighbouring intervals are
alike). Two statistics of these differences are tested: their mean, and, for what grows slowly such as a leak, a line from the
gate's beginning on, estimated by generalised least squares (Aitken 1936), the most powerful test against it. The line begins
with the warm-up, which the mean leaves out: what is slow at first makes a line less steep, so that it stops nothing good.

The noise of an interval is estimated from the hosts by two-way analysis of variance (Scheffe 1959, 4.1) together with the
differences themselves; a host's lasting deviation is a variance component of its own (hosts.py), and so is what hosts drift
within the gate, which a line does not tell from growth. The sum has a t-distribution with Satterthwaite's degrees of freedom
(1946). Assumed: logarithms are roughly normal within an interval, after differences beyond three deviations are cut off (Huber
1964); correlation falls off from interval to interval; half of an interval's variance is that of the requests behind its values.
"""

from __future__ import annotations

import math
import statistics
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge import bounded, hosts
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Cell, Interval
from ansible_collections.steady.rollout.plugins.module_utils.judge.levels import Level, logarithm
from ansible_collections.steady.rollout.plugins.module_utils.judge.numbers import student_tail

CUT = 3.0
"""Deviations of the median beyond which a difference is cut off."""
SAME_LOAD = 1.5
"""Loads that differ by at most this factor are alike."""
TO_NORMAL = 1.4826
"""The standard deviation of a normal figure is so many median absolute deviations."""
NOTHING = 1e-12
EXACT = 1e6
"""Degrees of freedom of what is known exactly."""

Logs = t.Dict[str, float]


class Change(t.NamedTuple):
    """One interval: every host's logarithm over its own level, and the mean number of requests behind a value."""

    at: float
    canary: Logs
    baseline: Logs
    canary_count: float
    baseline_count: float

    @property
    def difference(self) -> float:
        return statistics.fmean(self.canary.values()) - statistics.fmean(self.baseline.values())

    @property
    def load(self) -> float:
        """The requests of a host of the canary beside those of one of the baseline; 0 where they are not known."""
        return self.canary_count / self.baseline_count if self.baseline_count else 0.0


class Noise(t.NamedTuple):
    """The variance of one interval's difference, its degrees of freedom, and what part of the intervals' number counts."""

    variance: float
    freedom: float
    temper: float


class Estimate(t.NamedTuple):
    """A logarithm of a ratio, its standard error and degrees of freedom."""

    figure: float
    error: float
    freedom: float

    def p_value(self, allowed: float = 0.0) -> float:
        """How likely this or more is where the true logarithm is *allowed*."""
        if self.error <= NOTHING:
            return 0.0 if self.figure > allowed + NOTHING else 1.0
        return student_tail((self.figure - allowed) / self.error, self.freedom)


def changes(intervals: t.Sequence[Interval], levels: t.Mapping[str, Level], reverse: bool) -> list[Change]:
    """The intervals in which both groups were measured; *reverse* turns what falls into what rises."""
    sign = -1.0 if reverse else 1.0
    found = []
    for each in intervals:
        if each.canary and each.baseline:
            canary, baseline = _logs(each.canary, levels, sign), _logs(each.baseline, levels, sign)
            found.append(Change(each.at, canary, baseline, _count(each.canary), _count(each.baseline)))
    return found


def without_outliers(data: t.Sequence[Change]) -> list[Change]:
    """The changes with what a single figure of a single host may say bounded, each group by itself."""
    canaries, baselines = [each.canary for each in data], [each.baseline for each in data]
    usual = bounded.residuals(baselines, baselines)
    believed = bounded.scale(usual) * math.sqrt(_thinner(data)) if data else 0.0
    canaries = bounded.bounded(canaries, bounded.residuals(canaries, baselines), believed)
    return [
        each._replace(canary=canary, baseline=baseline)
        for each, canary, baseline in zip(data, canaries, bounded.bounded(baselines, usual))
    ]


def _thinner(data: t.Sequence[Change]) -> float:
    """How many times fewer requests are behind a value of the canary than behind one of the baseline; at least 1."""
    canary = statistics.fmean(each.canary_count for each in data)
    return max(1.0, statistics.fmean(each.baseline_count for each in data) / canary) if canary > 0 else 1.0


def as_loaded(earlier: t.Sequence[Change], here: t.Sequence[Change]) -> list[Change]:
    """The earlier intervals in which the canary's hosts had about as much traffic beside the baseline's as now.

    With its share a host's load grows, and with its load its latency; and a quantile of few requests is not that of many.
    Where the number of requests is not known, nothing earlier is used.
    """
    loads = [each.load for each in here if each.load]
    if not loads:
        return []
    now = statistics.median(loads)
    return [each for each in earlier if each.load and abs(math.log(each.load / now)) <= math.log(SAME_LOAD)]


def _logs(cells: t.Mapping[str, Cell], levels: t.Mapping[str, Level], sign: float) -> Logs:
    unknown = Level(0.0, 0.0)
    return {host: sign * (logarithm(value) - levels.get(host, unknown).mean) for host, (dummy, value) in cells.items()}


def _count(cells: t.Mapping[str, Cell]) -> float:
    return sum(count for count, dummy in cells.values()) / len(cells)


def differences(data: t.Sequence[Change]) -> list[float]:
    """The intervals' differences; what lies further than CUT deviations from their median is cut off."""
    found = [each.difference for each in data]
    middle = statistics.median(found)
    deviation = TO_NORMAL * statistics.median(abs(each - middle) for each in found)
    if len(found) < 5 or not deviation:
        return found
    return [min(max(each, middle - CUT * deviation), middle + CUT * deviation) for each in found]


def noise(data: t.Sequence[Change], found: t.Sequence[float], before: hosts.Within) -> Noise:
    """What chance does to one interval's difference: hosts beside each other show it, before and since, and so do the intervals."""
    canary = hosts.within([each.canary for each in data])
    baseline = hosts.within([each.baseline for each in data])
    others = hosts.pooled((baseline, before))
    # With fewer requests behind each value the canary's is noisier than the baseline's.
    thinner = _thinner(data)
    believed = hosts.Within(others.variance * thinner, others.freedom / thinner**2, others.correlation)
    own = hosts.pooled((canary, believed))
    sizes = [(len(each.canary), len(each.baseline)) for each in data]
    by_hosts = statistics.fmean(own.variance / many + others.variance / few for many, few in sizes)
    seen = statistics.variance(found) if len(found) > 1 else 0.0
    freedom = own.freedom + max(0, len(found) - 1)
    variance = (own.freedom * by_hosts + max(0, len(found) - 1) * seen) / freedom if freedom else 0.0
    correlation = own.correlation if own.freedom else _correlation(found)
    return Noise(variance, freedom, (1 - correlation) / (1 + correlation))


def _correlation(found: t.Sequence[float]) -> float:
    """Of neighbouring differences; one standard error is forgiven: by chance alone it is above 0 half of the time."""
    if len(found) < 3:
        return 0.0
    middle = statistics.fmean(found)
    around = [each - middle for each in found]
    squares = sum(each * each for each in around)
    if squares < NOTHING:
        return 0.0
    seen = sum(one * following for one, following in zip(around, around[1:])) / squares
    return min(0.9, max(0.0, seen - 1 / math.sqrt(len(found))))


def mean(data: t.Sequence[Change], found: t.Sequence[float], chance: Noise, between: hosts.Between) -> Estimate:
    """The differences' mean."""
    return _estimate(found, [1.0] * len(found), _parts(data), chance, between)


def trend(
    data: t.Sequence[Change], found: t.Sequence[float], began: float, chance: Noise, between: hosts.Between
) -> Estimate:
    """What a line from nothing at *began* has grown to at the last interval."""
    length = data[-1].at - began
    return _estimate(found, [(each.at - began) / length for each in data], _parts(data), chance, between, between.drift)


def _parts(data: t.Sequence[Change]) -> list[float]:
    """Each interval's variance beside the usual one; 1 where it is not known how many requests are behind the values.

    The variance of a mean or a quantile is inverse to their number (David and Nagaraja 2003, 10.2), what else makes a host vary is
    not: half is taken for each.
    """
    if not all(each.canary_count > 0 and each.baseline_count > 0 for each in data):
        return [1.0] * len(data)
    found = [
        1 / (each.canary_count * len(each.canary)) + 1 / (each.baseline_count * len(each.baseline)) for each in data
    ]
    usual = statistics.fmean(found)
    return [(1 + each / usual) / 2 for each in found]


def by_host(data: t.Sequence[Change], began: float | None) -> Logs:
    """How much each host of the canary changed beside the baseline: by its mean, or where *began* is given, by such a line."""
    length = 1.0 if began is None else data[-1].at - began
    products: Logs = {}
    squares: Logs = {}
    for each in data:
        middle = statistics.fmean(each.baseline.values())
        weight = 1.0 if began is None else (each.at - began) / length
        for host, value in each.canary.items():
            products[host] = products.get(host, 0.0) + weight * (value - middle)
            squares[host] = squares.get(host, 0.0) + weight * weight
    return {host: product / squares[host] for host, product in products.items() if squares[host]}


def _estimate(
    found: t.Sequence[float],
    shape: t.Sequence[float],
    parts: t.Sequence[float],
    chance: Noise,
    between: hosts.Between,
    drift: float = 0.0,
) -> Estimate:
    """How large a change of this shape is, by generalised least squares (Aitken 1936; Draper and Smith 1998, 9.2).

    An interval counts by the inverse of its variance, *parts* of the usual one. What the hosts lastingly differ by is the same
    in every interval, so that what all intervals have in common is trusted less, the less the hosts are known beside the
    noise. What they *drift* by themselves is like what is looked for; it is part of what they differ by over the whole gate,
    and counts once.
    """
    lasting = max(0.0, between.variance - drift * statistics.fmean(shape) ** 2)
    of_interval, of_hosts = chance.variance / chance.temper, lasting + between.known
    together = of_interval + of_hosts * sum(1 / part for part in parts)
    common = of_hosts * sum(each / part for each, part in zip(shape, parts)) / together if together else 0.0
    weights = [(each - common) / part for each, part in zip(shape, parts)]
    scale = sum(weight * each for weight, each in zip(weights, shape))
    if scale <= NOTHING:
        weights, scale = list(shape), sum(each * each for each in shape)
    figure = sum(weight * each for weight, each in zip(weights, found)) / scale
    squares = sum(weight * weight * part for weight, part in zip(weights, parts)) / scale**2
    whole = (sum(weights) / scale) ** 2
    by_chance, by_hosts = of_interval * squares, lasting * whole
    variance = by_chance + by_hosts + between.known * whole + drift
    if variance <= NOTHING:
        return Estimate(figure, 0.0, 1.0)
    freedom = by_chance**2 / max(1.0, chance.freedom * chance.temper) + by_hosts**2 / max(1.0, between.freedom)
    return Estimate(figure, math.sqrt(variance), variance**2 / freedom if freedom else EXACT)
