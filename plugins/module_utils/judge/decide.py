# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The verdict on a step of a canary, from all that was measured in it. Pure: no I/O and no clock.

Before the last look there is an early fail or nothing yet; on the last one pass, fail, inconclusive or no data.
"""

from __future__ import annotations

import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge import compare, hosts, intervals, limits
from ansible_collections.steady.rollout.plugins.module_utils.judge.findings import Finding, many, overall, together
from ansible_collections.steady.rollout.plugins.module_utils.judge.history import History
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import (
    BASELINE,
    CANARY,
    EITHER,
    IGNORE,
    NO_DATA,
    SHARE,
    WAIT,
    Evidence,
    Metric,
    MetricResult,
    Policy,
    Progress,
    Unmeasured,
    Verdict,
)
from ansible_collections.steady.rollout.plugins.module_utils.judge.score import scored

# A canary that was last seen longer ago than half of the window, or than this, has gone silent. Seconds.
LEAST_SILENCE = 60.0


def decide(metrics: t.Sequence[Metric], evidence: Evidence, progress: Progress, policy: Policy) -> Verdict:
    """Judges every metric on all its samples and puts the answers together.

    Call it after every look with everything that the step has gathered so far; looking often does not make a false
    stop likelier.
    """
    chance = policy.false_stop / policy.gates / max(1, sum(tests(metric) for metric in metrics))
    results = tuple(_result(metric, evidence, progress, policy, chance) for metric in metrics)
    return scored(metrics, results, progress, policy)


def tests(metric: Metric) -> int:
    """How many of the tests among which the chance of a false stop is shared (Bonferroni) are this metric's."""
    if metric.dry_run:
        return 0
    sides = 2 if metric.direction == EITHER else 1
    is_tested = metric.limit is not None and not metric.counts_failures
    return sides * int(metric.judge) + int(metric.baseline is not None) + int(is_tested)


def _result(metric: Metric, evidence: Evidence, progress: Progress, policy: Policy, chance: float) -> MetricResult:
    unmeasured = evidence.unmeasured.get(metric.name, ())
    delay = intervals.warm_up(metric, progress.window)
    since = progress.began + delay if delay else -math.inf
    arranged = intervals.arranged(metric, evidence.samples.get(metric.name, ()), -math.inf)
    warming = [each for each in arranged if each.at <= since]
    found = arranged[len(warming) :]
    finding = (
        _given_up(metric, found, unmeasured)
        or _lacking(metric, found, unmeasured, progress)
        or _ruled(metric, (warming, found), evidence, policy, chance, progress)
    )
    verdict, decides = finding.verdict, not metric.dry_run
    if verdict == NO_DATA and metric.on_no_data != NO_DATA:
        decides = decides and metric.on_no_data != IGNORE
        verdict = verdict if metric.on_no_data == IGNORE else metric.on_no_data
    return MetricResult(metric.name, verdict, finding.reason, finding.figures, metric.critical, decides, finding.stops)


def _ruled(
    metric: Metric,
    seen: tuple[t.Sequence[Interval], t.Sequence[Interval]],
    evidence: Evidence,
    policy: Policy,
    chance: float,
    progress: Progress,
) -> Finding:
    """What the metric's rules say, where there is enough to go by. *seen* is the warm-up, and what was measured after it."""
    warming, found = seen
    sizes = {group: hosts.count(found, group, evidence.hosts) for group in (CANARY, BASELINE)}
    before = _history(metric, evidence)
    # A delay that somebody has asked for is one of everything.
    warming = warming if metric.delay is None else ()
    case = compare.Case(metric, found, before, sizes, policy.host_noise, chance, progress, warming)
    findings = []
    if metric.limit is not None:
        findings.append(limits.limited(case, metric.limit))
    if metric.baseline is not None:
        findings.append(compare.held(case, metric.baseline))
    if metric.judge:
        findings.append(compare.judged(case))
    return together(findings)


def _history(metric: Metric, evidence: Evidence) -> History:
    if metric.name not in evidence.histories:
        earlier = intervals.arranged(metric, evidence.earlier.get(metric.name, ()), -math.inf)
        past = intervals.arranged(metric, evidence.past.get(metric.name, ()), -math.inf)
        evidence.histories[metric.name] = History(earlier, past)
    found: History = evidence.histories[metric.name]
    return found


def _given_up(metric: Metric, found: t.Sequence[Interval], unmeasured: t.Sequence[Unmeasured]) -> Finding | None:
    """A metric that could not be measured too often has no verdict, and waiting longer is no use."""
    last = max((interval.at for interval in found), default=None)
    row = [failed for failed in unmeasured if last is None or failed.at > last]
    for allowed, failed in ((metric.max_consecutive_errors, row), (metric.max_errors, unmeasured)):
        if allowed is not None and len(failed) > allowed:
            times = f"{many(len(failed), 'time')}{' in a row' if failed is row else ''}"
            reason = (
                f"{metric.name}: could not be measured {times}, at most {allowed} may be; last: {_sentence(failed[-1])}"
            )
            return Finding(NO_DATA, reason, overall(metric, found))
    return None


def _lacking(
    metric: Metric, found: t.Sequence[Interval], unmeasured: t.Sequence[Unmeasured], progress: Progress
) -> Finding | None:
    """What is missing before anything may be said: nothing before the last look, no data on it."""
    lack = _too_little(metric, found) or (_silent(found, progress) if progress.final else None)
    if lack is None:
        return None
    why = f"; last error: {_sentence(unmeasured[-1])}" if unmeasured else "."
    return Finding(NO_DATA if progress.final else WAIT, f"{metric.name}: {lack}{why}", overall(metric, found))


def _sentence(failed: Unmeasured) -> str:
    return failed.reason.rstrip(". ") + "."


def _too_little(metric: Metric, found: t.Sequence[Interval]) -> str | None:
    for group in (CANARY, BASELINE) if metric.compares else (CANARY,):
        measured = [interval for interval in found if getattr(interval, group)]
        if group == BASELINE:
            measured = [interval for interval in measured if interval.canary]
        cells = [cell for interval in measured for cell in getattr(interval, group).values()]
        amount = intervals.total(cells)[0] if metric.kind == SHARE else len(measured)
        if amount < metric.minimum:
            noun = "request" if metric.kind == SHARE else "measurement"
            return f"only {many(amount, noun)} of the {group}, at least {metric.minimum} are needed"
    return None


def _silent(found: t.Sequence[Interval], progress: Progress) -> str | None:
    last = max(interval.at for interval in found if interval.canary)
    silence = progress.began + progress.elapsed - last
    if silence <= max(progress.window / 2, LEAST_SILENCE):
        return None
    return f"nothing of the canary for the last {silence:.0f} s"
