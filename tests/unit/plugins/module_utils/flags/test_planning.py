# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change of a flag is refused for, and when it is reached."""

from __future__ import annotations

import typing as t

import pytest
from support.flag_doubles import FileLike, InMemory

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.flags import contract, planning
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag, Wanted

ON = Flag("a", exists=True, on=True, percent=100)


def params(**given: t.Any) -> dict[str, t.Any]:
    base = {"name": "a", "state": "on", "percent": 100, "reason": None, "kind": "release", "description": None}
    return {**base, **given}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "a b"}, "name: 'a b' cannot be a flag's name; expected up to 100 letters, digits, '_', '-' or '.'."),
        (
            {"name": "a/../b"},
            "name: 'a/../b' cannot be a flag's name; expected up to 100 letters, digits, '_', '-' or '.'.",
        ),
        ({"percent": 101}, "percent: 101 is not a whole number from 0 to 100."),
        ({"percent": True}, "percent: True is not a whole number from 0 to 100."),
        ({"state": "killed"}, "reason: needed with state=killed; say why, for those who find the feature off."),
        (
            {"state": "killed", "reason": " "},
            "reason: needed with state=killed; say why, for those who find the feature off.",
        ),
        ({"state": "killed", "reason": "a\x1b[31m"}, "reason: expected at most 500 printable characters, found 6."),
        ({"description": "a" * 501}, "description: expected at most 500 printable characters, found 501."),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        planning.wanted_of(params(**given), 1.0)
    assert refused.value.message == message


def test_rules_of_others_refuse_on_and_never_off() -> None:
    flag = Flag("a", exists=True, rules=("strategy userWithId", "depends on the flag b"))
    with pytest.raises(InputError) as refused:
        planning.refuse(InMemory(), flag, Wanted("on", 10), allow_rules=False)
    assert refused.value.message == (
        "memory: 'a' has rules besides its percentage (strategy userWithId; depends on the flag b), so it would not be on for "
        "10 % of the users. Nothing was changed; remove them, or set allow_rules."
    )
    planning.refuse(InMemory(), flag, Wanted("on", 10), allow_rules=True)
    for state in ("off", "killed", "absent"):
        planning.refuse(InMemory(), flag, Wanted(state), allow_rules=False)


def test_a_share_is_refused_where_the_system_has_none() -> None:
    with pytest.raises(InputError) as refused:
        planning.refuse(FileLike(), ON, Wanted("on", 10), allow_rules=False)
    assert refused.value.message == (
        "memory: this type of flag system cannot turn 'a' on for 10 % of the users: it is as simple as a file."
    )
    planning.refuse(FileLike(), ON, Wanted("on"), allow_rules=False)


@pytest.mark.parametrize(
    ("flag", "wanted", "reached"),
    [
        (ON, Wanted("on"), True),
        (ON, Wanted("on", 10), False),
        (ON, Wanted("off"), False),
        (Flag("a"), Wanted("off"), False),
        (Flag("a"), Wanted("absent"), True),
        (Flag("a", exists=True, percent=10), Wanted("off"), True),
        (Flag("a", exists=True, killed=True, reason="x"), Wanted("killed", reason="x"), True),
        (Flag("a", exists=True, killed=True, reason="x"), Wanted("killed", reason="y"), False),
        (Flag("a", exists=True, killed=True, reason="x"), Wanted("off"), False),
        (Flag("a", exists=True), Wanted("killed", reason="x"), False),
    ],
)
def test_when_it_is_reached(flag: Flag, wanted: Wanted, reached: bool) -> None:
    assert planning.is_reached(InMemory(), flag, wanted) is reached


