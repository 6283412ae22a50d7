# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One member at a time: looked at, taken out, put back."""

from __future__ import annotations

import time
import typing as t

import pytest
from support.caller import Caller
from support.haproxy import Client, fetch, wait_until
from support.real_balancer import SHOP, RealBalancer, SlowRequests

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.request_log import bounds

ALL = set(SHOP)


def test_snapshot(node: RealBalancer, shop: Caller) -> None:
    info = shop.info(require_admin=True)
    assert info.error == ""
    assert set(info["members"]) == ALL
    for name, member in info["members"].items():
        assert str(node.members[name].port) in member["address"]
        assert (member["own"], member["admin"], member["weight"]) == ("in_service", "in_service", 1)
        assert (member["queue"], member["in_rotation"], member["backup"]) == (0, True, False)
    assert info["version"][:1].isdigit()


def test_drain_waits_for_what_is_in_flight(node: RealBalancer, shop: Caller) -> None:
    slow = SlowRequests(node, "app1", seconds=2)
    outcome = shop.put("app1", state="drained")
    assert outcome.error == ""
    assert node.members["app1"].in_flight == 0
    assert slow.finish() == {200}
    app1 = outcome["members"]["app1"]
    assert (app1["before"], app1["after"], app1["outcome"]) == ("in_service", "drained", "reached")
    assert (app1["sessions"], app1["queue"], app1["in_rotation"]) == (0, 0, False)
    assert outcome["changed"] is True
    assert outcome["restore"] == {"states": {"app1": "in_service"}}
    assert node.answered_by() == ALL - {"app1"}


def test_single_requests(node: RealBalancer) -> None:
    """By member and by kind, each with its latency: a page is not compared with a download."""
    if not node.log():
        pytest.skip("its requests are logged elsewhere")
    shop = Caller({**node.settings(), "request_log": node.log()})
    began = time.time()
    for dummy in range(12):
        assert fetch(node.port, "/pages/7?secret=1")[0] == 200
    assert fetch(node.port, "/slow?seconds=0.5")[0] == 200
    wait_until(lambda: len(kinds(shop, began)) == 2, "the slice of the requests is complete")
    found = kinds(shop, began)
    assert {name: sum(each[0] for each in cells) for name, cells in found.items()} == {
        "GET /pages/*": 12,
        "GET /slow": 1,
    }
    ((number, count),) = found["GET /slow"][0][2]
    assert (count, bounds(number)[0] > 350) == (1, True)
    assert all(bounds(number)[0] < 250 for cell in found["GET /pages/*"] for number, dummy in cell[2])


def kinds(shop: Caller, began: float) -> dict[str, list[t.Any]]:
    """The cells of all members and slices since then, by kind."""
    info = shop.info(counters=True)
    assert info.error == ""
    found: dict[str, list[t.Any]] = {}
    for one in info["requests"]:
        assert set(one["members"]) <= ALL
        for cells in one["members"].values() if one["at"] > began else ():
            for name, cell in cells.items():
                found.setdefault(name, []).append(cell)
    return {name: cells for name, cells in found.items() if name not in ("GET /", "GET /other")}


def test_drain_of_a_batch(node: RealBalancer, shop: Caller) -> None:
    outcome = shop.put("app1", "app2", "app3", state="drained")
    assert outcome.error == ""
    assert node.answered_by() == {"app4"}
    assert shop.put("app4", state="drained")["refused"] is True
    assert node.answered_by() == {"app4"}


def test_in_service_again(node: RealBalancer, shop: Caller) -> None:
    shop.put("app1", state="drained")
    outcome = shop.put("app1", state="in_service")
    assert outcome.error == ""
    assert outcome["members"]["app1"]["in_rotation"] is True
    assert node.answered_by() == ALL


def test_maintenance(node: RealBalancer, shop: Caller) -> None:
    slow = SlowRequests(node, "app1", seconds=1)
    out = shop.put("app1", state="maintenance")
    assert (out.error, out["members"]["app1"]["after"]) == ("", "maintenance")
    assert node.members["app1"].in_flight == 0
    assert slow.finish() == {200}
    assert node.answered_by() == ALL - {"app1"}
    assert shop.put("app1", state="drained")["members"]["app1"]["after"] == "drained"
    assert shop.put("app1", state="maintenance")["members"]["app1"]["before"] == "drained"
    assert shop.put("app1", state="in_service").error == ""
    assert node.answered_by() == ALL


