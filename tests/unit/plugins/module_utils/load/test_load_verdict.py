# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts on figures that are made for them, in whole sentences."""

from __future__ import annotations

import random
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.load.model import BASELINE, CANDIDATE, Outcome, Policy
from ansible_collections.steady.rollout.plugins.module_utils.load.verdict import Figures, Judgement, figures, judged


def group(name: str, median: float = 0.01, count: int = 600, failures: int = 0, **problems: int) -> Figures:
    chance = random.Random(11)
    latencies = tuple(sorted(median * chance.lognormvariate(0, 0.3) for dummy in range(count - failures)))
    return Figures(name, count, latencies, dict(problems))


def judge(candidate: Figures, baseline: Figures | None = None, **policy: t.Any) -> Judgement:
    return judged(Policy(**policy), candidate, baseline)


BLUE = group("blue")


def test_as_good_as_the_baseline() -> None:
    found = judge(group("green", 0.0101), BLUE)
    assert (found.verdict, found.text) == (
        "pass",
        "0 of 600 requests to green failed, 0 of 600 to blue (1 % more allowed); p95 of green 16.1 ms, of blue 15.9 ms: "
        "1 % slower (-5 to +7 %), 20 % slower allowed",
    )


def test_half_as_slow_again() -> None:
    found = judge(group("green", 0.015), BLUE)
    assert (found.verdict, found.text) == (
        "fail",
        "p95 of green 23.9 ms, of blue 15.9 ms: 50 % slower (+42 to +59 %), 20 % slower allowed",
    )


def test_in_between_it_is_inconclusive() -> None:
    found = judge(group("green", 0.012), BLUE)
    assert (found.verdict, found.text) == (
        "inconclusive",
        "p95 of green 19.1 ms, of blue 15.9 ms: 20 % slower (+13 to +27 %), 20 % slower allowed",
    )


def test_faster() -> None:
    assert "17 % faster" in judge(group("green", 0.00831), BLUE).text


def test_what_is_negligible_never_fails() -> None:
    quick = group("blue", 0.0005)
    assert judge(group("green", 0.001), quick, negligible=0).verdict == "fail"
    assert judge(group("green", 0.001), quick, negligible=0.002).verdict == "pass"


def test_more_failures_than_allowed() -> None:
    found = judge(group("green", failures=18, **{"answered 500": 18}), BLUE)
    assert (found.verdict, found.text) == (
        "fail",
        "18 of 600 requests to green failed, 0 of 600 to blue (1 % more allowed), most often: answered 500",
    )


@pytest.mark.parametrize(("failures", "verdict"), [(6, "pass"), (8, "inconclusive"), (18, "fail")])
def test_how_many_failures_are_too_many(failures: int, verdict: str) -> None:
    assert judge(group("green", failures=failures), BLUE).verdict == verdict


def test_failures_that_the_baseline_has_too_are_not_the_candidates() -> None:
    assert judge(group("green", failures=30), group("blue", failures=30)).verdict == "pass"


def test_a_candidate_that_answers_nothing_fails() -> None:
    found = judge(group("green", failures=600, **{"refused the connection": 600}), BLUE)
    assert (found.verdict, found.text) == (
        "fail",
        "600 of 600 requests to green failed, 0 of 600 to blue (1 % more allowed), most often: refused the connection",
    )


def test_a_baseline_that_answers_nothing_is_no_data() -> None:
    found = judge(group("green"), group("blue", failures=600))
    assert (found.verdict, found.text) == ("no_data", "blue gave no successful answer to compare with")


def test_nothing_asked_is_no_data() -> None:
    found = judge(group("green", count=0), group("blue", count=0))
    assert (found.verdict, found.text) == ("no_data", "no request was sent to green and blue")


def test_too_few_answers() -> None:
    found = judge(group("green", count=40), group("blue", count=40))
    assert (found.verdict, found.text) == ("inconclusive", "only 40 good answers of green where 100 are needed")


def test_too_few_for_a_bound_is_inconclusive() -> None:
    found = judge(group("green", count=50), group("blue", count=50), minimum=10)
    assert (found.verdict, found.text[-37:]) == ("inconclusive", " 0 % slower (? to ? %), 20 % slower allowed"[-37:])


def test_without_a_baseline_only_what_is_absolute_is_judged() -> None:
    found = judge(group("green"))
    assert (found.verdict, found.text, found.slowdown) == (
        "pass",
        "0 of 600 requests to green failed (1 % allowed)",
        None,
    )
    assert judge(group("green", failures=18)).verdict == "fail"


@pytest.mark.parametrize(("limit", "verdict"), [(0.1, "pass"), (0.016, "inconclusive"), (0.012, "fail")])
def test_an_absolute_limit(limit: float, verdict: str) -> None:
    assert judge(group("green"), latency=limit).verdict == verdict


def test_the_sentence_about_an_absolute_limit() -> None:
    assert judge(group("green"), latency=0.012).text == "p95 of green 15.9 ms, 12 ms allowed"


def test_figures_of_outcomes() -> None:
    outcomes = [
        Outcome(CANDIDATE, False, 9.0),
        Outcome(CANDIDATE, True, 0.3),
        Outcome(CANDIDATE, True, 0.0),
        Outcome(CANDIDATE, True, 5.0, "answered 500"),
        Outcome(BASELINE, True, 7.0),
    ]
    found = figures("green", CANDIDATE, outcomes)
    assert (found.requests, found.failures, found.latencies) == (3, 1, (1e-06, 0.3))
    assert found.problems == {"answered 500": 1}
    assert figures("blue", BASELINE, []).at(0.5) is None


def test_like_against_like_seldom_fails_and_half_as_slow_again_nearly_always() -> None:
    """Seeded: 100 comparisons of 1500 requests each, log-normal latencies."""
    chance = random.Random(5)

    def sample(name: str, median: float) -> Figures:
        latencies = tuple(sorted(median * chance.lognormvariate(0, 0.5) for dummy in range(1500)))
        return Figures(name, 1500, latencies, {})

    alike = [judge(sample("green", 0.01), sample("blue", 0.01)).verdict for dummy in range(50)]
    worse = [judge(sample("green", 0.015), sample("blue", 0.01)).verdict for dummy in range(50)]
    assert (alike.count("fail"), worse.count("pass")) == (0, 0)
    assert alike.count("pass") >= 45
    assert worse.count("fail") >= 45
