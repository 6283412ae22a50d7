# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whether a candidate does as well as the baseline, of what their requests came to. Pure."""

from __future__ import annotations

import collections
import dataclasses
import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.load import bounds
from ansible_collections.steady.rollout.plugins.module_utils.load.bounds import Estimate
from ansible_collections.steady.rollout.plugins.module_utils.load.model import Outcome, Policy

PASS, FAIL, INCONCLUSIVE, NO_DATA = "pass", "fail", "inconclusive", "no_data"
WORST_FIRST = (FAIL, NO_DATA, INCONCLUSIVE, PASS)
MOST_PROBLEMS = 5
SHORTEST = 1e-6
"""Seconds; a clock may be too coarse to see an answer come, and a ratio needs more than 0."""


@dataclasses.dataclass(frozen=True)
class Figures:
    """What a group's counted requests came to; *latencies* of the good ones, in order."""

    name: str
    requests: int
    latencies: tuple[float, ...]
    problems: dict[str, int]

    @property
    def failures(self) -> int:
        return self.requests - len(self.latencies)

    def at(self, share: float) -> float | None:
        """A quantile of the latencies, None where there are none."""
        return bounds.quantile(self.latencies, share) if self.latencies else None


@dataclasses.dataclass(frozen=True)
class Finding:
    """What one comparison says, as a sentence without its full stop."""

    verdict: str
    text: str
    estimate: Estimate | None = None


@dataclasses.dataclass(frozen=True)
class Judgement:
    """The worst of the findings is the verdict."""

    findings: tuple[Finding, ...]
    slowdown: Estimate | None = None

    @property
    def verdict(self) -> str:
        return next(one for one in WORST_FIRST if any(finding.verdict == one for finding in self.findings))

    @property
    def text(self) -> str:
        """The findings that made the verdict."""
        return "; ".join(finding.text for finding in self.findings if finding.verdict == self.verdict)


def figures(name: str, role: str, outcomes: t.Iterable[Outcome]) -> Figures:
    """The figures of one group."""
    counted = [outcome for outcome in outcomes if outcome.role == role and outcome.counts]
    problems = collections.Counter(outcome.problem for outcome in counted if outcome.problem)
    return Figures(
        name=name,
        requests=len(counted),
        latencies=tuple(sorted(max(outcome.seconds, SHORTEST) for outcome in counted if outcome.problem is None)),
        problems={str(problem): count for problem, count in problems.most_common(MOST_PROBLEMS)},
    )


def judged(policy: Policy, candidate: Figures, baseline: Figures | None) -> Judgement:
    """The verdict on a candidate; without a baseline only what is absolute is judged."""
    silent = [group for group in (candidate, baseline) if group is not None and not group.requests]
    if silent:
        return Judgement((Finding(NO_DATA, f"no request was sent to {' and '.join(one.name for one in silent)}"),))
    if baseline is not None and not baseline.latencies:
        return Judgement((Finding(NO_DATA, f"{baseline.name} gave no successful answer to compare with"),))
    findings = [_failures(policy, candidate, baseline)]
    slowdown: Estimate | None = None
    if baseline is not None:
        finding = _slowdown(policy, candidate, baseline)
        findings.append(finding)
        slowdown = finding.estimate
    if policy.latency is not None:
        findings.append(_latency(policy, policy.latency, candidate))
    return Judgement(tuple(findings), slowdown)


def _failures(policy: Policy, candidate: Figures, baseline: Figures | None) -> Finding:
    more = bounds.share_bounds(candidate.failures, candidate.requests, policy.confidence)
    text = f"{candidate.failures} of {candidate.requests} requests to {candidate.name} failed"
    if baseline is not None:
        less = bounds.share_bounds(baseline.failures, baseline.requests, policy.confidence)
        more = bounds.difference(more, less)
        text += f", {baseline.failures} of {baseline.requests} to {baseline.name}"
    text += f" ({_percent(policy.failures)}{' more' if baseline is not None else ''} allowed)"
    if more.low > policy.failures:
        return Finding(FAIL, text + _most_frequent(candidate), more)
    return Finding(PASS if more.value <= policy.failures else INCONCLUSIVE, text, more)


def _slowdown(policy: Policy, candidate: Figures, baseline: Figures) -> Finding:
    few = _too_few(policy, candidate, baseline)
    if few is not None:
        return few
    there = bounds.quantile_bounds(baseline.latencies, policy.quantile, policy.confidence)
    here = bounds.quantile_bounds(candidate.latencies, policy.quantile, policy.confidence)
    found = bounds.ratio(here, there)
    allowed = max(1 + policy.slowdown, 1 + policy.negligible / there.value)
    text = (
        f"{_name(policy.quantile)} of {candidate.name} {_ms(here.value)}, of {baseline.name} {_ms(there.value)}: "
        f"{_slower(found.value)} ({_range(found)}), {_percent(policy.slowdown)} slower allowed"
    )
    return Finding(_side(found, allowed), text, found)


def _latency(policy: Policy, limit: float, candidate: Figures) -> Finding:
    few = _too_few(policy, candidate)
    if few is not None:
        return few
    found = bounds.quantile_bounds(candidate.latencies, policy.quantile, policy.confidence)
    text = f"{_name(policy.quantile)} of {candidate.name} {_ms(found.value)}, {_ms(limit)} allowed"
    return Finding(_side(found, limit), text, found)


def _side(found: Estimate, allowed: float) -> str:
    """On which side of what is allowed an estimate lies, bounds and all."""
    if found.high <= allowed:
        return PASS
    return FAIL if found.low > allowed else INCONCLUSIVE


def _too_few(policy: Policy, *groups: Figures) -> Finding | None:
    fewest = min(groups, key=lambda group: len(group.latencies))
    if len(fewest.latencies) >= policy.minimum:
        return None
    text = f"only {len(fewest.latencies)} good answers of {fewest.name} where {policy.minimum} are needed"
    return Finding(INCONCLUSIVE if fewest.latencies else NO_DATA, text)


def _most_frequent(group: Figures) -> str:
    problem = next(iter(group.problems), "")
    return f", most often: {problem}" if problem else ""


def _name(share: float) -> str:
    return f"p{share * 100:g}"


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms"


def _slower(found: float) -> str:
    return f"{abs(found - 1) * 100:.0f} % {'slower' if found >= 1 else 'faster'}"


def _range(found: Estimate) -> str:
    low, high = ("?" if not math.isfinite(one) or not one else f"{(one - 1) * 100:+.0f}" for one in found[1:])
    return f"{low} to {high} %"
