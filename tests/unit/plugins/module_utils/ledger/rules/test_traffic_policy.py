# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's words for a shift of traffic, and how the nodes' weights are read."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import traffic_nodes, traffic_policy
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_nodes import Node

GROUPS = {"blue": ["app1"], "green": ["app2"]}
WISH: dict[str, t.Any] = {"strategy": "blue_green", "groups": GROUPS}


def test_a_wish_has_usual_values() -> None:
    request = traffic_policy.validated({**WISH, "rollback_window": "1.5h"})
    assert request is not None
    assert (request.steps, request.rollback_window, request.candidate) == (((100.0, 0.0),), 5400.0, "")
    assert traffic_policy.validated(None) is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 1}, "shift: 'size' is not a setting; the settings are strategy, groups, candidate, live, steps, rollback_window."),
        ({"strategy": "rainbow"}, "shift.strategy: 'rainbow' is not one of blue_green, canary."),
        ({"groups": {"blue": ["app1"]}}, "shift.groups: 1 groups are named; a shift is between two."),
        ({"groups": {"blue": ["app1"], "green": []}}, "shift.groups: 'green' has no hosts; give the names that they have in the inventory."),
        ({"groups": {"blue": ["app1"], "green": ["app1"]}}, "shift.groups: app1 is in blue and in green; a host belongs to one of them."),
        ({"live": "red"}, "shift.live: 'red' is not one of the groups blue, green."),
        ({"strategy": "canary"}, "shift.candidate: needed for a canary; name the group that gets the new version first."),
        ({"rollback_window": "soon"}, "shift.rollback_window: 'soon' is not a duration; expected seconds, or for example 30s, 5m or 1h30m."),
        ({"steps": [{"share": 50}]}, "steps: the last share is 50, not 100; the new version must get all traffic."),
        ({"steps": [{"share": 50}, {"share": 50}, {"share": 100}]}, "steps: 50 comes after 50; the shares must grow."),
        ({"steps": [{"share": 101}]}, "steps: the share of step 1 cannot be 101; a percentage from 0 to 100 is expected."),
        ({"steps": [{"bake": 5}]}, "steps: step 1 has no share; a step is such as {share: 5, bake: 5m}."),
        ({"steps": [{"share": 100, "hold": 5}]}, "steps: step 1 has 'hold'; a step is such as {share: 5, bake: 5m}."),
        ({"steps": [{"share": 100, "bake": "-1"}]}, "steps: the bake of step 1: '-1' is not a duration; expected seconds, or for example 30s, 5m or 1h30m."),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_refused(wrong: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        traffic_policy.validated({**WISH, **wrong})
    assert refusal.value.message == message


def member(weight: int, in_rotation: bool = True, admin: str = "in_service") -> dict[str, t.Any]:
    return {"weight": weight, "in_rotation": in_rotation and weight > 0, "admin": admin, "operational": "up"}


def node(**members: dict[str, t.Any]) -> Node:
    return Node("lb1", members, {name: list(hosts) for name, hosts in GROUPS.items()})


@pytest.mark.parametrize(
    ("weights", "wanted", "shows"),
    [
        ((100, 0), {"blue": 100.0, "green": 0.0}, True),
        ((100, 1), {"blue": 100.0, "green": 0.0}, False),
        ((95, 5), {"blue": 95.0, "green": 5.0}, True),
        ((19, 1), {"blue": 95.0, "green": 5.0}, True),
        ((90, 10), {"blue": 95.0, "green": 5.0}, False),
        ((0, 100), {"blue": 100.0, "green": 0.0}, False),
    ],
)
def test_a_node_shows_a_split_by_its_weights(weights: tuple[int, int], wanted: dict[str, float], shows: bool) -> None:
    assert node(app1=member(weights[0]), app2=member(weights[1])).shows(wanted) is shows


def test_a_member_that_is_down_and_has_a_weight_is_no_share_of_nothing() -> None:
    """It would have traffic as soon as it is up."""
    down = node(app1=member(100), app2=member(100, in_rotation=False))
    assert down.split == {"blue": 100.0, "green": 0.0}
    assert not down.shows({"blue": 100.0, "green": 0.0})


def test_nodes_agree_or_they_do_not() -> None:
    one, same, other = (node(app1=member(w), app2=member(100 - w)) for w in (95, 95, 50))
    unreachable = Node("lb2", None, one.groups)
    assert traffic_nodes.agreed_split([one, same]) == {"blue": 95.0, "green": 5.0}
    assert traffic_nodes.agreed_split([one, other]) is None
    assert traffic_nodes.agreed_split([one, unreachable]) is None


def test_a_member_that_only_lacks_a_share_counts_as_in_service() -> None:
    given = [
        {"host": "lb1", "members": {"idle": member(0), "drained": member(0, admin="drained")}},
        {"host": "lb2", "unreachable": "x"},
    ]
    seen = traffic_nodes.with_idle_in_rotation(given)
    assert seen is not None
    assert [name for name, found in seen[0]["members"].items() if found["in_rotation"]] == ["idle"]
    assert seen[1] == given[1]
