# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What one rule of one metric finds, and how its figures are written."""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Cell, Interval, mean, total
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import (
    BASELINE,
    CANARY,
    FAIL,
    INCONCLUSIVE,
    NO_DATA,
    PASS,
    SHARE,
    WAIT,
    Metric,
)

WORST_FIRST = (FAIL, NO_DATA, INCONCLUSIVE, WAIT, PASS)


@dataclasses.dataclass(frozen=True)
class Finding:
    verdict: str
    reason: str
    figures: t.Mapping[str, t.Any]
    stops: bool = False
    """Of what is inconclusive: whether more time would not make it clearer."""


def together(findings: t.Sequence[Finding]) -> Finding:
    """The worst one, with the figures of all."""
    worst = min(findings, key=lambda finding: WORST_FIRST.index(finding.verdict))
    figures: dict[str, t.Any] = {}
    for finding in findings:
        figures.update({**finding.figures, **worst.figures})
    return Finding(worst.verdict, worst.reason, figures, worst.stops)


def overall(metric: Metric, intervals: t.Sequence[Interval]) -> dict[str, t.Any]:
    """Both groups' figures over the whole window; None for a group that was not measured."""
    canary = [cell for interval in intervals for cell in interval.canary.values()]
    baseline = [cell for interval in intervals for cell in interval.baseline.values()]
    return {
        "canary": rounded(figure_of(metric, canary)),
        "baseline": rounded(figure_of(metric, baseline)),
        "canary_requests": round(total(canary)[0]),
        "baseline_requests": round(total(baseline)[0]),
        "measurements": sum(1 for interval in intervals if interval.canary),
    }


def figure_of(metric: Metric, cells: t.Collection[Cell]) -> float | None:
    """A group's share of bad requests, or the mean of its values."""
    if not cells:
        return None
    if metric.kind != SHARE:
        return mean(cells)
    requests, bad = total(cells)
    return bad / requests


def both(metric: Metric, figures: t.Mapping[str, t.Any]) -> str:
    """The two groups beside each other, for a message."""
    ratio = f", ratio {figures['ratio']:.3g}" if figures.get("ratio") is not None else ""
    return f"{one(metric, figures, CANARY)} against {one(metric, figures, BASELINE)}{ratio}"


def one(metric: Metric, figures: t.Mapping[str, t.Any], group: str) -> str:
    """A group's figure, and of how many requests it is the share."""
    said = worded(metric, figures[group])
    return f"{said} of {many(figures[group + '_requests'], 'request')}" if metric.kind == SHARE else said


def worded(metric: Metric, figure: float | None) -> str:
    """A figure of the metric with its unit, for a message."""
    if figure is None:
        return "nothing"
    if metric.kind == SHARE:
        return f"{100 * figure:.3g} %"
    return f"{figure:.4g}{' ' + metric.unit if metric.unit else ''}"


def many(count: float, noun: str) -> str:
    return f"{count:,.0f} {noun}{'' if count == 1 else 's'}"


def rounded(figure: float | None) -> float | None:
    """Four digits, as a result shows it; None for what is no number."""
    return float(f"{figure:.4g}") if figure is not None and math.isfinite(figure) else None
