# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts, shares and times: what is taken, how it rounds, and what is refused in one sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import policy


def limits(given=None, fleet=10, in_scope=10, zones=None):
    return policy.resolved(policy.validated(given), fleet, in_scope, zones or {"": fleet})


def refusal(**given):
    with pytest.raises(InputError) as caught:
        policy.validated(given)
    return caught.value.message


@pytest.mark.parametrize(
    ("fleet", "window", "floor"),
    [(1, 1, 1), (2, 1, 1), (3, 1, 2), (4, 1, 2), (8, 2, 4), (9, 2, 5), (10_000, 2500, 5000)],
)
def test_the_defaults_round_the_window_down_and_the_floor_up(fleet, window, floor):
    found = limits(fleet=fleet)
    assert (found.max_unavailable, found.min_available) == (window, floor)


def test_the_other_defaults():
    found = limits()
    assert found.max_failures == 0
    assert found.stages == (10,)
    assert (found.on_failure, found.gate, found.gate_no_data, found.gate_inconclusive) == (
        "revert",
        False,
        "stop",
        "stop",
    )
    assert (found.progress_deadline, found.bake_times) == (600.0, (0.0,))


def test_a_count_is_taken_as_it_is_and_the_window_is_not_wider_than_the_fleet():
    found = limits({"max_unavailable": 20, "min_available": "0", "max_failures": "20%"})
    assert (found.max_unavailable, found.min_available, found.max_failures) == (10, 0, 2)


def test_shares_do_not_suffer_from_binary_fractions():
    assert limits({"min_available": "70%"}, fleet=10).min_available == 7
    assert limits({"min_available": "55%"}, fleet=100).min_available == 55
    assert limits({"max_unavailable": "29%"}, fleet=100).max_unavailable == 29


@pytest.mark.parametrize(
    ("size", "floor", "kept"), [(1, "1", 0), (2, "1", 1), (5, "50%", 3), (1, "100%", 0), (4, "0", 0)]
)
def test_a_zone_keeps_its_floor_and_a_zone_of_one_none(size, floor, kept):
    assert limits({"zone_min_available": floor}, zones={"a": size}).zone_floors == {"a": kept}


def test_hosts_without_a_zone_keep_no_floor_of_their_own():
    assert limits(zones={"": 10}).zone_floors == {}


@pytest.mark.parametrize(
    ("stages", "in_scope", "places"),
    [
        ([1, "10%", "50%", "100%"], 6, (1, 3, 6)),
        ([1, "10%", "50%", "100%"], 40, (1, 4, 20, 40)),
        (["1"], 3, (1, 3)),
        (["100%"], 1, (1,)),
        (["5", "10%"], 20, (5, 20)),
        (["5"], 3, (3,)),
        (["100%"], 0, (0,)),
    ],
)
def test_stages_become_places(stages, in_scope, places):
    assert limits({"stages": stages}, in_scope=in_scope).stages == places


def test_a_place_belongs_to_the_stage_its_number_falls_in():
    found = limits({"stages": [1, "50%"]})
    assert [found.stage_of(place) for place in (1, 2, 5, 6, 10, 11)] == [1, 2, 2, 3, 3, 3]


