# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release by a flag grows only on good verdicts, and ends with the flag off after any other."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import flag_release as rules
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flag_release import (
    Act,
    FlagRelease,
    Inputs,
    Reading,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flag_steps import Step
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_acts import Stop, Transition

STEPS = (Step(1, 1800.0), Step(10, 3600.0), Step(100, 0.0))


def release(**options: t.Any) -> FlagRelease:
    given = FlagRelease(1, "shop", "checkout", "redis", "", json.dumps(STEPS))
    return dataclasses.replace(given, **options)


def decide(given: FlagRelease, *found: Reading, **options: t.Any) -> rules.Decision:
    values: dict[str, t.Any] = {
        "status": model.OPEN,
        "paused": "",
        "verdict": "",
        "reason": "",
        "now": 100.0,
        **options,
    }
    return rules.decide(Inputs(release=given, found=found or None, **values))


def at(percent: int, where: str = "localhost", why: str = "") -> Reading:
    return Reading(where, "on" if percent else "off", percent, why)


def test_the_first_share_is_set_read_back_and_bakes() -> None:
    assert decide(release()) == Act("read")
    assert decide(release(), at(0)) == Act("set", "checkout on for 1 % of the users", percent=1)
    assert decide(release(goal=1, tries=1), at(1)) == Transition(
        {"phase": "baking", "baked_from": 100.0, "shown": 1, "shown_segments": "[]", "tries": 0},
        "flag_share",
        {"step": 0, "percent": 1},
    )
    assert decide(release(goal=1, shown=1, phase="baking", baked_from=40.0), at(1)) == Act("bake", seconds=1740.0)


def test_a_share_that_is_not_everywhere_is_set_again_and_then_stops() -> None:
    here, there = at(1), at(0, "app2", "app2: it does not answer.")
    assert decide(release(goal=1, tries=1), here, there) == Act("set", "checkout on for 1 % of the users", percent=1)
    assert decide(release(goal=1, tries=2), here, there) == Stop(
        "checkout could not be set to 1 % (app2: app2: it does not answer)", "flag"
    )


@pytest.mark.parametrize("verdict", ["pass", "not_judged"])
def test_a_good_verdict_leads_to_the_next_step(verdict: str) -> None:
    given = release(goal=1, shown=1, phase="baking")
    assert decide(given, at(1), verdict=verdict) == Transition(
        {"phase": "setting", "step": 1, "tries": 0, "promoted": None}
    )


@pytest.mark.parametrize("verdict", ["fail", "inconclusive", "no_data"])
def test_any_other_verdict_stops(verdict: str) -> None:
    given = release(goal=1, shown=1, phase="baking")
    assert decide(given, at(1), verdict=verdict, reason="2 % errors.") == Stop(
        f"the gate at 1 %: {verdict}: 2 % errors", verdict
    )


def test_a_release_that_stopped_turns_the_flag_off_before_anything_else() -> None:
    given = release(goal=10, shown=10, step=1, phase="baking")
    moved = decide(given, at(10), status=model.FAILING, verdict="pass")
    assert moved == Transition({"phase": "withdrawing", "tries": 0, "promoted": None})
    withdrawing = dataclasses.replace(given, phase="withdrawing")
    assert decide(withdrawing, at(10), status=model.FAILING, paused="paused") == Act("off", "checkout off")
    assert decide(withdrawing, at(0), status=model.FAILING) == Transition(
        {"phase": "over", "shown": 0, "shown_segments": "[]", "why": ""}, "flag_off", {}
    )


def test_a_flag_that_cannot_be_turned_off_is_left_for_the_next_run() -> None:
    given = release(phase="withdrawing", tries=10)
    assert decide(given, at(10, why="refused"), status=model.FAILING) == Act(
        "over", "it could not be turned off (localhost: refused)"
    )


def test_a_flag_that_is_on_for_nobody_was_taken_for_off() -> None:
    assert decide(release(phase="withdrawing"), Reading("localhost", "on", 0), status=model.FAILING) == Act(
        "off", "checkout off"
    )


def test_a_pause_holds_the_next_share_and_no_bake() -> None:
    assert decide(release(step=1, goal=1, shown=1), at(1), paused="paused") == Act("wait", "paused before 10 %")
    baking = release(goal=1, shown=1, phase="baking", baked_from=100.0)
    assert decide(baking, at(1), paused="paused") == Act("bake", seconds=1800.0)


def test_the_operator_ends_a_bake_or_goes_to_the_last_step() -> None:
    given = release(goal=1, shown=1, phase="baking", baked_from=100.0)
    step = decide(dataclasses.replace(given, promoted="step"), at(1))
    end = decide(dataclasses.replace(given, promoted="end"), at(1))
    assert step == Transition({"phase": "setting", "step": 1, "tries": 0, "promoted": None})
    assert end == Transition({"phase": "setting", "step": 2, "tries": 0, "promoted": "end"})


def test_what_somebody_else_did_to_the_flag_stops() -> None:
    baking = release(goal=10, shown=10, step=1, phase="baking")
    assert decide(baking, at(50)) == Stop(
        "somebody else has changed checkout: it is on for 50 % at localhost, expected 10 %", "contested"
    )
    assert decide(baking, at(0)) == Stop(
        "somebody else has changed checkout: it is off at localhost, expected 10 %", "contested"
    )
    setting = release(goal=1, shown=1, step=1)
    assert isinstance(decide(setting, at(7)), Stop)
    assert decide(setting, Reading("app1", "killed", 1)) == Stop("checkout was killed at app1", "killed")
    assert decide(setting, Reading("app1", "killed", 1, reason="orders twice.")) == Stop(
        "checkout was killed at app1: orders twice", "killed"
    )


def test_a_share_that_was_intended_when_the_run_was_killed_is_no_surprise() -> None:
    given = release(goal=10, shown=1, step=1, tries=0)
    for percent in (1, 10):
        assert not isinstance(decide(given, at(percent)), Stop)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            Reading("localhost", "absent", 0),
            "checkout does not exist at localhost: correct the name, or create it with state=off of "
            "steady.rollout.feature_flag. Nothing was changed.",
        ),
        (
            Reading("localhost", "killed", 0),
            "checkout was killed at localhost: once the cause is fixed, turn it off with state=off of "
            "steady.rollout.feature_flag, then run again. Nothing was changed.",
        ),
        (
            at(5),
            "checkout is on for 5 % already at localhost, and the first step of rollout_flag_steps is 1 %: begin with a step of at "
            "least 5 %, or turn it off first. Nothing was changed.",
        ),
        (at(0, why="wrong key."), "checkout cannot be read at localhost: wrong key. Nothing was changed."),
    ],
)
def test_no_release_begins_with_a_flag_that(found: Reading, message: str) -> None:
    with pytest.raises(InputError) as refused:
        rules.refuse_start("checkout", STEPS, [found])
    assert refused.value.message == message
