# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Two groups compared, the same questions for both kinds of measure: is the suspected one worse, and is it so everywhere?"""

from __future__ import annotations

import dataclasses
import math
import statistics
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge import clumps, hosts, levels, proportions, values
from ansible_collections.steady.rollout.plugins.module_utils.judge.findings import rounded
from ansible_collections.steady.rollout.plugins.module_utils.judge.history import History
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import BASELINE, CANARY, SHARE
from ansible_collections.steady.rollout.plugins.module_utils.judge.rounds import in_rounds

# With fewer bad requests than this nobody is sentenced, whatever the ratio.
LEAST_BAD = 5
# What is bad in fewer intervals than this may be one incident.
LEAST_INTERVALS = 3
# Without its worst host, the canary is still suspect at this p-value where the release is at fault and not the host.
OTHERS = 0.5

SPREAD, SHORT, PAST, ONE_HOST = "spread", "short", "past", "one_host"
"""Where the evidence is: over intervals and hosts, in too few intervals so far, in too few that are over, on one of several hosts."""


@dataclasses.dataclass(frozen=True)
class Given:
    """What is compared: the intervals of this gate, and what was measured before it. *warming* are its first ones."""

    intervals: t.Sequence[Interval]
    before: History
    sizes: t.Mapping[str, int]
    host_noise: float
    began: float
    warming: t.Sequence[Interval] = ()


class Tested(t.NamedTuple):
    """One statistic. *part* of the chance of a false stop is its own, spent as *late* as this (see spending.py).

    *p* is its p-value against "no worse at all", *ratio* what it measures, *beyond* its p-value against the tolerated ratio.
    """

    part: float
    late: float
    p: float
    ratio: t.Optional[float]
    beyond: float


class Comparison:
    """The suspected group is the canary, or in *reverse* the baseline. Ratios are of the suspected group to the other."""

    noise: float

    def tests(self, tolerated: float, least_beyond: float) -> list[Tested]:
        """What p-values above *least_beyond* are exactly does not matter where they are those of the tolerated ratio."""
        raise NotImplementedError

    def ratio(self) -> float | None:
        """What was measured at this gate; None where there was nothing of it in either group."""
        raise NotImplementedError

    def extent(self, tolerated: float) -> str:
        raise NotImplementedError

    def figures(self) -> dict[str, t.Any]:
        """What is particular to the kind, for the result."""
        raise NotImplementedError


class OfShares(Comparison):
    """Errors come at any time, so most of the chance is kept for the end."""

    LATE = 4.0
    AT_THIS_GATE = 0.7

    def __init__(self, given: Given, reverse: bool) -> None:
        self._reverse = reverse
        self._gates = [_Counted(given.intervals, given, reverse)]
        if given.before.earlier:
            self._gates.append(_Counted([*given.before.earlier, *given.intervals], given, reverse))
        self.noise = self._gates[0].noise

    def tests(self, tolerated: float, least_beyond: float) -> list[Tested]:
        parts = [1.0] if len(self._gates) == 1 else [self.AT_THIS_GATE, 1 - self.AT_THIS_GATE]
        found = []
        for part, gate in zip(parts, self._gates):
            p = gate.p_value(1.0)
            # That of a larger ratio is no smaller.
            beyond = p if p > least_beyond else gate.p_value(tolerated)
            found.append(Tested(part, self.LATE, p, gate.ratio, beyond))
        return found

    def ratio(self) -> float | None:
        return self._gates[0].ratio

    def extent(self, tolerated: float) -> str:
        return self._gates[-1].extent()

    def figures(self) -> dict[str, t.Any]:
        return {"dispersion": rounded(self._gates[0].dispersion)}


class _Counted:
    """Shares of some intervals."""

    def __init__(self, intervals: t.Sequence[Interval], given: Given, reverse: bool) -> None:
        self._reverse = reverse
        self._intervals = clumps.capped(intervals)
        self._splits = proportions.splits(self._intervals, reverse)
        self.dispersion = clumps.dispersion(self._intervals)
        self.ratio = proportions.ratio(self._splits)
        spreads = hosts.spreads_of_shares(proportions.expected(self._intervals), self.dispersion)
        self.noise, dummy = hosts.noise(given.host_noise, spreads)
        self._by_hosts = hosts.variance_of_ratio(self.noise, given.sizes[CANARY], given.sizes[BASELINE])

    def p_value(self, allowed: float) -> float:
        return proportions.p_value(self._splits, allowed, self.dispersion, self._by_hosts)

    def extent(self) -> str:
        bad = [split for split in self._splits if split.worse_bad]
        if len(bad) < LEAST_INTERVALS:
            return SHORT if any(split.worse_bad for split in self._splits[1 - LEAST_INTERVALS :]) else PAST
        if sum(split.worse_bad for split in bad) < LEAST_BAD:
            return SHORT
        canary = {host for each in self._intervals for host in each.canary}
        if len(canary) > 1 and max(self._without(host) for host in canary) > OTHERS:
            return ONE_HOST
        return SPREAD

    def _without(self, host: str) -> float:
        splits = proportions.splits(self._intervals, self._reverse, without=host)
        return proportions.p_value(splits, 1.0, self.dispersion)


