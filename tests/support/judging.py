# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated canary before the judge: a look after every interval, with all that was seen so far."""

from __future__ import annotations

import typing as t

from support.canaries import BAKE, Interval

from ansible_collections.steady.rollout.plugins.module_utils.judge import model, spec
from ansible_collections.steady.rollout.plugins.module_utils.judge.decide import decide

METRICS = spec.parse_metrics(
    [
        {"name": "errors", "kind": "share", "judge": True},
        {"name": "p95", "kind": "value", "unit": "ms", "judge": True},
    ]
)
POLICY = spec.parse_policy(None)


def judged(intervals: t.Iterable[Interval]) -> tuple[str, float]:
    """The verdict, and the second of the step in which it was reached."""
    verdict, at = verdict_on(intervals)
    return verdict.verdict, at


def verdict_on(intervals: t.Iterable[Interval]) -> tuple[model.Verdict, float]:
    samples: dict[str, list[model.Sample]] = {"errors": [], "p95": []}
    past: dict[str, list[model.Sample]] = {"errors": [], "p95": []}
    for interval in intervals:
        _take(samples if interval.at > 0 else past, interval)
        if interval.at <= 0:
            continue
        progress = model.Progress(0.0, interval.at, BAKE, final=interval.at >= BAKE)
        verdict = decide(METRICS, model.Evidence(samples, past=past), progress, POLICY)
        if verdict.verdict != model.WAIT:
            return verdict, interval.at
    raise AssertionError("the last look had no verdict")


def _take(samples: t.Mapping[str, list[model.Sample]], interval: Interval) -> None:
    for group, cells in ((model.CANARY, interval.canary), (model.BASELINE, interval.baseline)):
        for host, seen in cells.items():
            samples["errors"].append(model.Sample(interval.at, group, host, seen.requests, seen.bad))
            if seen.p95 is not None:
                samples["p95"].append(model.Sample(interval.at, group, host, seen.requests, seen.p95))