def test_limits_survive_the_ledger():
    found = limits({"stages": [1]}, zones={"a": 10})
    assert policy.Limits.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_unavailable": "120%"}, "rollout_max_unavailable: 120% is more than 100%; give a count such as 2 or a share of at most 100%."),
        ({"min_available": "-1"}, "rollout_min_available: '-1' is neither a count such as 2 nor a share such as 25%."),
        ({"min_available": "half"}, "rollout_min_available: 'half' is neither a count such as 2 nor a share such as 25%."),
        ({"min_available": True}, "rollout_min_available: 'True' is neither a count such as 2 nor a share such as 25%."),
        ({"max_failures": "1.5"}, "rollout_max_failures: 1.5 hosts is not a whole number; give a count such as 2 or a share such as 25%."),
        ({"max_unavailable": 0}, "rollout_max_unavailable: 0 lets no host be updated; give at least 1."),
        ({"stages": ["0%", "100%"]}, "rollout_stages: 0% lets no host be updated; give at least 1."),
        ({"stages": "10%"}, "rollout_stages: '10%' is not a list such as [1, 10%, 50%, 100%]."),
        ({"stages": []}, "rollout_stages: [] is not a list such as [1, 10%, 50%, 100%]."),
        (
            {"stages": ["50%", "10%"]},
            "rollout_stages: 10% comes after 50%; each stage says how many hosts are on the version when it ends, so the "
            "numbers must grow.",
        ),
        ({"bake_time": "soon"}, "rollout_bake_time: 'soon' is not a duration; expected seconds, or for example 30s, 5m or 1h30m."),
        ({"bake_time": -1}, "rollout_bake_time: '-1' is not a duration; expected seconds, or for example 30s, 5m or 1h30m."),
        ({"bake_time": [60, -1], "stages": [1, "100%"]}, "rollout_bake_time: '-1' is not a duration; expected seconds, or for example 30s, 5m or 1h30m."),
        (
            {"bake_time": [60, 60, 60], "stages": [1, "100%"]},
            "rollout_bake_time: 3 times for 2 stages; give one for each stage, or one for all.",
        ),
        ({"bake_time": "inf"}, "rollout_bake_time: 'inf' is not a duration; expected seconds, or for example 30s, 5m or 1h30m."),
        ({"on_failure": "panic"}, "rollout_on_failure: 'panic' is not one of revert, hold."),
        ({"gate_no_data": "ignore"}, "gate_no_data: 'ignore' is not one of stop, pass, fail."),
        (
            {"min_healthy_time": 300},
            "rollout_min_healthy_time 300 s, rollout_healthy_deadline 300 s and rollout_progress_deadline 600 s are out of order: each must be "
            "shorter than the next.",
        ),
        (
            {"healthy_deadline": 600},
            "rollout_min_healthy_time 10 s, rollout_healthy_deadline 600 s and rollout_progress_deadline 600 s are out of order: each must be "
            "shorter than the next.",
        ),
    ],
)  # fmt: skip
def test_wrong_input_is_refused_in_one_sentence(given, message):
    assert refusal(**given) == message


def test_an_unknown_setting_is_refused():
    assert refusal(max_surge=1).startswith("policy: 'max_surge' is not a setting; the settings are max_unavailable,")


def test_what_is_not_given_is_as_if_it_were_not_there():
    assert policy.validated({"max_unavailable": None}) == policy.validated(None)


@given(st.integers(0, 100), st.integers(1, 10_000))
def test_a_share_never_rounds_beyond_itself(share, fleet):
    """Invariants 1 and 3: a floor is never rounded down and a window never up."""
    found = policy.amount("x", f"{share}%")
    assert found.rounded_down(fleet) * 100 <= share * fleet <= found.rounded_up(fleet) * 100
    assert found.rounded_up(fleet) - found.rounded_down(fleet) <= 1


@given(st.lists(st.one_of(st.integers(1, 50), st.integers(1, 100).map("{}%".format)), min_size=1), st.integers(1, 200))
def test_stages_grow_and_end_with_all(stages, in_scope):
    """Invariant 5."""
    amounts = [policy.amount("stages", stage) for stage in stages]
    places = [place for place, dummy in policy.stages_in_hosts(amounts, [0.0] * len(stages), in_scope)]
    assert list(places) == sorted(set(places))
    assert places[-1] == in_scope
    assert places[0] >= 1


@pytest.mark.parametrize(
    ("stages", "bakes", "in_scope", "found"),
    [
        (["1", "50%", "100%"], 60, 10, ((1, 60.0), (5, 60.0), (10, 60.0))),
        (["1", "50%", "100%"], [300, 600, 0], 10, ((1, 300.0), (5, 600.0), (10, 0.0))),
        (["1", "10%", "100%"], [60, 300, 0], 10, ((1, 300.0), (10, 0.0))),
        (["1", "10%", "100%"], [300, 60, 0], 10, ((1, 300.0), (10, 0.0))),
        (["2"], [60], 10, ((2, 60.0), (10, 60.0))),
    ],
)
def test_each_stage_bakes_for_its_own_time(stages, bakes, in_scope, found):
    """Two that rounding makes one bake for the longer of their times."""
    made = policy.validated({"stages": stages, "bake_time": bakes})
    limits = policy.resolved(made, 10, in_scope, {})
    assert tuple(zip(limits.stages, limits.bake_times)) == found
    assert policy.Limits.from_dict(json.loads(json.dumps(limits.to_dict()))) == limits


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100))
def test_only_deadlines_in_order_are_taken(healthy, deadline, progress):
    """Invariant 7."""
    settings = {"min_healthy_time": healthy, "healthy_deadline": deadline, "progress_deadline": progress}
    if healthy < deadline < progress:
        assert policy.validated(settings).progress_deadline == progress
    else:
        assert "are out of order" in refusal(**settings)
