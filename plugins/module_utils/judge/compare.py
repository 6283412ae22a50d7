# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The canary beside its baseline: judged statistically, or held to a ratio that the user named."""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge import hosts
from ansible_collections.steady.rollout.plugins.module_utils.judge.comparisons import Comparison, comparison
from ansible_collections.steady.rollout.plugins.module_utils.judge.findings import (
    Finding,
    both,
    overall,
    rounded,
    together,
)
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import (
    BASELINE,
    CANARY,
    DECREASE,
    EITHER,
    FAIL,
    INCONCLUSIVE,
    INCREASE,
    PASS,
    WAIT,
    Metric,
    Range,
)
from ansible_collections.steady.rollout.plugins.module_utils.judge.numbers import crossing, normal_quantile

# Of the chance of a false stop: what all looks together may take, for hosts that differ and for luck, and what the
# last look may take by itself.
TO_HOSTS, TO_LOOKS, TO_LAST = 0.25, 0.25, 0.5
# A ratio of this much that chance brings about no more often than that is no proof, but no clean bill either.
SUSPECT_RATIO, SUSPECT_CHANCE = 1.5, 0.2
NEAREST, FURTHEST = 0.01, 1000.0


@dataclasses.dataclass(frozen=True)
class Case:
    """One metric's evidence. *chance* is that of a false stop which each of its directions may take."""

    metric: Metric
    intervals: t.Sequence[Interval]
    sizes: t.Mapping[str, int]
    host_noise: float
    chance: float
    final: bool


def judged(case: Case) -> Finding:
    """Whether the canary is worse than the baseline by more than the tolerance and than hosts differ among themselves."""
    sides = (INCREASE, DECREASE) if case.metric.direction == EITHER else (case.metric.direction,)
    return together([_judged(case, side) for side in sides])


def held(case: Case, bounds: Range) -> Finding:
    """Whether the canary's ratio to the baseline stays within the bounds.

    Before the last look only what is sure to be beyond them fails; on the last one the measured ratio counts.
    """
    findings = []
    if bounds.high is not None:
        findings.append(_held(case, bounds, INCREASE, bounds.high))
    if bounds.low is not None and bounds.low > 0:
        findings.append(_held(case, bounds, DECREASE, 1 / bounds.low))
    return together(findings)


def _judged(case: Case, side: str) -> Finding:
    """At any look: is the ratio for sure above what is tolerated, and what hosts explain? At the last: or beyond luck?"""
    compared = comparison(case.metric.kind, case.intervals, side == DECREASE)
    noise = hosts.noise(case.host_noise, compared.spreads())
    by_hosts = hosts.variance_of_ratio(noise, case.sizes[CANARY], case.sizes[BASELINE])
    tolerated = _tolerated(case.metric.tolerance, side)
    allowed = max(tolerated, math.exp(normal_quantile(case.chance * TO_HOSTS) * math.sqrt(by_hosts)))
    evidence = compared.log_evidence(allowed)
    threshold = -math.log(case.chance * TO_LOOKS)
    chance = _chance(compared, tolerated, by_hosts) if case.final else 1.0
    verdict = _verdict(case, compared, evidence >= threshold, chance)
    figures = {
        **overall(case.metric, case.intervals),
        **compared.figures(),
        "ratio": rounded(_outward(compared.ratio(), side)),
        "allowed_ratio": rounded(_outward(allowed, side)),
        "host_noise": rounded(noise),
        "p_value": rounded(chance if case.final else min(1.0, math.exp(-evidence))),
    }
    if evidence >= threshold:
        sure = crossing(lambda ratio: compared.log_evidence(ratio) >= threshold, NEAREST, FURTHEST)
        figures["sure_ratio"] = rounded(_outward(sure, side))
    return Finding(verdict, _sentence(case, side, verdict, figures), figures)


def _chance(compared: Comparison, tolerated: float, by_hosts: float) -> float:
    """How likely this or worse is for a release that is no worse: by luck at the tolerated ratio, and by luck and hosts.

    Both have to be unlikely (an intersection-union test, Berger 1982).
    """
    return max(compared.p_value(tolerated), compared.p_value_of_hosts(by_hosts))


def _verdict(case: Case, compared: Comparison, is_proven: bool, chance: float) -> str:
    if (is_proven or chance <= case.chance * TO_LAST) and not compared.is_too_little():
        return FAIL
    if not case.final:
        return WAIT
    ratio = compared.ratio()
    is_suspect = chance <= SUSPECT_CHANCE and ratio is not None and ratio >= SUSPECT_RATIO
    return INCONCLUSIVE if is_proven or is_suspect else PASS


def _sentence(case: Case, side: str, verdict: str, figures: t.Mapping[str, t.Any]) -> str:
    said = f"{case.metric.name}: {both(case.metric, figures)}"
    chance = "" if figures["p_value"] is None else f" (p {figures['p_value']:.2g})"
    if verdict == WAIT:
        return f"{said}; no proof of harm so far."
    if verdict == INCONCLUSIVE:
        return f"{said}; suspect, but too little to be sure{chance}."
    reasons = f"tolerance and differences between hosts ({100 * figures['host_noise']:.2g} %)"
    if verdict == PASS:
        return f"{said}; no worse than {reasons} explain{chance}."
    if "sure_ratio" in figures:
        said += (
            f", for sure {'at most' if side == DECREASE else 'at least'} {figures['sure_ratio']:.3g} times the baseline"
        )
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
    compared = comparison(case.metric.kind, case.intervals, side == DECREASE)
    ratio = _outward(compared.ratio(), side)
    figures = {**overall(case.metric, case.intervals), **compared.figures(), "ratio": rounded(ratio)}
    is_proven = compared.log_evidence(allowed) >= -math.log(case.chance) and not compared.is_too_little()
    said = f"{case.metric.name}: {both(case.metric, figures)}"
    if is_proven:
        return Finding(FAIL, f"{said}, for sure not {bounds.text}.", figures)
    if not case.final:
        return Finding(WAIT, f"{said}, wanted {bounds.text}; nothing is proven so far.", figures)
    if ratio is None or bounds.holds(ratio):
        return Finding(PASS, f"{said}, as wanted {bounds.text}.", figures)
    if compared.is_too_little():
        return Finding(INCONCLUSIVE, f"{said}, not {bounds.text}, but too little to be sure.", figures)
    return Finding(FAIL, f"{said}, not {bounds.text}.", figures)
