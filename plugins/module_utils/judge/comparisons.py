# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Two groups compared, the same questions for both kinds of measure: is the suspected one worse by more than is allowed?"""

from __future__ import annotations

import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge import hosts, proportions, ranks
from ansible_collections.steady.rollout.plugins.module_utils.judge.findings import rounded
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import SHARE
from ansible_collections.steady.rollout.plugins.module_utils.judge.numbers import mean_over_normal, normal_tail
from ansible_collections.steady.rollout.plugins.module_utils.judge.rounds import in_rounds

# With fewer bad requests than this nobody is sentenced, whatever the ratio.
LEAST_BAD = 5


class Comparison:
    """The suspected group is the canary, or in *reverse* the baseline. Ratios are of the suspected group to the other."""

    def __init__(self, intervals: t.Sequence[Interval]) -> None:
        self.intervals = intervals

    def ratio(self) -> float | None:
        """What was measured; None where there was nothing of it in either group."""
        raise NotImplementedError

    def log_evidence(self, allowed: float) -> float:
        """The logarithm of the e-value against a ratio of at most *allowed*."""
        raise NotImplementedError

    def p_value(self, allowed: float) -> float:
        """The chance to see this or worse at a ratio of *allowed*; for one look only."""
        raise NotImplementedError

    def p_value_of_hosts(self, variance: float) -> float:
        """The same where the groups are alike but for their hosts, which make the ratio's logarithm vary by *variance*."""
        raise NotImplementedError

    def is_too_little(self) -> bool:
        """Whether no sentence may be based on it, however clear it looks."""
        raise NotImplementedError

    def spreads(self) -> list[hosts.Spread]:
        """How much the hosts of either group differ."""
        raise NotImplementedError

    def figures(self) -> dict[str, t.Any]:
        """What is particular to the kind, for the result."""
        raise NotImplementedError


class OfShares(Comparison):
    def __init__(self, intervals: t.Sequence[Interval], reverse: bool) -> None:
        super().__init__(intervals)
        self._splits = proportions.splits(intervals, reverse)
        self._tables = proportions.tables(intervals)
        self._dispersion = proportions.dispersion(intervals, self._tables)

    def ratio(self) -> float | None:
        return proportions.ratio(self._splits)

    def log_evidence(self, allowed: float) -> float:
        return proportions.log_evidence(self._splits, allowed, self._dispersion)

    def p_value(self, allowed: float) -> float:
        return proportions.p_value(self._splits, allowed, self._dispersion)

    def p_value_of_hosts(self, variance: float) -> float:
        deviation = math.sqrt(variance)
        return mean_over_normal(lambda z: self.p_value(math.exp(deviation * z)))

    def is_too_little(self) -> bool:
        return sum(split.worse_bad for split in self._splits) < LEAST_BAD

    def spreads(self) -> list[hosts.Spread]:
        return hosts.spreads_of_shares(self._tables, self._dispersion)

    def figures(self) -> dict[str, t.Any]:
        return {"dispersion": rounded(self._dispersion)}


class OfValues(Comparison):
    def __init__(self, intervals: t.Sequence[Interval], reverse: bool) -> None:
        super().__init__(in_rounds(intervals))
        self._heats = ranks.heats(self.intervals, reverse)
        self._temper = ranks.temper(self._heats)

    def ratio(self) -> float | None:
        return ranks.ratio(self._heats)

    def log_evidence(self, allowed: float) -> float:
        return ranks.log_evidence(self._heats, allowed, self._temper)

    def p_value(self, allowed: float) -> float:
        return ranks.p_value(self._heats, allowed, self._temper)

    def p_value_of_hosts(self, variance: float) -> float:
        """By the logarithm of the ratio, taken for normal; by ranks where it cannot be told."""
        measured = ranks.log_ratio(self._heats, self._temper)
        if measured is None or not measured[1] + variance:
            return self.p_value(1.0)
        return normal_tail(measured[0] / math.sqrt(measured[1] + variance))

    def is_too_little(self) -> bool:
        return not self._heats

    def spreads(self) -> list[hosts.Spread]:
        return hosts.spreads_of_values(self.intervals)

    def figures(self) -> dict[str, t.Any]:
        return {"effect": rounded(ranks.effect(self._heats)), "temper": rounded(self._temper)}


def comparison(kind: str, intervals: t.Sequence[Interval], reverse: bool) -> Comparison:
    return OfShares(intervals, reverse) if kind == SHARE else OfValues(intervals, reverse)
