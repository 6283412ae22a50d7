# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The core of http_compare: sends both groups the same requests at the same time and judges what came back."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.load import options, verdict
from ansible_collections.steady.rollout.plugins.module_utils.load.bounds import Estimate
from ansible_collections.steady.rollout.plugins.module_utils.load.client import Client
from ansible_collections.steady.rollout.plugins.module_utils.load.model import BASELINE, CANDIDATE, Outcome
from ansible_collections.steady.rollout.plugins.module_utils.load.options import Comparison
from ansible_collections.steady.rollout.plugins.module_utils.load.verdict import Figures, Judgement
from ansible_collections.steady.rollout.plugins.module_utils.smoke import secrets

NEXT = {
    verdict.PASS: "",
    verdict.FAIL: " Find out why before {candidate} gets traffic.",
    verdict.INCONCLUSIVE: " Measure for longer or at a higher rate, or allow more.",
    verdict.NO_DATA: " Check that both groups answer at the given URLs.",
}


def core(call: Call) -> dict[str, t.Any]:
    """Measures and judges; RolloutError for the verdicts that the task is to fail on."""
    comparison = options.from_params(call.params)
    hidden = secrets.Secrets(secrets_of(call.params))
    began = time.monotonic()
    if call.check_mode:
        return rehearsed(comparison)
    client = Client(comparison.load, comparison.groups, comparison.recipes)
    outcomes = client.run(lambda by_now: judged(comparison, by_now).verdict != verdict.INCONCLUSIVE)
    result: dict[str, t.Any] = hidden.hide_everywhere(outcome(comparison, outcomes, time.monotonic() - began))
    if result["verdict"] not in call.params["fail_on"]:
        return result
    message = result.pop("msg")
    raise RolloutError(message, **result)


def secrets_of(params: t.Mapping[str, t.Any]) -> set[str]:
    """The secrets that the options hold."""
    found: set[str] = set()
    for role in (BASELINE, CANDIDATE):
        group = params.get(role) or {}
        found.update(secrets.of_headers(group.get("headers") or {}))
        for url in group.get("urls") or []:
            found.update(secrets.of_url(url))
    for request in params["requests"]:
        found.update(secrets.of_headers(request.get("headers") or {}))
        found.update(secrets.of_body(request.get("body"), False))
        found.update(secrets.of_url(f"http://h{request.get('path')}"))
    return found


def rehearsed(comparison: Comparison) -> dict[str, t.Any]:
    """Check mode: nothing is sent, so nothing is known."""
    result = outcome(comparison, [], 0.0)
    load = comparison.load
    names = " and ".join(group.name for group in comparison.groups)
    to = f"each of {names}" if len(comparison.groups) > 1 else names
    return {**result, "msg": f"Check mode: {load.total} requests would be sent to {to}."}


def judged(comparison: Comparison, outcomes: list[Outcome]) -> Judgement:
    """What can be said by now."""
    found = figures_of(comparison, outcomes)
    return verdict.judged(comparison.policy, found[CANDIDATE], found.get(BASELINE))


def figures_of(comparison: Comparison, outcomes: list[Outcome]) -> dict[str, Figures]:
    """The figures of each group by its role."""
    return {group.role: verdict.figures(group.name, group.role, outcomes) for group in comparison.groups}


def outcome(comparison: Comparison, outcomes: list[Outcome], seconds: float) -> dict[str, t.Any]:
    """The module's result for what the requests came to."""
    found = figures_of(comparison, outcomes)
    judgement = judged(comparison, outcomes)
    return {
        "changed": False,
        "verdict": judgement.verdict,
        "baseline": _as_result(found.get(BASELINE)),
        "candidate": _as_result(found[CANDIDATE]),
        "slowdown": _slowdown(judgement.slowdown),
        "seconds": round(seconds, 3),
        "msg": _sentence(judgement, found[CANDIDATE]),
    }


def _sentence(judgement: Judgement, candidate: Figures) -> str:
    return f"{judgement.verdict}: {judgement.text}.{NEXT[judgement.verdict].format(candidate=candidate.name)}"


def _as_result(figures: Figures | None) -> dict[str, t.Any] | None:
    if figures is None:
        return None
    return {
        "name": figures.name,
        "requests": figures.requests,
        "failures": figures.failures,
        "problems": figures.problems,
        **{f"p{share * 100:g}": _rounded(figures.at(share)) for share in (0.5, 0.95, 0.99)},
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


def _slowdown(found: Estimate | None) -> dict[str, float | None] | None:
    """In percent; an open end is none."""
    if found is None:
        return None
    percent = [round((one - 1) * 100, 1) if 0 < one < float("inf") else None for one in found]
    return dict(zip(("percent", "low", "high"), percent))
