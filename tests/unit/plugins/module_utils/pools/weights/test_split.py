# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Integer weights as near to the shares as integers get."""

from __future__ import annotations

import itertools
import typing as t
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import WeightLimits
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights import split
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights.split import (
    achieved_shares,
    nearest_weights,
    parse_shares,
    percent,
)

HAPROXY = WeightLimits(1, 256)
Case = t.Tuple[t.Dict[str, Fraction], t.Dict[str, int]]


@st.composite
def cases(draw: st.DrawFn, groups: int) -> Case:
    names = "abcd"[:groups]
    parts = draw(st.lists(st.integers(1, 100), min_size=groups, max_size=groups))
    servers = draw(st.lists(st.integers(1, 5), min_size=groups, max_size=groups))
    return {name: Fraction(part, sum(parts)) for name, part in zip(names, parts)}, dict(zip(names, servers))


def error_of(weights: dict[str, int], case: Case) -> Fraction:
    shares, servers = case
    achieved = achieved_shares(weights, servers)
    return max(abs(achieved[name] - shares[name]) for name in shares)


def nearest_or_nothing(case: Case, limits: WeightLimits) -> dict[str, int]:
    try:
        return nearest_weights(*case, limits)
    except InputError:
        assume(False)
        raise


def best_of_all(case: Case, limits: WeightLimits) -> Fraction:
    """Every combination tried."""
    weights = range(limits.lowest, limits.highest + 1)
    combinations = itertools.product(weights, repeat=len(case[0]))
    return min(error_of(dict(zip(case[0], chosen)), case) for chosen in combinations)


@given(cases(2), st.integers(3, 40))
def test_no_other_weights_are_nearer_for_two_groups(case: Case, highest: int) -> None:
    limits = WeightLimits(1, highest)
    assert error_of(nearest_or_nothing(case, limits), case) == best_of_all(case, limits)


@given(cases(3), st.integers(3, 12))
def test_no_other_weights_are_nearer_for_three_groups(case: Case, highest: int) -> None:
    limits = WeightLimits(1, highest)
    assert error_of(nearest_or_nothing(case, limits), case) == best_of_all(case, limits)


@given(cases(4), st.integers(3, 5))
def test_no_other_weights_are_nearer_for_four_groups(case: Case, highest: int) -> None:
    limits = WeightLimits(1, highest)
    assert error_of(nearest_or_nothing(case, limits), case) == best_of_all(case, limits)


@given(cases(2), st.sampled_from([HAPROXY, WeightLimits(1, 100), WeightLimits(1, 999), WeightLimits(1, 1000)]))
def test_a_share_is_never_silently_nothing_or_everything(case: Case, limits: WeightLimits) -> None:
    weights = nearest_or_nothing(case, limits)
    assert all(limits.lowest <= weight <= limits.highest for weight in weights.values())
    achieved = achieved_shares(weights, case[1])
    assert sum(achieved.values()) == 1
    assert all(0 < achieved[name] <= 2 * share for name, share in case[0].items())


@given(cases(2))
def test_the_order_of_the_groups_does_not_matter(case: Case) -> None:
    shares, servers = case
    turned = dict(reversed(list(shares.items())))
    assert error_of(nearest_or_nothing(case, HAPROXY), case) == error_of(
        nearest_or_nothing((turned, servers), HAPROXY), case
    )


@given(cases(3))
def test_a_group_without_a_share_gets_weight_0_and_changes_nothing_else(case: Case) -> None:
    shares, servers = case
    weights = nearest_or_nothing(case, HAPROXY)
    more = nearest_weights({**shares, "none": Fraction(0)}, {**servers, "none": 0}, HAPROXY)
    assert more == {**weights, "none": 0}


