# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares and segments of users, and the steps in which they grow."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import flag_steps as rules
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flag_steps import Share, Step


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            [],
            "rollout_flag_steps: [] is not a list such as [{segment: beta, bake: 1d}, {percent: 1, bake: 30m}, {percent: 100}].",
        ),
        (
            [{"share": 5}],
            "rollout_flag_steps[0]: {'share': 5} is not a step such as {percent: 1, bake: 30m} or {segment: beta}.",
        ),
        ([{"percent": 0}], "rollout_flag_steps[0].percent: 0 is not a whole number from 1 to 100."),
        ([{"percent": "1.5"}], "rollout_flag_steps[0].percent: '1.5' is not a whole number from 1 to 100."),
        (
            [{"percent": 10}, {"percent": "10 %"}],
            "rollout_flag_steps: 10 comes after 10; the percentages must increase.",
        ),
        (
            [{"percent": 1, "segment": "beta"}],
            "rollout_flag_steps[0]: {'percent': 1, 'segment': 'beta'} is not a step such as {percent: 1, bake: 30m} or {segment: beta}.",
        ),
        (
            [{"segment": " "}],
            "rollout_flag_steps[0].segment: expected a printable name of at most 200 characters, found ' '.",
        ),
        (
            [{"segment": "beta"}, {"segment": "beta"}],
            "rollout_flag_steps[1]: each step must add users, but segment beta comes after segment beta. Remove this step.",
        ),
        (
            [{"percent": 100}, {"segment": "beta"}],
            "rollout_flag_steps[1]: each step must add users, but segment beta comes after all users. Remove this step.",
        ),
        (
            [{"percent": 1, "bake": "soon"}],
            "rollout_flag_steps[0].bake: 'soon' is not a duration; expected seconds, or for example 30s, 5m or 1h30m.",
        ),
    ],
)
def test_steps_that_cannot_be_right(given: t.Any, message: str) -> None:
    with pytest.raises(InputError) as refused:
        rules.parsed_steps(given)
    assert refused.value.message == message


def test_steps_as_they_are_written() -> None:
    assert rules.parsed_steps([{"percent": "1%", "bake": "30m"}, {"percent": 100}]) == (Step(1, 1800.0), Step(100, 0.0))


SEGMENTS = [{"segment": "internal", "bake": "1d"}, {"segment": "beta"}, {"percent": 10}, {"percent": 100}]


def test_each_step_keeps_who_was_in() -> None:
    steps = rules.parsed_steps(SEGMENTS)
    assert [step.share for step in steps] == [
        Share(0, ("internal",)),
        Share(0, ("beta", "internal")),
        Share(10, ("beta", "internal")),
        Share(100),
    ]
    assert all(before.share.is_within(after.share) for before, after in zip(steps, steps[1:]))
    assert not any(after.share.is_within(before.share) for before, after in zip(steps, steps[1:]))
    assert rules.in_words(steps) == ["segment internal", "segment beta", "10 %", "100 %"]
    assert rules.parsed_steps(rules.as_given(steps)) == steps


@pytest.mark.parametrize(
    ("share", "in_short", "in_words"),
    [
        (Share(), "0 %", "0 % of the users"),
        (Share(10), "10 %", "10 % of the users"),
        (Share(0, ("internal",)), "segment internal", "the segment internal"),
        (
            Share(10, ("beta", "internal")),
            "segments beta, internal and 10 %",
            "the segments beta, internal and 10 % of the users",
        ),
        (Share(100, ("beta",)), "100 %", "100 % of the users"),
    ],
)
def test_a_share_in_words(share: Share, in_short: str, in_words: str) -> None:
    assert (share.in_short, share.in_words) == (in_short, in_words)
