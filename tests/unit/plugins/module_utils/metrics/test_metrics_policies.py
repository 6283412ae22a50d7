# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from a verdict."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.judge.model import MetricResult, Verdict
from ansible_collections.steady.rollout.plugins.module_utils.metrics import policies
from ansible_collections.steady.rollout.plugins.module_utils.metrics.plan import Policies
from ansible_collections.steady.rollout.plugins.module_utils.metrics.policies import Decision, Standing

OVER = Standing(elapsed=300.0, window=300.0, can_ask=True)


def given_policies(unclear: str = "stop", no_data: str = "stop", error: str = "stop", limit: float = 60.0) -> Policies:
    return Policies(unclear, no_data, error, "go_on", limit)


def verdict(word: str) -> Verdict:
    result = MetricResult("errors", word, "why", {}, critical=False, decides=True)
    return Verdict(word, "Because.", (result,), None)


@pytest.mark.parametrize("word", ["pass", "fail", "wait"])
def test_what_is_clear_needs_no_policy(word: str) -> None:
    everything_goes = given_policies("go_on", "go_on", "go_on")
    assert policies.decided(verdict(word), {}, everything_goes, OVER) == Decision(word, "Because.")


@pytest.mark.parametrize(
    ("word", "outcome", "name", "given"),
    [
        ("inconclusive", "measured", "on_inconclusive", given_policies(unclear="go_on")),
        ("no_data", "no_data", "on_no_data", given_policies(no_data="go_on")),
        ("no_data", "error", "on_error", given_policies(error="go_on")),
    ],
)
def test_each_kind_of_unclear_has_its_own_policy(word: str, outcome: str, name: str, given: Policies) -> None:
    found = policies.decided(verdict(word), {"errors": outcome}, given, OVER)
    through = "pass" if word == "inconclusive" else "not_judged"
    assert found == Decision(through, f"Because. The rollout continues ({name}=go_on).")
    assert policies.decided(verdict(word), {"errors": outcome}, given_policies(), OVER) == Decision(word, "Because.")


def test_a_metric_without_data_beside_one_that_passed_is_let_through_as_a_pass() -> None:
    results = tuple(MetricResult(word, word, "why", {}, critical=False, decides=True) for word in ("pass", "no_data"))
    judged = Verdict("no_data", "Because.", results, None)
    found = policies.decided(judged, {}, given_policies(no_data="go_on"), OVER)
    assert found == Decision("pass", "Because. The rollout continues (on_no_data=go_on).")


def test_looking_on_has_an_end() -> None:
    waits = given_policies(unclear="wait")
    found = policies.decided(verdict("inconclusive"), {}, waits, Standing(310.0, 300.0))
    assert found == Decision("wait", "Because. Analysis continues for up to 50 s more (on_inconclusive=wait).")
    assert policies.decided(verdict("inconclusive"), {}, waits, Standing(360.0, 300.0)).verdict == "inconclusive"


def test_what_more_time_would_not_make_clearer_is_not_waited_for() -> None:
    result = MetricResult("errors", "inconclusive", "why", {}, critical=False, decides=True, stops=True)
    judged = Verdict("inconclusive", "Because.", (result,), None)
    assert (
        policies.decided(judged, {}, given_policies(unclear="wait"), Standing(100.0, 300.0)).verdict == "inconclusive"
    )


def test_what_judged_nothing_was_called_a_pass() -> None:
    """The last stage said "pass: nothing can be judged, there is no baseline"."""
    judged = Verdict("not_judged", "There is no baseline.", (), None)

    def after(word: str, standing: Standing) -> Decision:
        return policies.decided(judged, {}, dataclasses.replace(given_policies(), on_not_judged=word), standing)

    said = "Not judged: There is no baseline."
    assert after("go_on", OVER) == Decision("not_judged", f"{said} The rollout continues (on_not_judged=go_on).")
    assert after("stop", OVER) == Decision("no_data", f"{said} The rollout stops (on_not_judged=stop).")
    assert after("ask", OVER) == Decision(
        "wait", f"{said} The rollout is paused (on_not_judged=ask): resume it to continue, or abort it.", asks=True
    )
    assert after("ask", Standing(300.0, 300.0, asked=True)) == Decision(
        "not_judged", f"{said} The operator resumed the rollout."
    )
    assert after("ask", Standing(300.0, 300.0)).verdict == "no_data"


def test_the_operator_is_asked_once_and_resuming_is_the_answer() -> None:
    asks = given_policies(no_data="ask")
    found = policies.decided(verdict("no_data"), {}, asks, OVER)
    assert found == Decision(
        "wait", "Because. The rollout is paused (on_no_data=ask): resume it to continue, or abort it.", asks=True
    )
    answered = Standing(400.0, 300.0, asked=True, can_ask=True)
    assert policies.decided(verdict("no_data"), {}, asks, answered) == Decision(
        "pass", "Because. The operator resumed the rollout."
    )


def test_without_a_rollout_there_is_no_operator_to_ask() -> None:
    assert (
        policies.decided(verdict("no_data"), {}, given_policies(no_data="ask"), Standing(300.0, 300.0)).verdict
        == "no_data"
    )


def test_a_metric_that_does_not_decide_does_not_choose_the_policy() -> None:
    results = (
        MetricResult("a", "no_data", "why", {}, critical=False, decides=True),
        MetricResult("b", "no_data", "why", {}, critical=False, decides=False),
    )
    judged = Verdict("no_data", "Because.", results, None)
    found = policies.decided(judged, {"a": "no_data", "b": "error"}, given_policies(error="go_on"), OVER)
    assert found.verdict == "no_data"


@pytest.mark.parametrize(
    ("steering", "word"), [("promoted", "not_judged"), ("aborted", "inconclusive"), ("paused", None), ("", None)]
)
def test_the_operators_word_counts(steering: str, word: str | None) -> None:
    found = policies.steered(steering)
    assert (found.verdict if found else None) == word
