# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members leave and come back while clients send requests: none of them fails."""

from __future__ import annotations

import typing as t

from support.crowd import QuickMember, Steady
from support.envoy import Node, active_health_check
from support.haproxy import Client, fetch, wait_until

CYCLES = 20


def served_by(node: Node, requests: int = 30) -> set[str]:
    return {fetch(node.port)[1] for dummy in range(requests)}


def test_drain_waits_for_requests_in_flight(node: Node, balancer: t.Any, slow: t.Any) -> None:
    held = slow(node, "app1", seconds=2)
    with Client(node) as client:
        outcome = balancer.put("app1", state="drained")
    assert outcome.error == ""
    app1 = outcome["members"]["app1"]
    assert (app1["before"], app1["after"], app1["outcome"]) == ("in_service", "drained", "reached")
    assert (app1["sessions"], app1["in_rotation"]) == (0, False)
    assert app1["sessions_at_start"] >= 1
    assert outcome["restore"] == {"states": {"app1": "in_service"}}
    assert node.health() == {"app1": "DRAINING", "app2": "HEALTHY", "app3": "HEALTHY"}
    assert held.finish() == {200}
    assert client.failures == []
    assert client.requests > 0


def test_cycles_of_drain_and_back_lose_nothing(start: t.Any, make_balancer: t.Any) -> None:
    node = start(make_member=QuickMember)
    balancer = make_balancer(node)
    with Steady(node.port) as keeping, Client(node) as closing:
        for number in range(CYCLES):
            member = f"app{1 + number % 3}"
            assert balancer.put(member, state="drained").error == ""
            assert member not in served_by(node, 10)
            assert balancer.put(member, state="in_service").error == ""
            wait_until(lambda member=member: member in served_by(node, 5), f"{member} serves")
    assert (keeping.failures, closing.failures) == ([], [])
    assert min(keeping.requests, closing.requests) > CYCLES


def test_changes_of_weight_lose_nothing(start: t.Any, make_balancer: t.Any) -> None:
    node = start(make_member=QuickMember)
    balancer = make_balancer(node)
    with Steady(node.port) as keeping, Client(node) as closing:
        for number in range(CYCLES):
            shares = {"old": 100 - 5 * number, "new": 5 * number}
            outcome = balancer.weigh(shares, groups={"old": ["app1", "app2"], "new": ["app3"]})
            assert outcome.error == ""
    assert (keeping.failures, closing.failures) == ([], [])
    assert min(keeping.requests, closing.requests) > CYCLES


def test_maintenance_and_back(node: Node, balancer: t.Any) -> None:
    with Client(node) as client:
        out = balancer.put("app1", state="maintenance")
        assert "app1" not in served_by(node)
        back = balancer.put("app1", state="in_service")
        assert "app1" in served_by(node)
    assert client.failures == []
    assert (out["members"]["app1"]["outcome"], back["members"]["app1"]["outcome"]) == ("reached", "reached")


def test_a_second_run_changes_nothing_under_traffic(node: Node, balancer: t.Any) -> None:
    with Client(node):
        for state in ("drained", "maintenance", "in_service"):
            balancer.put("app1", state=state)
            file = node.eds_file().stat()
            again = balancer.put("app1", state=state)
            assert (again.error, again["changed"], again["actions"]) == ("", False, [])
            assert node.eds_file().stat() == file


def test_check_mode_predicts_and_touches_nothing(node: Node, balancer: t.Any) -> None:
    before = node.eds_file().read_text()
    predicted = balancer.put("app1", state="drained", check_mode=True, diff=True)
    assert (predicted.error, predicted["changed"]) == ("", True)
    assert predicted["diff"]["after"] == {"app1": "drained"}
    assert node.eds_file().read_text() == before