def test_weights(node: RealBalancer, shop: Caller) -> None:
    balancer = shop.balancer()
    balancer.require_admin()
    balancer.set_weights({"app1": 0, "app2": 3, "app3": 7})
    assert shop.weights() == {"app1": 0, "app2": 3, "app3": 7, "app4": 1}
    assert set(shop.states().values()) == {"in_service"}
    assert node.answered_by() == ALL - {"app1"}
    assert shop.put("app1", state="in_service").error.endswith(
        "'app1' has weight 0 and so takes no traffic. Give it a weight first."
    )
    shop.put("app1", state="drained")
    balancer.set_weights({"app1": 2})
    assert (shop.weights()["app1"], shop.states()["app1"]) == (2, "drained")
    assert node.answered_by() == ALL - {"app1"}
    shop.put("app1", state="in_service")
    assert shop.weights() == {"app1": 2, "app2": 3, "app3": 7, "app4": 1}
    assert node.answered_by(requests=30) == ALL


def test_unknown_member(node: RealBalancer, shop: Caller) -> None:
    outcome = shop.put("app1", "app", state="drained")
    assert outcome.error.endswith(
        "pool 'shop' has no member 'app'; it has 'app1', 'app2', 'app3', 'app4'. "
        "Give the names exactly as the load balancer has them."
    )
    assert set(shop.states().values()) == {"in_service"}


def test_unknown_pool(node: RealBalancer) -> None:
    outcome = Caller({**node.settings(), "pool": "shup"}).put("app1", state="drained")
    assert "no pool 'shup'" in outcome.error
    assert "'other'" in outcome.error
    assert outcome["changed"] is False


def test_two_pools(node: RealBalancer, shop: Caller) -> None:
    other = Caller(node.settings("other"))
    app2 = node.name("app2", "other")
    assert (shop.put("app1", state="drained").error, other.put(app2, state="maintenance").error) == ("", "")
    assert (node.answered_by(), node.answered_by("other")) == (ALL - {"app1"}, ALL - {"app2"})
    assert [name for name, state in shop.states().items() if state != "in_service"] == ["app1"]
    assert [name for name, state in other.states().items() if state != "in_service"] == [app2]


def test_one_address_with_different_ports(node: RealBalancer, shop: Caller) -> None:
    # All members have the same address: what is in flight to one of them is no reason to wait for another.
    # With app1 out meanwhile, so that none of them is in flight to it.
    assert shop.put("app1", state="drained").error == ""
    held = SlowRequests(node, "app2")
    assert shop.put("app1", state="in_service").error == ""
    outcome = shop.put("app1", state="drained", timeout=15)
    assert outcome.error == ""
    assert node.members["app2"].in_flight > 0
    assert held.finish() == {200}
    assert node.answered_by() == ALL - {"app1"}


def test_check_mode(node: RealBalancer, shop: Caller) -> None:
    outcome = shop.put("app1", state="drained", check_mode=True, diff=True)
    assert (outcome.error, outcome["changed"]) == ("", True)
    assert outcome["members"]["app1"]["after"] == "drained"
    assert outcome["diff"]["before"] == {"app1": "in_service"}
    assert outcome["diff"]["after"] == {"app1": "drained"}
    assert shop.states()["app1"] == "in_service"
    assert node.answered_by() == ALL


def test_idempotence_under_traffic(node: RealBalancer, shop: Caller) -> None:
    with Client(t.cast("t.Any", node)) as client:
        for state in ("drained", "maintenance", "in_service"):
            assert shop.put("app1", "app2", state=state).error == ""
            again = shop.put("app1", "app2", state=state)
            assert (again.error, again["changed"], again["actions"]) == ("", False, [])
            assert {member["outcome"] for member in again["members"].values()} == {"unchanged"}
            assert again["restore"] == {"states": {}}
    assert client.failures == []
    assert client.requests > 0
