# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The canary beside its baseline: judged statistically, or held to a ratio that the user named.

Three things have to come together for a fail: chance alone brings it about too seldom (spending.py says how seldom that has
to be at this look), what was measured is beyond the tolerance or the ratio that the user named, and it is spread over
intervals and hosts.
"""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge import clumps, paired, proportions
from ansible_collections.steady.rollout.plugins.module_utils.judge.comparisons import (
    ONE_HOST,
    PAST,
    SPREAD,
    Given,
    Tested,
    comparison,
)
from ansible_collections.steady.rollout.plugins.module_utils.judge.findings import (
    Finding,
    both,
    overall,
    rounded,
    together,
)
from ansible_collections.steady.rollout.plugins.module_utils.judge.history import History
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval, warm_up
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import (
    DECREASE,
    EITHER,
    FAIL,
    INCONCLUSIVE,
    INCREASE,
    PASS,
    SHARE,
    WAIT,
    Metric,
    Progress,
    Range,
)
from ansible_collections.steady.rollout.plugins.module_utils.judge.spending import SUSPECT, Budget, level

# A gate that waits does so until the p-value is above this.
CLEARED = 0.15
# What a ratio is named for, such as sales, changes slowly, and a false stop of it is dear: nearly all is kept for the end.
LATE_OF_RATIO = 12.0
# Before the end, what was measured has to be beyond the tolerance with some certainty: this is the p-value.
EARLY_BEYOND = 0.16
# What is bad on one of several hosts only is reported before the end where it is so much clearer than it had to be.
CLEARLY = 0.001


@dataclasses.dataclass(frozen=True)
class Case:
    """One metric's evidence. *chance* is that of a false stop which each of its directions may take."""

    metric: Metric
    intervals: t.Sequence[Interval]
    before: History
    sizes: t.Mapping[str, int]
    host_noise: float
    chance: float
    progress: Progress
    warming: t.Sequence[Interval] = ()
    """The intervals of the usual warm-up, which count for a trend only."""

    @property
    def final(self) -> bool:
        return self.progress.final

    @property
    def given(self) -> Given:
        began = self.progress.began
        return Given(self.intervals, self.before, self.sizes, self.host_noise, began, self.warming)

    @property
    def least_beyond(self) -> float:
        """How sure it has to be that what was measured is beyond the tolerance."""
        return 0.5 if self.final else EARLY_BEYOND

    def looks(self) -> list[float]:
        """When there was something to look at, as fractions of the window without the metric's delay."""
        delay = warm_up(self.metric, self.progress.window)
        since, window = self.progress.began + delay, self.progress.window - delay
        return [(each.at - since) / max(window, 1.0) for each in self.intervals if each.canary and each.baseline]

    def waiting(self) -> float:
        """How long the gate may wait after the window, in windows."""
        return self.progress.waiting / self.progress.window


class Judged(t.NamedTuple):
    """What the tests say together. *p* is the smallest p-value, *level* what it would have to be.

    *spent* is the chance of a false stop that all looks so far have spent.
    """

    verdict: str
    p: float
    level: float
    spent: float
    is_of_one_host: bool = False


def judged(case: Case) -> Finding:
    """Whether the canary is worse than the baseline, by more than the tolerance as measured and certainly not by chance."""
    sides = (INCREASE, DECREASE) if case.metric.direction == EITHER else (case.metric.direction,)
    return together([_judged(case, side) for side in sides])


def held(case: Case, bounds: Range) -> Finding:
    """Whether the canary's ratio to the baseline stays within the bounds, or is beyond them by no more than luck."""
    findings = []
    if bounds.high is not None:
        findings.append(_held(case, bounds, INCREASE, bounds.high))
    if bounds.low is not None and bounds.low > 0:
        findings.append(_held(case, bounds, DECREASE, 1 / bounds.low))
    return together(findings)


def _judged(case: Case, side: str) -> Finding:
    compared = comparison(case.metric.kind, case.given, side == DECREASE)
    tolerated = _tolerated(case.metric.tolerance, side)
    found = verdict_on(case, compared.tests(tolerated, case.least_beyond), tolerated, compared.extent)
    figures = {
        **overall(case.metric, case.intervals),
        **compared.figures(),
        "ratio": rounded(_outward(compared.ratio(), side)),
        "allowed_ratio": rounded(_outward(tolerated, side)),
        "host_noise": rounded(compared.noise),
        "p_value": rounded(found.p),
        "p_needed": rounded(found.level),
        "false_stop_spent": rounded(found.spent),
    }
    return Finding(found.verdict, _sentence(case, found, figures), figures, stops=found.is_of_one_host)


