# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several metrics: what fails the step, what may be outweighed."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge import spec
from ansible_collections.steady.rollout.plugins.module_utils.judge.decide import decide
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import (
    CANARY,
    Evidence,
    Progress,
    Sample,
    Verdict,
)

BAD, GOOD = 9.0, 1.0


def verdict(metrics: dict[str, tuple[float | None, dict[str, t.Any]]], final: bool = True, **policy: t.Any) -> Verdict:
    """Each metric by its one measurement, to be below 5; None for one that was not measured."""
    parsed = spec.parse_metrics([{"name": name, "limit": "< 5", **words} for name, (dummy, words) in metrics.items()])
    samples = {
        name: [] if value is None else [Sample(10.0, CANARY, "", 0, value)] for name, (value, dummy) in metrics.items()
    }
    return decide(parsed, Evidence(samples), Progress(0.0, 10.0, 10.0, final), spec.parse_policy(policy))


SURE = {"max_failures": 0}


def test_without_scores_every_metric_has_to_pass() -> None:
    found = verdict({"a": (GOOD, {}), "b": (BAD, {}), "c": (GOOD, {})})
    assert (found.verdict, found.reason) == ("fail", "b: 9, not < 5.")
    found = verdict({"a": (GOOD, {}), "b": (GOOD, {})})
    assert (found.verdict, found.reason, found.score) == ("pass", "a: 1, as wanted < 5. b: 1, as wanted < 5.", 100)


def test_scores() -> None:
    mixed = {"a": (GOOD, {}), "b": (BAD, {}), "c": (GOOD, {}), "d": (GOOD, {})}
    found = verdict(mixed, pass_score=75, marginal_score=50)
    assert (found.verdict, found.score) == ("pass", 75)
    assert found.reason.startswith("Score 75 of at least 75. a: 1, as wanted < 5. b: 9, not < 5. ")
    found = verdict(mixed, pass_score=95, marginal_score=75)
    assert (found.verdict, found.reason) == ("inconclusive", "Score 75, 95 is needed. b: 9, not < 5.")
    assert verdict(mixed, pass_score=95, marginal_score=76).verdict == "fail"


def test_weights_of_metrics_and_of_groups() -> None:
    heavy = {"a": (GOOD, {"weight": 3}), "b": (BAD, {"weight": 1})}
    assert verdict(heavy, pass_score=75, marginal_score=0).score == 75
    groups = {
        "a": (GOOD, {"group": "errors"}),
        "b": (BAD, {"group": "latency"}),
        "c": (GOOD, {"group": "latency"}),
    }
    assert verdict(groups, pass_score=50, marginal_score=0, groups={"errors": 60, "latency": 40}).score == 80
    assert verdict(groups, pass_score=50, marginal_score=0, groups={"errors": 4}).score == 100 * 5 / 6


def test_a_critical_metric_outweighs_all() -> None:
    metrics = {"a": (GOOD, {"weight": 99}), "b": (BAD, {"critical": True, **SURE})}
    for final in (False, True):
        found = verdict(metrics, final=final, pass_score=50, marginal_score=0)
        assert (found.verdict, found.reason) == (
            "fail",
            "b: 1 of 1 measurement not < 5, 1 in a row; at most 0 allowed.",
        )


def test_a_step_fails_early_only_when_the_score_is_lost() -> None:
    one_lost = {"a": (GOOD, {}), "b": (BAD, SURE), "c": (GOOD, {}), "d": (GOOD, {})}
    assert verdict(one_lost, final=False, pass_score=95, marginal_score=75).verdict == "wait"
    two_lost = {**one_lost, "c": (BAD, SURE)}
    assert verdict(two_lost, final=False, pass_score=95, marginal_score=75).verdict == "fail"


def test_a_dry_run_is_shown_and_never_decides() -> None:
    found = verdict({"a": (GOOD, {}), "b": (BAD, {"dry_run": True, "critical": True}), "c": (None, {"dry_run": True})})
    assert (found.verdict, found.score) == ("pass", 100)
    assert [(each.verdict, each.decides) for each in found.metrics] == [
        ("pass", True),
        ("fail", False),
        ("no_data", False),
    ]
    found = verdict({"b": (BAD, {"dry_run": True})})
    assert (found.verdict, found.reason) == (
        "not_judged",
        "No metric decides: all are dry runs, or without data that may be ignored.",
    )


def test_no_data_is_never_good_news() -> None:
    found = verdict({"a": (GOOD, {"weight": 99}), "b": (None, {})}, pass_score=50, marginal_score=0)
    assert (found.verdict, found.score) == ("no_data", None)
    assert found.reason == "b: only 0 measurements of the canary, at least 1 are needed."
    assert verdict({}).verdict == "not_judged"
    assert verdict({}).reason == "There is no metric to judge by."
    assert verdict({}, final=False).verdict == "wait"


def test_bad_outranks_unmeasured() -> None:
    assert verdict({"a": (BAD, {}), "b": (None, {})}).verdict == "fail"


def test_the_answer_as_a_result() -> None:
    found = verdict({"a": (GOOD, {"critical": True})}).to_dict()
    assert found["metrics"] == [
        {
            "name": "a",
            "verdict": "pass",
            "reason": "a: 1, as wanted < 5.",
            "figures": {
                "canary": 1.0,
                "baseline": None,
                "canary_requests": 0,
                "baseline_requests": 0,
                "measurements": 1,
            },
            "critical": True,
            "decides": True,
        }
    ]
