# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles work out for a shift of traffic."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils import shifts

FLEET = ["app1", "app2", "app3"]
SETTINGS: dict[str, t.Any] = {
    "strategy": "",
    "colours": {"blue": "left", "green": ["app3"]},
    "live_colour": "",
    "canary_group": "few",
    "steps": [{"share": 100}],
    "bake_time": 60,
    "rollback_window": "1h",
}
GROUPS = {"left": ["app1", "app2"], "few": ["app3"]}


def test_nothing_is_wished_for_without_a_way() -> None:
    assert shifts.shift_wish(SETTINGS, GROUPS, FLEET) == {}


def test_a_canary_is_its_group_and_the_rest_of_the_fleet() -> None:
    assert shifts.shift_wish({**SETTINGS, "strategy": "canary"}, GROUPS, FLEET) == {
        "strategy": "canary",
        "groups": {"main": ["app1", "app2"], "canary": ["app3"]},
        "candidate": "canary",
        "steps": [{"share": 100}],
    }


def test_colours_are_groups_or_lists() -> None:
    assert shifts.shift_wish({**SETTINGS, "strategy": "blue_green"}, GROUPS, FLEET) == {
        "strategy": "blue_green",
        "groups": {"blue": ["app1", "app2"], "green": ["app3"]},
        "live": None,
        "steps": [{"share": 100, "bake": 60}],
        "rollback_window": "1h",
    }


@pytest.mark.parametrize(("workers", "parts"), [(1, [[1, 2, 3]]), (2, [[1, 3], [2]]), (4, [[1], [2], [3], []])])
def test_every_node_is_seen_to_by_one_host(workers: int, parts: list[list[int]]) -> None:
    assert [shifts.share_of([1, 2, 3], number, workers) for number in range(workers)] == parts


def looped(*results: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"results": list(results)}


def test_the_nodes_show_what_was_read_and_what_they_said_against_it() -> None:
    one, other = {"host": "lb1"}, {"host": "lb2", "groups": {"blue": ["b"]}}
    hostvars = {
        "app1": {
            "__rollout_read": looped({"item": one, "members": {"a": {}}}),
            "__rollout_set": looped({"item": one, "failed": True, "msg": "no change is allowed here"}),
        },
        "app2": {"__rollout_read": looped({"item": other, "failed": True, "msg": "no answer"})},
    }
    assert shifts.nodes_seen(["app1", "app2"], hostvars, {"blue": ["a"]}, ["__rollout_set"]) == [
        {"host": "lb1", "groups": {"blue": ["a"]}, "why": "no change is allowed here", "members": {"a": {}}},
        {"host": "lb2", "groups": {"blue": ["b"]}, "why": "", "members": {}, "unreachable": "no answer"},
    ]
    unasked = shifts.nodes_seen(["app1"], hostvars, {"blue": ["a"]})
    assert [node["why"] for node in unasked] == [""]
    assert len(shifts.results_of(["app1", "app2"], hostvars, "__rollout_read")) == 2


def test_there_are_stretches_for_every_look_and_every_move() -> None:
    looks = 600 / 10 + shifts.LOOKS_AT_LEAST
    stretches = shifts.stretches_needed([{"bake": 600}], 10)
    assert stretches * shifts.TURNS_IN_A_STRETCH >= looks + shifts.TURNS_BESIDE_LOOKS
    with pytest.raises(Exception, match=r"rollout_analysis_interval: expected more than 0 s, found 0\."):
        shifts.stretches_needed([], 0)


@pytest.mark.parametrize(
    ("metrics", "needed"),
    [([], True), ([{"name": "a"}], True), ([{"source": "prometheus"}], False), ([{"source": "balancer"}], True)],
)
def test_counters_are_read_where_they_are_asked_for(metrics: list[dict[str, t.Any]], needed: bool) -> None:
    assert shifts.counts_needed(metrics) is needed


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        ({"verdict": "wait", "reason": "not yet"}, {}),
        ({}, {}),
        ({"failed": True, "msg": "metrics: wrong"}, {"verdict": "no_data", "reason": "metrics: wrong"}),
        (
            {
                "verdict": "fail",
                "reason": "slow",
                "metrics": [{"name": "a", "verdict": "fail", "reason": "x", "more": 1}],
            },
            {
                "verdict": "fail",
                "reason": "slow",
                "evidence": {"metrics": [{"name": "a", "verdict": "fail", "reason": "x"}]},
            },
        ),
        ({"verdict": "pass", "msg": "as fast"}, {"verdict": "pass", "reason": "as fast", "evidence": {"metrics": []}}),
    ],
)
def test_a_look_tells_the_ledger_its_verdict(measured: dict[str, t.Any], told: dict[str, t.Any]) -> None:
    assert shifts.verdict_of(measured) == told


def test_groups_by_members_by_urls_and_by_bakes() -> None:
    shift = {"groups": {"blue": {"app1": "web1", "app2": "web2"}}}
    hostvars = {"app1": {"__rollout_base_urls": [{"name": "app1", "url": "http://a:1"}]}, "app2": {}}
    assert shifts.members_of(shift) == {"blue": ["web1", "web2"]}
    assert shifts.members_of({}) == {}
    assert shifts.urls_of("blue", shift, hostvars) == {"name": "blue", "urls": ["http://a:1"]}
    assert shifts.bakes([{"hosts": 1, "bake": "2m"}, {"hosts": 2}]) == [120.0, 0.0]
