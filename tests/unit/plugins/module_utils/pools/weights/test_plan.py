# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is counted, who is refused, and in which order weights change."""

from __future__ import annotations

import typing as t
from fractions import Fraction

import pytest
from support.pools import member, snapshot

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import WeightLimits
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights.plan import (
    in_order,
    is_healthy,
    make_plan,
    outsiders,
    parse_groups,
    refusal,
    shares_of,
    takes_traffic,
)

GROUPS = {"blue": ["a", "b"], "green": ["c", "d"]}
HALF = {"blue": Fraction(1, 2), "green": Fraction(1, 2)}
LIMITS = WeightLimits(1, 256)
FOUR = [member(name) for name in "abcd"]


def without_weight(name: str, **changes: t.Any) -> contract.Member:
    return member(name, weight=0, usable=False, in_rotation=False, **changes)


def test_without_groups_a_share_is_that_of_a_member() -> None:
    assert parse_groups(None, ["a", "b"]) == {"a": ["a"], "b": ["b"]}


def test_groups_are_lists_or_single_names_and_say_a_name_once() -> None:
    assert parse_groups({"blue": ["a", "b", "a"], "green": "c"}, ["blue", "green"]) == {
        "blue": ["a", "b"],
        "green": ["c"],
    }


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            {"blue": ["a"]},
            "groups: there are groups 'blue', but shares for 'blue', 'green'. Give every group a share, 0 for none.",
        ),
        (
            {},
            "groups: there are groups none, but shares for 'blue', 'green'. Give every group a share, 0 for none.",
        ),
        (
            {"blue": [], "green": ["a"]},
            "groups: 'blue' has no members; give a list of the names that the load balancer has.",
        ),
        (
            {"blue": {"a": 1}, "green": ["a"]},
            "groups: 'blue' has no members; give a list of the names that the load balancer has.",
        ),
        ({"blue": ["a", "b"], "green": ["b"]}, "groups: 'b' is in 'blue' and in 'green'; a member has one group."),
    ],
)
def test_groups_that_cannot_be_right(groups: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_groups(groups, ["blue", "green"])
    assert caught.value.message == message


@pytest.mark.parametrize("state", [contract.UP, contract.NO_CHECK])
def test_whoever_is_up_is_healthy(state: str) -> None:
    assert takes_traffic(member("a", operational=state))
    assert is_healthy(member("a", operational=state))


@pytest.mark.parametrize("state", [contract.GOING_DOWN, contract.STARTING])
def test_whoever_is_half_up_is_counted_but_not_healthy(state: str) -> None:
    assert takes_traffic(member("a", operational=state))
    assert not is_healthy(member("a", operational=state))


@pytest.mark.parametrize("state", [contract.DOWN, contract.STOPPING, contract.PAUSED, "of another make"])
def test_whoever_is_not_up_is_not_counted(state: str) -> None:
    assert not takes_traffic(member("a", operational=state))


def test_whoever_is_out_or_stands_by_is_not_counted() -> None:
    assert not takes_traffic(member("a", contract.DRAINED))
    assert not takes_traffic(member("a", contract.MAINTENANCE))
    assert not takes_traffic(member("a", backup=True))


def test_a_member_without_weight_would_take_traffic() -> None:
    assert is_healthy(without_weight("a"))


def test_all_members_of_a_group_get_its_weight() -> None:
    plan = make_plan(snapshot(*FOUR), GROUPS, {"blue": Fraction(95, 100), "green": Fraction(5, 100)}, LIMITS)
    assert (plan.weights, plan.notes) == ({"a": 95, "b": 95, "c": 5, "d": 5}, [])


def test_only_who_takes_traffic_is_counted_and_the_note_says_what_comes_later() -> None:
    pool = snapshot(member("a"), member("b"), member("c"), member("d", contract.DRAINED))
    plan = make_plan(pool, GROUPS, HALF, LIMITS)
    assert plan.weights == {"a": 50, "b": 50, "c": 100, "d": 100}
    assert plan.notes == [
        "'d' take no traffic now and are not counted; with them the split becomes blue 33.33 %, green 66.67 %."
    ]


def test_an_agent_is_noted() -> None:
    plan = make_plan(snapshot(member("a", agent=True), *FOUR[1:]), GROUPS, HALF, LIMITS)
    assert plan.notes == ["An agent check may change the weights of 'a' by itself."]


def test_a_group_without_a_healthy_member_is_refused_any_share() -> None:
    down = member("d", operational=contract.DOWN, usable=False, in_rotation=False, check="L4CON refused")
    pool = snapshot(member("a"), member("b"), member("c", contract.DRAINED), down)
    assert refusal(pool, GROUPS, HALF) == (
        "group 'green' is to get 50 % and has no healthy member ('c' drained, 'd' down L4CON refused)"
    )
    assert refusal(pool, GROUPS, {"blue": Fraction(1), "green": Fraction(0)}) == ""
    assert refusal(snapshot(*FOUR), GROUPS, HALF) == ""
    assert refusal(snapshot(*FOUR[:3], down), GROUPS, HALF) == ""


def test_a_group_that_is_only_starting_is_not_healthy_yet() -> None:
    starting = [member(name, operational=contract.STARTING) for name in "cd"]
    assert refusal(snapshot(*FOUR[:2], *starting), GROUPS, HALF) == (
        "group 'green' is to get 50 % and has no healthy member ('c' starting, 'd' starting)"
    )


def test_a_backup_makes_no_group_healthy() -> None:
    pool = snapshot(member("a"), member("b"), member("c", backup=True), member("d", backup=True))
    assert "('c' backup, 'd' backup)" in refusal(pool, GROUPS, HALF)


def test_outsiders_take_traffic_and_are_in_no_group() -> None:
    pool = snapshot(*FOUR, member("e"), member("f", contract.DRAINED), without_weight("g"))
    assert outsiders(pool, GROUPS) == ["e"]


def test_shares_by_the_weights_in_force() -> None:
    pool = snapshot(
        member("a", weight=3), without_weight("b"), member("c", weight=1), member("d", contract.DRAINED, weight=9)
    )
    assert shares_of(pool, GROUPS) == {"blue": Fraction(3, 4), "green": Fraction(1, 4)}


def test_weights_that_rise_come_first_and_equal_ones_not_at_all() -> None:
    now = {"a": member("a", weight=9), "b": member("b", weight=5), "c": without_weight("c"), "d": member("d", weight=2)}
    assert list(in_order({"a": 1, "b": 5, "c": 4, "d": 3}, now).items()) == [("c", 4), ("d", 3), ("a", 1)]
    assert in_order({"gone": 1}, {}) == {"gone": 1}
