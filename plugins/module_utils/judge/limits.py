# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The canary's own figure held to a limit."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge import proportions, ranks
from ansible_collections.steady.rollout.plugins.module_utils.judge.compare import Case
from ansible_collections.steady.rollout.plugins.module_utils.judge.findings import (
    Finding,
    figure_of,
    many,
    one,
    overall,
)
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import total
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import CANARY, FAIL, PASS, SHARE, WAIT, Range


def limited(case: Case, limit: Range) -> Finding:
    """Whether the canary keeps the limit.

    Where the user says how many measurements may break it, they are counted. Else before the last look only what is
    sure to be beyond it fails, and on the last one the figure of the whole window counts.
    """
    return _counted(case, limit) if case.metric.counts_failures else _over_the_window(case, limit)


def _over_the_window(case: Case, limit: Range) -> Finding:
    figures = overall(case.metric, case.intervals)
    cells = [cell for interval in case.intervals for cell in interval.canary.values()]
    figure = figure_of(case.metric, cells)
    said = f"{case.metric.name}: {one(case.metric, figures, CANARY)}"
    if _evidence(case, limit) >= -math.log(case.chance):
        return Finding(FAIL, f"{said}, certainly not {limit.text}.", figures)
    if not case.final:
        return Finding(WAIT, f"{said}, wanted {limit.text}; nothing is proven so far.", figures)
    if figure is not None and limit.holds(figure):
        return Finding(PASS, f"{said}, as wanted {limit.text}.", figures)
    return Finding(FAIL, f"{said}, not {limit.text}.", figures)


def _evidence(case: Case, limit: Range) -> float:
    """The logarithm of the e-value against "it keeps the limit": of requests, or of most measurements."""
    if case.metric.kind != SHARE:
        signs = [ranks.Heat([0.0 if limit.holds(each) else 2.0], [1.0]) for each in _measured(case)]
        return ranks.log_evidence(signs, 1.0)
    requests, bad = total(cell for interval in case.intervals for cell in interval.canary.values())
    above = proportions.log_evidence_above(requests, bad, limit.high) if limit.high is not None else 0.0
    below = proportions.log_evidence_above(requests, requests - bad, 1 - limit.low) if limit.low is not None else 0.0
    return max(above, below)


def _counted(case: Case, limit: Range) -> Finding:
    metric = case.metric
    good = [limit.holds(each) for each in _measured(case)]
    bad, row = good.count(False), _longest_row(good)
    figures = {**overall(metric, case.intervals), "failures": bad, "consecutive_failures": row}
    measured = many(len(good), "measurement")
    if not bad:
        return Finding(
            PASS if case.final else WAIT, f"{metric.name}: {limit.text} in {measured} of {len(good)}.", figures
        )
    said = f"{metric.name}: {bad} of {measured} not {limit.text}, {row} in a row"
    if metric.max_failures is not None and bad > metric.max_failures:
        return Finding(FAIL, f"{said}; at most {metric.max_failures} allowed.", figures)
    if metric.max_consecutive_failures is not None and row > metric.max_consecutive_failures:
        return Finding(FAIL, f"{said}; at most {metric.max_consecutive_failures} in a row allowed.", figures)
    return Finding(PASS if case.final else WAIT, f"{said}; that is allowed.", figures)


def _measured(case: Case) -> list[float]:
    """The canary's figure of every interval that has one."""
    found = (figure_of(case.metric, interval.canary.values()) for interval in case.intervals)
    return [figure for figure in found if figure is not None]


def _longest_row(good: t.Sequence[bool]) -> int:
    longest = row = 0
    for each in good:
        row = 0 if each else row + 1
        longest = max(longest, row)
    return longest
