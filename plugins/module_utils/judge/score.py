# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""From the metrics' verdicts to that of the step."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.model import (
    FAIL,
    INCONCLUSIVE,
    NO_DATA,
    NOT_JUDGED,
    PASS,
    WAIT,
    Metric,
    MetricResult,
    Policy,
    Progress,
    Verdict,
)


def scored(
    metrics: t.Sequence[Metric], results: tuple[MetricResult, ...], progress: Progress, policy: Policy
) -> Verdict:
    """A failed critical metric fails the step; else the score does, counted as if all that is open were to pass.

    What could not be measured comes next, then what is not certain. None of them is ever good news.
    """
    deciding = [(metric, result) for metric, result in zip(metrics, results) if result.decides]
    best = score(deciding, policy, failing=(FAIL,))
    critical = [result for dummy, result in deciding if result.critical and result.verdict == FAIL]
    if critical or best < policy.marginal_score:
        return Verdict(FAIL, _reason(critical or _with(deciding, FAIL)), results, best)
    missing = _with(deciding, NO_DATA)
    if missing:
        return Verdict(NO_DATA, _reason(missing), results, None)
    hopeless = [result for result in _with(deciding, INCONCLUSIVE) if result.stops]
    if hopeless:
        return Verdict(INCONCLUSIVE, _reason(hopeless), results, None)
    if not progress.final:
        so_far = _reason([result for dummy, result in deciding])
        return Verdict(WAIT, f"{progress.elapsed:.0f} of {progress.window:.0f} s. {so_far}".strip(), results, None)
    if not deciding:
        return _undecided(results)
    final = score(deciding, policy, failing=(FAIL, INCONCLUSIVE))
    open_ones = _with(deciding, INCONCLUSIVE)
    if open_ones:
        return Verdict(INCONCLUSIVE, _reason(open_ones), results, final)
    if final < policy.pass_score:
        reason = f"Score {final:.3g}, {policy.pass_score:g} is needed. {_reason(_with(deciding, FAIL))}"
        return Verdict(INCONCLUSIVE, reason, results, final)
    score_of = f"Score {final:.3g} of at least {policy.pass_score:g}. " if final < 100 else ""
    return Verdict(PASS, score_of + _reason([result for dummy, result in deciding]), results, final)


def score(deciding: t.Sequence[tuple[Metric, MetricResult]], policy: Policy, failing: t.Sequence[str]) -> float:
    """The percentage of the metrics that are not failing, by weight: within their group, then by the groups' weights.

    A group without a weight of its own weighs as much as its metrics do together. 100 where nothing decides.
    """
    groups: dict[str, tuple[float, float]] = {}
    for metric, result in deciding:
        whole, good = groups.get(metric.group, (0.0, 0.0))
        groups[metric.group] = (whole + metric.weight, good + metric.weight * (result.verdict not in failing))
    weights = {name: policy.groups.get(name, whole) for name, (whole, dummy) in groups.items()}
    if not sum(weights.values()):
        return 100.0
    return 100 * sum(weights[name] * good / whole for name, (whole, good) in groups.items()) / sum(weights.values())


def _with(deciding: t.Sequence[tuple[Metric, MetricResult]], verdict: str) -> list[MetricResult]:
    return [result for dummy, result in deciding if result.verdict == verdict]


def _undecided(results: tuple[MetricResult, ...]) -> Verdict:
    """What judged nothing is no pass, and no bad news either."""
    if results:
        reason = "No metric decides: all are dry runs, or without data that may be ignored."
        return Verdict(NOT_JUDGED, reason, results, None)
    return Verdict(NOT_JUDGED, "There is no metric to judge by.", results, None)


def _reason(results: t.Sequence[MetricResult]) -> str:
    return " ".join(result.reason for result in results)