class OfValues(Comparison):
    """What is slow is slow from the first interval on, so its chance is spent evenly; what grows shows at the end."""

    LATE, LATE_OF_TREND = 0.0, 20.0
    # The two statistics are correlated, by 0.8 where hosts differ as they usually do, so that together they spend less than
    # their sum: with these parts the whole chance, by simulation (test_judge_trend.py).
    # What is slow from the first interval on is seen soon by any part of the chance; what grows needs most of it.
    OF_MEAN, OF_TREND = 0.3, 0.9
    # What part of the intervals, the latest ones, must be beyond the tolerance too: what has passed is no reason to stop.
    LATEST = 3

    def __init__(self, given: Given, reverse: bool) -> None:
        intervals = in_rounds(given.intervals)
        before, known = given.before, given.before.known
        self._here = values.without_outliers(values.changes(intervals, known, reverse))
        earlier = values.as_loaded(before.changes(reverse), self._here)
        self._data = [*earlier, *self._here]
        # Where a line begins says as much of it as its end. What starts cold is slow, which makes the line less steep.
        warming = values.without_outliers(values.changes(in_rounds(given.warming), known, reverse))
        self._from_start = [*earlier, *warming, *self._here]
        self._began = min([given.began, *(each.at for each in self._data[:1])])
        self._differences = values.differences(self._data) if self._data else []
        self._is_own = bool(known) and all(
            host in known for each in intervals for host in (*each.canary, *each.baseline)
        )
        self._hosts = self._between(given, known)
        self._noise = (
            values.noise(self._data, self._differences, before.within) if self._data else values.Noise(0, 0, 1)
        )
        self._mean, self._trend = self._estimates()

    def _between(self, given: Given, known: t.Mapping[str, levels.Level]) -> hosts.Between:
        believed, belief = given.host_noise, hosts.BELIEF_OF_VALUES
        if self._is_own and believed > levels.OWN_NOISE:
            believed, belief = levels.OWN_NOISE, levels.BELIEF
        groups = [[each.canary for each in self._data], [each.baseline for each in self._data]]
        of_levels = []
        for group in groups:
            names = {host for row in group for host in row if host in known}
            of_levels.append(statistics.fmean(known[host].variance for host in names) if names else 0.0)
        spreads = [hosts.spread_of_values(group, variance) for group, variance in zip(groups, of_levels)]
        self.noise, freedom = hosts.noise(believed, [each for each in spreads if each is not None], belief)
        canary, baseline = given.sizes[CANARY], given.sizes[BASELINE]
        variance = hosts.variance_of_ratio(self.noise, canary, baseline)
        drift = hosts.variance_of_ratio(min(levels.OWN_NOISE, given.host_noise), canary, baseline)
        return hosts.Between(variance, freedom, of_levels[0] / canary + of_levels[1] / baseline, drift)

    def _estimates(self) -> tuple[values.Estimate | None, values.Estimate | None]:
        """Of the mean and of the trend, None for what nothing tells."""
        if not self._data:
            return None, None
        here = len(self._here)
        mean = values.mean(self._data[-here:], self._differences[-here:], self._noise, self._hosts)
        if len(self._data) < LEAST_INTERVALS:
            return mean, None
        found = values.differences(self._from_start)
        return mean, values.trend(self._from_start, found, self._began, self._noise, self._hosts)

    def tests(self, tolerated: float, least_beyond: float) -> list[Tested]:
        spent = ((self.OF_MEAN, self.LATE, self._mean), (self.OF_TREND, self.LATE_OF_TREND, self._trend))
        return [self._tested(part, late, each, tolerated) for part, late, each in spent if each is not None]

    def _tested(self, part: float, late: float, estimate: values.Estimate, tolerated: float) -> Tested:
        beyond = estimate.p_value(math.log(tolerated)) if math.isfinite(tolerated) else 1.0
        return Tested(part, late, estimate.p_value(), math.exp(min(estimate.figure, 700.0)), beyond)

    def ratio(self) -> float | None:
        if not self._here:
            return None
        return math.exp(min(700.0, statistics.fmean(self._differences[-len(self._here) :])))

    def extent(self, tolerated: float) -> str:
        latest = self._differences[-max(LEAST_INTERVALS, len(self._here) // self.LATEST) :]
        if len(latest) < LEAST_INTERVALS or statistics.fmean(latest) <= math.log(tolerated):
            return SHORT if len(latest) < LEAST_INTERVALS else PAST
        changes = sorted(values.by_host(self._here, self._began if self._grows() else None).values())
        if len(changes) > 1 and statistics.fmean(changes[:-1]) <= math.log(tolerated) / 2:
            return ONE_HOST
        return SPREAD

    def _grows(self) -> bool:
        """Whether a line is the clearer evidence: halfway through, each host's mean is only half of what it has grown to."""
        return self._mean is not None and self._trend is not None and self._trend.p_value() < self._mean.p_value()

    def figures(self) -> dict[str, t.Any]:
        return {"temper": rounded(self._noise.temper), "own_past": self._is_own}


def comparison(kind: str, given: Given, reverse: bool) -> Comparison:
    return OfShares(given, reverse) if kind == SHARE else OfValues(given, reverse)