def verdict_on(case: Case, tests: t.Sequence[Tested], tolerated: float, extent: t.Callable[[float], str]) -> Judged:
    """At any look: is it proven? At the end of the window: is it suspect, and is there time to wait?"""
    if not tests:
        return Judged(INCONCLUSIVE if case.final else WAIT, 1.0, 0.0, 0.0)
    looks = case.looks()
    budgets = [Budget(case.chance * test.part, test.late, case.waiting()) for test in tests]
    levels = [level(budget, looks) for budget in budgets]
    spent = sum(budget.spent(max(looks, default=0.0)) for budget in budgets)
    beyond = [(test, needed) for test, needed in zip(tests, levels) if test.beyond <= case.least_beyond]
    test, needed = min(beyond or list(zip(tests, levels)), key=lambda each: each[0].p)
    is_proven = any(test.p <= needed for test, needed in beyond)
    is_suspect = case.final and bool(beyond) and test.p <= _suspicion(case, needed)
    where = extent(tolerated) if is_proven or is_suspect else ""
    if is_proven and where == SPREAD:
        return Judged(FAIL, test.p, needed, spent)
    if is_proven and where == ONE_HOST and (case.final or test.p <= needed * CLEARLY):
        return Judged(INCONCLUSIVE, test.p, needed, spent, is_of_one_host=True)
    if not case.final:
        return Judged(WAIT, test.p, needed, spent)
    return Judged(INCONCLUSIVE if is_suspect and where != PAST else PASS, test.p, needed, spent)


def _suspicion(case: Case, needed: float) -> float:
    """Up to which p-value a result at the end of the window is not clear; where no more time is left, what is proven.

    Anything more would stop good releases beside the chance that is spent on them.
    """
    over = case.progress.elapsed - case.progress.window
    if over >= case.progress.waiting:
        return needed
    return CLEARED if over >= case.progress.window / 20 else SUSPECT


def _sentence(case: Case, found: Judged, figures: t.Mapping[str, t.Any]) -> str:
    said = f"{case.metric.name}: {both(case.metric, figures)}"
    chance = f" (p {found.p:.2g})"
    if found.verdict == WAIT:
        return f"{said}; no proof of harm so far."
    if found.is_of_one_host:
        return f"{said}; worse than chance explains{chance}, but on one host only: the host or the release may be at fault."
    if found.verdict == INCONCLUSIVE:
        return f"{said}; suspect, but not enough evidence{chance}."
    reasons = f"chance, tolerance and differences between hosts ({100 * figures['host_noise']:.2g} %)"
    if found.verdict == PASS:
        return f"{said}; no worse than {reasons} explain{chance}."
    return f"{said}; worse than {reasons} explain{chance}."


def _tolerated(tolerance: float, side: str) -> float:
    if side == INCREASE:
        return 1 + tolerance
    return 1 / (1 - tolerance) if tolerance < 1 else math.inf


def _outward(ratio: float | None, side: str) -> float | None:
    """A ratio of the suspected group to the other, as one of the canary to the baseline."""
    if ratio is None or side == INCREASE:
        return ratio
    return 1 / ratio if ratio else math.inf


def _held(case: Case, bounds: Range, side: str, allowed: float) -> Finding:
    reverse = side == DECREASE
    if case.metric.kind == SHARE:
        intervals = clumps.capped(case.intervals)
        splits = proportions.splits(intervals, reverse)
        dispersion = clumps.dispersion(intervals)
        ratio = proportions.ratio(splits)
        p_values = [proportions.p_value(splits, each, dispersion) for each in (min(1.0, allowed), allowed)]
    else:
        pairs = paired.pairs(case.intervals, reverse)
        ratio = paired.ratio(pairs)
        p_values = [paired.p_value(pairs, each) for each in (min(1.0, allowed), allowed)]
    test = Tested(1.0, LATE_OF_RATIO, p_values[0], ratio, p_values[1])
    found = verdict_on(case, [test], allowed, lambda dummy: SPREAD)
    outward = _outward(ratio, side)
    figures = {**overall(case.metric, case.intervals), "ratio": rounded(outward), "p_value": rounded(found.p)}
    figures = {**figures, "p_needed": rounded(found.level), "false_stop_spent": rounded(found.spent)}
    said = f"{case.metric.name}: {both(case.metric, figures)}"
    chance = f" (p {found.p:.2g})"
    if found.verdict == FAIL:
        return Finding(FAIL, f"{said}, not {bounds.text}, and not by chance{chance}.", figures)
    if found.verdict == WAIT:
        return Finding(WAIT, f"{said}, wanted {bounds.text}; nothing is proven so far.", figures)
    if found.verdict == INCONCLUSIVE:
        return Finding(INCONCLUSIVE, f"{said}, not {bounds.text}, but not enough evidence{chance}.", figures)
    if outward is None or bounds.holds(outward):
        return Finding(PASS, f"{said}, as wanted {bounds.text}.", figures)
    return Finding(PASS, f"{said}, not {bounds.text} as measured, but chance explains it{chance}.", figures)
