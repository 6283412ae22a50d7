# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The split that lb_weight says it achieved is the one that real requests see."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from support import haproxy
from support.cores import call_core
from support.haproxy import Client, wait_until

from ansible_collections.steady.rollout.plugins.modules import lb_weight

REQUESTS = 20_000
# Drawn at random, one standard deviation of a share of 50 percent is 0.35 percentage points of 20,000 requests.
REQUESTS_DRAWN = 40_000
NEAR = 1.0  # percentage points
ONE_BY_ONE = ("haproxy", "apache")


def test_a_share_of_the_requests(site: t.Any) -> None:
    requests = REQUESTS_DRAWN if site.draws else REQUESTS
    for green in (5, 25, 50, 100):
        outcome = site.split(shares={"blue": 100 - green, "green": green})
        assert (outcome.error, outcome["at_once"]) == ("", site.settings["type"] not in ONE_BY_ONE)
        assert outcome["requested"] == {"blue": 100.0 - green, "green": float(green)}
        assert outcome["achieved"] == pytest.approx(outcome["requested"], abs=0.2)
        assert site.green_answers(requests) == pytest.approx(outcome["achieved"]["green"], abs=NEAR)


def test_nothing_means_nothing_and_everything_everything(site: t.Any) -> None:
    site.split(shares={"blue": 0, "green": 100})
    assert site.green_answers(2000) == 100.0
    site.split(shares={"blue": 100, "green": 0})
    assert site.green_answers(2000) == 0.0


def test_a_second_run_changes_nothing(site: t.Any) -> None:
    site.split(shares={"blue": 80, "green": 20})
    again = site.split(shares={"blue": 80, "green": 20})
    assert (again.error, again["changed"], again["actions"]) == ("", False, [])
    assert again["before"] == again["achieved"]


def test_check_mode_predicts_and_touches_nothing(site: t.Any) -> None:
    site.split(shares={"blue": 100, "green": 0})
    predicted = site.split(shares={"blue": 75, "green": 25}, check_mode=True, diff=True)
    after = predicted["diff"]["after"]
    assert (predicted["changed"], predicted["achieved"]["green"]) == (True, 25.0)
    assert site.green_answers(1000) == 0.0
    really = site.split(shares={"blue": 75, "green": 25}, diff=True)
    assert (really["diff"]["after"], really["actions"]) == (after, predicted["actions"])
    assert {name: member["after"] for name, member in really["members"].items()} == after


def test_what_was_there_before_can_be_given_back(site: t.Any) -> None:
    first = site.split(shares={"blue": 90, "green": 10})
    second = site.split(shares={"blue": 30, "green": 70})
    back = site.split(shares=second["before"])
    assert back["achieved"] == first["achieved"]


def test_no_request_fails_while_weights_change(member_site: t.Any) -> None:
    with Client(member_site) as client:
        for green in [5, 25, 50, 100, 0] * 4:
            assert member_site.split(shares={"blue": 100 - green, "green": green}).error == ""
    assert client.failures == []
    assert client.requests > 0


def test_only_members_that_take_traffic_are_counted(member_site: t.Any) -> None:
    member_site.put("app4", state="drained")
    outcome = member_site.split(shares={"blue": 90, "green": 10})
    assert (outcome.error, outcome["groups"]["green"]["counted"]) == ("", 1)
    assert outcome["achieved"] == {"blue": 90.0, "green": 10.0}
    assert outcome["members"]["app4"]["after"] == outcome["members"]["app3"]["after"]
    assert "'app4' take no traffic now and are not counted; with them the split becomes" in outcome["notes"][-1]
    assert member_site.green_answers(4000) == pytest.approx(10.0, abs=1.0)


def test_weight_0_and_drained_are_two_things(member_site: t.Any) -> None:
    member_site.split(shares={"blue": 100, "green": 0})
    member_site.put("app4", state="drained")
    member_site.split(shares={"blue": 50, "green": 50})
    assert member_site.green_answers(1000) == pytest.approx(50.0, abs=1.0)
    member_site.split(shares={"blue": 100, "green": 0})
    assert member_site.put("app4", state="in_service", wait=False).error == ""
    member_site.split(shares={"blue": 0, "green": 100})
    assert member_site.green_answers(1000) == 100.0


def test_a_group_without_healthy_members_gets_no_traffic(member_site: t.Any) -> None:
    member_site.put("app3", "app4", state="drained")
    refused = member_site.split(shares={"blue": 95, "green": 5})
    assert (refused["refused"], refused["changed"], refused["actions"]) == (True, False, [])
    assert "group 'green' is to get 5 % and has no healthy member ('app3' drained, 'app4' drained)" in refused.error
    assert member_site.split(shares={"blue": 100, "green": 0}).error == ""


def test_members_that_are_down_are_not_healthy(haproxy_site: t.Any) -> None:
    node = haproxy_site.node.node
    for member in ("app3", "app4"):
        node.ask(f"disable health shop/{member}")
        node.ask(f"set server shop/{member} health down")
    wait_until(lambda: {node.status(member) for member in ("app3", "app4")} == {"DOWN"}, "green is down")
    refused = haproxy_site.split(shares={"blue": 95, "green": 5})
    assert refused["refused"]
    assert "'app3' down" in refused.error


def test_a_policy_without_weights_is_refused_and_nothing_changes(directory: pathlib.Path) -> None:
    if haproxy.BINARY is None:
        pytest.skip("no haproxy binary on this machine; install the package haproxy")
    with haproxy.Node(directory, members=2, backend="balance static-rr\n  option httpchk GET /health") as node:
        balancer = {"host": "lb1", "socket": node.socket("admin"), "pool": "shop"}
        outcome = call_core(lb_weight, balancer=balancer, shares={"app1": 90, "app2": 10})
        again = call_core(lb_weight, balancer=balancer, shares={"app1": 90, "app2": 10}, check_mode=True)
    assert "HAProxy answered 'Backend is using a static LB algorithm and only accepts weights" in outcome.error
    assert (outcome["changed"], again["before"]) == (False, {"app1": 50.0, "app2": 50.0})


def test_members_in_no_group_are_named(member_site: t.Any) -> None:
    outcome = member_site.split(shares={"blue": 95, "green": 5}, groups={"blue": ["app1"], "green": ["app4"]})
    assert "also sends traffic to 'app2', 'app3', in no group" in outcome.error
    assert outcome["changed"] is False


def test_an_unknown_member_is_named(site: t.Any) -> None:
    outcome = site.split(shares={"blue": 95, "green": 5}, groups={"blue": ["app1"], "green": ["app44"]})
    assert "has no member " in outcome.error
    assert "'app44'" in outcome.error
