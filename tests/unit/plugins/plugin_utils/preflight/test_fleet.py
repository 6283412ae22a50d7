# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.preflight import fleet
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.findings import refusals
from ansible_collections.steady.rollout.plugins.plugin_utils.survey import Member

WHY = "http://app1/helth answered 404, expected 200"
UP = {"in_rotation": True}


def member(name: str, probed_from: str = "controller", **health: str) -> Member:
    return Member(name, "", name, True, health or {"url": f"http://{name}/health"}, probed_from)


def host(name: str, healthy: bool | None = True, version: str | None = "1.0.0", **other: t.Any) -> t.Any:
    return {"name": name, "member": name, "in_scope": True, "healthy": healthy, "version": version, **other}


def node(*up: str, down: t.Sequence[str] = ()) -> t.Any:
    return {"host": "lb1", "members": {**dict.fromkeys(up, UP), **{name: {"in_rotation": False} for name in down}}}


def said(hosts: t.Sequence[t.Any], balancers: t.Sequence[t.Any] = (), version: str = "", accept: str = "") -> list[str]:
    members = [member(one["name"]) for one in hosts]
    return refusals(fleet.findings(members, fleet.Seen(hosts, balancers, {"app1": WHY}), version), [accept])


def test_a_wrong_health_check_cost_eleven_minutes_a_host_and_marked_the_version_bad() -> None:
    hosts = [host("app1", False), host("app2", False)]
    assert said(hosts, [node("app1", "app2")]) == [
        f"rollout_health fails on all 2 hosts although the load balancers send requests to 2 of them, on app1 with: {WHY}; "
        "correct rollout_health; to continue anyway, add -e rollout_accept=health."
    ]
    assert said(hosts, [node("app1", "app2")], accept="health") == []


@pytest.mark.parametrize(
    ("hosts", "balancers"),
    [
        ([host("app1", False), host("app2")], [node("app1", "app2")]),
        ([host("app1", False), host("app2", False)], [node(down=["app1", "app2"])]),
        ([host("app1", False), host("app2", False)], []),
        ([host("app1", False), host("app2", None, in_scope=False)], [node("app1", "app2")]),
    ],
    ids=["one is healthy", "down on the balancer, too", "no balancer", "one host is to be repaired by --limit"],
)
def test_a_fleet_that_is_really_down_may_be_repaired(hosts: t.Sequence[t.Any], balancers: t.Sequence[t.Any]) -> None:
    assert said(hosts, balancers) == []


def test_one_host_answered_for_all() -> None:
    members = [member("app1", url="http://shop/health"), member("app2", url="http://shop/health")]
    sentence = (
        "rollout_health: http://shop/health is probed for app1 and app2 alike, so one answers for the other: put the host's "
        "own address into it, such as {{ ansible_host }}; to continue anyway, add -e rollout_accept=health."
    )
    assert refusals(fleet.findings(members, fleet.Seen([]), ""), []) == [sentence]
    at_home = [one._replace(probed_from="host") for one in members]
    assert fleet.findings(at_home, fleet.Seen([]), "") == []


@pytest.mark.parametrize(("asked", "other"), [("v1.1.0", "1.1.0"), ("V1.1.0", "1.1.0")])
def test_a_v_before_the_number_was_waited_for_until_the_deadline(asked: str, other: str) -> None:
    assert said([host("app1"), host("app2", version=None)], version=asked) == [
        f"rollout_version is {asked}, but the fleet reports versions such as 1.0.0: give -e rollout_version={other}; to continue "
        "anyway, add -e rollout_accept=version."
    ]


def test_a_v_that_is_missing_is_found_too() -> None:
    assert said([host("app1", version="v1.0.0")], version="1.1.0") == [
        "rollout_version is 1.1.0, but the fleet reports versions such as v1.0.0: give -e rollout_version=v1.1.0; to continue "
        "anyway, add -e rollout_accept=version."
    ]


@pytest.mark.parametrize(
    ("asked", "reported"), [("1.1.0", "1.0.0"), ("v2", "v1"), ("abc123", "def456"), ("main", "v1")]
)
def test_versions_of_one_spelling_pass(asked: str, reported: str) -> None:
    assert said([host("app1", version=reported)], version=asked) == []