def test_killed_is_off_where_there_is_no_place_for_a_reason() -> None:
    assert planning.is_reached(FileLike(), Flag("a", exists=True), Wanted("killed", reason="x"))


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        (ON, True),
        (Flag("a", exists=True, on=True, percent=0), False),
        (Flag("a", exists=True, on=True, percent=10), None),
        (Flag("a", exists=True, on=True, percent=100, rules=("x",)), None),
        (Flag("a", exists=True, rules=("x",)), False),
        (Flag("a"), False),
    ],
)
def test_what_each_application_has_to_answer(flag: Flag, value: bool | None) -> None:
    assert planning.serves(flag) is value


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        (ON, "on"),
        (Flag("a", exists=True, on=True, percent=10), "on for 10 % of the users"),
        (Flag("a", exists=True, killed=True, reason="orders twice"), "killed (orders twice)"),
        (Flag("a", exists=True), "off"),
        (Flag("a"), "absent"),
    ],
)
def test_in_words(flag: Flag, text: str) -> None:
    assert planning.in_words(flag) == text


class WithSegments(InMemory):
    capabilities = InMemory.capabilities | {contract.CAN_SEGMENTS}

    def segments(self) -> list[str]:
        return ["internal", "beta"]


def refusal(system: InMemory, flag: Flag, wanted: Wanted) -> str:
    with pytest.raises(InputError) as refused:
        planning.refuse(system, flag, wanted, allow_rules=False)
    return refused.value.message


def test_segments_are_refused_where_there_are_none() -> None:
    assert refusal(FileLike(), Flag("a"), Wanted("on", 0, ("internal",))) == (
        "memory: this type of flag system cannot turn 'a' on for the segment internal: it is as simple as a file."
    )


def test_a_segment_that_is_not_there_is_refused() -> None:
    planning.refuse(WithSegments(), Flag("a"), Wanted("on", 0, ("beta", "internal")), allow_rules=False)
    assert refusal(WithSegments(), Flag("a"), Wanted("on", 0, ("insiders",))) == (
        "memory: cannot turn 'a' on for the segment 'insiders', which does not exist; there are beta, internal. "
        "Nothing was changed; correct the name, or create the segment."
    )


def test_segments_that_nobody_has_named_are_rules_of_others_unless_all_have_the_feature() -> None:
    flag = Flag("a", exists=True, on=True, segments=("beta",))
    assert refusal(WithSegments(), flag, Wanted("on", 10)) == (
        "memory: 'a' has rules besides its percentage (the segment beta), so it would not be on for 10 % of the users. Nothing "
        "was changed; remove them, or set allow_rules."
    )
    planning.refuse(WithSegments(), flag, Wanted("on", 100), allow_rules=False)
    planning.refuse(WithSegments(), flag, Wanted("on", 10, ()), allow_rules=False)


def test_a_segment_that_is_kept_out_refuses_on_for_everybody() -> None:
    flag = Flag("a", exists=True, excluded=("beta",))
    assert "(off for the segment beta)" in refusal(WithSegments(), flag, Wanted("on", 100))
    planning.refuse(WithSegments(), flag, Wanted("on", 100, ()), allow_rules=False)


def test_a_flag_that_is_on_for_segments_is_another_one_for_other_segments() -> None:
    system = WithSegments()
    flag = Flag("a", exists=True, on=True, segments=("beta",))
    assert planning.is_reached(system, flag, Wanted("on", 0, ("beta",)))
    assert not planning.is_reached(system, flag, Wanted("on", 0, ("beta", "internal")))
    assert planning.in_words(flag) == "on for the segment beta"
    assert planning.serves(flag) is None
    assert planning.serves(Flag("a", exists=True, on=True, percent=100, segments=("beta",))) is True


@pytest.mark.parametrize("name", ["", " ", "a\x1b[31m", "a" * 201])
def test_what_cannot_be_a_segment_is_refused(name: str) -> None:
    with pytest.raises(InputError) as refused:
        planning.wanted_of(params(segments=[name]), 1.0)
    assert refused.value.message == (
        f"segments: expected printable names of at most 200 characters, found '{name:.60}'."
    )