def test_all_else_in_the_file_stays(node: Node, balancer: t.Any) -> None:
    document = node.document()
    (group,) = document["resources"][0]["endpoints"]
    group["locality"] = {"region": "north"}
    group["lb_endpoints"][0]["metadata"] = {"filter_metadata": {"theirs": {"key": "value"}}}
    group["lb_endpoints"][1]["load_balancing_weight"] = 7
    node.write(node.eds_file(), document)
    wait_until(lambda: node.hosts()["app2"]["weight"] == 7, "Envoy took the file")
    for state in ("drained", "in_service"):
        balancer.put("app1", state=state)
    balancer.weigh({"app1": 0, "app2": 50, "app3": 50})
    balancer.weigh({"app1": 34, "app2": 33, "app3": 33})
    after = node.document()
    (kept,) = after["resources"][0]["endpoints"]
    assert kept["locality"] == {"region": "north"}
    assert kept["lb_endpoints"][0]["metadata"] == {"filter_metadata": {"theirs": {"key": "value"}}}
    assert kept["lb_endpoints"][0]["endpoint"] == group["lb_endpoints"][0]["endpoint"]


def test_another_pool_with_the_same_addresses_is_not_touched(start: t.Any, make_balancer: t.Any) -> None:
    node = start(pools={"shop": ["app1", "app2"], "other": ["app3", "app4"]})
    outcome = make_balancer(node, pool="other", eds_file=str(node.eds_file("other"))).put("app3", state="drained")
    assert (outcome.error, node.health("other")["app3"]) == ("", "DRAINING")
    assert node.health("shop") == {"app1": "HEALTHY", "app2": "HEALTHY"}


def test_two_members_on_one_address_are_two(node: Node, balancer: t.Any) -> None:
    addresses = {member["address"] for member in balancer.info()["members"].values()}
    assert {address.rpartition(":")[0] for address in addresses} == {"127.0.0.1"}
    assert len(addresses) == 3
    balancer.put("app2", state="drained")
    assert node.health() == {"app1": "HEALTHY", "app2": "DRAINING", "app3": "HEALTHY"}


def test_a_member_without_a_name_has_its_address(start: t.Any, make_balancer: t.Any) -> None:
    node = start(named=False)
    address = f"127.0.0.1:{node.members['app2'].port}"
    outcome = make_balancer(node).put(address, state="drained")
    assert (outcome.error, list(outcome["members"])) == ("", [address])
    assert node.health() == {"app1": "HEALTHY", "app2": "DRAINING", "app3": "HEALTHY"}


def test_a_member_that_fails_its_check_is_not_in_service(start: t.Any, make_balancer: t.Any) -> None:
    node = start(cluster=active_health_check())
    balancer = make_balancer(node)
    balancer.put("app1", state="drained")
    node.members["app1"].healthy = False
    wait_until(lambda: balancer.info()["members"]["app1"]["operational"] == "down", "app1 is down")
    again = balancer.put("app1", state="drained")
    assert (again.error, again["changed"]) == ("", False)
    outcome = balancer.put("app1", state="in_service", timeout=0.5)
    assert "'app1' is DOWN, last check: its health check fails" in outcome.error
    assert outcome["members"]["app1"]["in_rotation"] is False
    node.members["app1"].healthy = True
    assert balancer.put("app1", state="in_service").error == ""
    assert balancer.info()["members"]["app1"]["operational"] == "up"


def test_a_drain_of_somebody_else_is_left_alone(node: Node, balancer: t.Any) -> None:
    document = node.document()
    document["resources"][0]["endpoints"][0]["lb_endpoints"][0]["health_status"] = "UNHEALTHY"
    node.write(node.eds_file(), document)
    wait_until(lambda: node.health()["app1"] == "UNHEALTHY", "Envoy took the file")
    outcome = balancer.put("app1", "app2", state="drained", expected_states=["in_service"])
    assert outcome["drained_externally"] == ["app1"]
    assert node.health() == {"app1": "UNHEALTHY", "app2": "DRAINING", "app3": "HEALTHY"}


def test_the_last_member_stays(node: Node, balancer: t.Any) -> None:
    balancer.put("app1", "app2", state="drained")
    outcome = balancer.put("app3", state="drained")
    assert outcome["refused"]
    assert node.health()["app3"] == "HEALTHY"