@pytest.mark.parametrize(
    ("shares", "servers", "weights"),
    [
        ({"blue": 95, "green": 5}, (1, 1), (95, 5)),
        ({"blue": 95, "green": 5}, (3, 3), (95, 5)),
        ({"blue": 75, "green": 25}, (2, 2), (99, 33)),
        ({"blue": 95, "green": 5}, (3, 2), (114, 9)),
        ({"blue": 50, "green": 50}, (4, 1), (25, 100)),
        ({"blue": 0, "green": 100}, (2, 2), (0, 100)),
        ({"blue": 100, "green": 0}, (2, 0), (100, 0)),
    ],
)
def test_weights_read_like_percentages(
    shares: dict[str, int], servers: tuple[int, int], weights: tuple[int, int]
) -> None:
    found = nearest_weights(parse_shares(shares), dict(zip(shares, servers)), HAPROXY)
    assert tuple(found.values()) == weights


def test_many_groups() -> None:
    shares = parse_shares(dict.fromkeys("abcdefgh", 12.5))
    servers = {name: 1 + place % 5 for place, name in enumerate(shares)}
    achieved = achieved_shares(nearest_weights(shares, servers, HAPROXY), servers)
    assert set(achieved.values()) == {Fraction(1, 8)}


def test_a_share_too_small_for_the_weights_there_are() -> None:
    servers = {"blue": 3, "green": 3}
    with pytest.raises(InputError) as caught:
        nearest_weights(parse_shares({"blue": 99.6, "green": 0.4}), servers, WeightLimits(1, 100))
    assert caught.value.message == (
        "shares: 0.4 % for 'green' cannot be reached. The nearest that weights from 1 to 100 give with the servers that take "
        "traffic (3 in 'blue', 3 in 'green') is 0.9901 %, and none at all would be nearer. Ask for 0 or for at least "
        "0.495 %, or give 'green' fewer servers."
    )
    assert nearest_weights(parse_shares({"blue": 99.5, "green": 0.5}), servers, WeightLimits(1, 100))["green"] == 1
    assert nearest_weights(parse_shares({"blue": 99.6, "green": 0.4}), servers, WeightLimits(1, 256))["green"] == 1


def test_shares_are_numbers_or_text() -> None:
    half = {"blue": Fraction(1, 2), "green": Fraction(1, 2)}
    assert parse_shares({"blue": 50, "green": "50"}) == half
    assert parse_shares({"blue": "50 %", "green": 50.0}) == half
    assert parse_shares({"blue": "97.5%", "green": "2.5"})["green"] == Fraction(1, 40)


def test_thirds_need_not_be_exact() -> None:
    assert set(parse_shares(dict.fromkeys("abc", 33.3)).values()) == {Fraction(1, 3)}


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({}, "shares: is empty; give each group its percentage of the traffic, for example {blue: 95, green: 5}."),
        ({"blue": 95, "green": 10}, "shares: blue: 95, green: 10 add up to 105, not to 100."),
        ({"blue": 99.8}, "shares: blue: 99.8 add up to 99.8, not to 100."),
        ({"blue": 0, "green": 0}, "shares: blue: 0, green: 0 add up to 0, not to 100."),
        ({"blue": -5, "green": 105}, "shares: 'blue' cannot be -5; a percentage from 0 to 100 is expected."),
        ({"blue": 101}, "shares: 'blue' cannot be 101; a percentage from 0 to 100 is expected."),
        ({"blue": "most"}, "shares: 'blue' cannot be 'most'; a percentage from 0 to 100 is expected."),
        ({"blue": True}, "shares: 'blue' cannot be True; a percentage from 0 to 100 is expected."),
        ({"blue": None}, "shares: 'blue' cannot be None; a percentage from 0 to 100 is expected."),
        ({"blue": "1e2"}, "shares: 'blue' cannot be '1e2'; a percentage from 0 to 100 is expected."),
    ],
)
def test_shares_that_cannot_be_right(shares: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_shares(shares)
    assert caught.value.message == message


def test_without_any_weight_no_group_has_a_share() -> None:
    assert achieved_shares({"blue": 0, "green": 0}, {"blue": 2, "green": 2}) == {"blue": 0, "green": 0}


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 300), min_size=1))
def test_what_was_before_can_be_asked_for(weights: dict[str, int]) -> None:
    assume(sum(weights.values()))
    before = split.parts(weights)
    again = parse_shares({name: percent(share) for name, share in before.items()})
    assert all(abs(again[name] - share) < Fraction(1, 100_000) for name, share in before.items())
