"""What happens to members that are not there in time, and the message that the operator gets."""

from __future__ import annotations

import threading
import typing as t

import pytest
from support.haproxy import Node, Slow, wait_until

FORCED_DRAIN = 0x08


@pytest.fixture
def where(node: Node) -> str:
    return f"lb1 {node.socket('admin')}"


def test_fail_leaves_the_member_drained_and_says_what_was_seen(node: Node, balancer: t.Any, where: str) -> None:
    slow = Slow(node, "app1", seconds=2)
    outcome = balancer.put("app1", state="drained", timeout=0.5)
    assert outcome.error == (
        f"{where}: pool 'shop' did not reach the requested state within 0.5 s: 'app1' still has sessions: 1 in flight. It stays out of "
        "rotation: wait longer (timeout), or end what is left with on_timeout=force."
    )
    assert outcome["members"]["app1"]["outcome"] == "not_reached"
    assert outcome["changed"] is True
    assert outcome["restore"] == {"states": {"app1": "in_service"}}
    assert node.admin_bits()["app1"] == FORCED_DRAIN
    assert slow.finish() == 200


def test_continue_succeeds_and_names_who_is_not_there(node: Node, balancer: t.Any) -> None:
    slow = Slow(node, "app1", seconds=2)
    outcome = balancer.put("app1", "app2", state="drained", timeout=0.5, on_timeout="continue")
    assert outcome.error == ""
    assert {name: member["outcome"] for name, member in outcome["members"].items()} == {
        "app1": "not_reached",
        "app2": "reached",
    }
    assert slow.finish() == 200


def test_force_ends_what_is_left(node: Node, balancer: t.Any) -> None:
    slow = Slow(node, "app1", seconds=20)
    outcome = balancer.put("app1", "app2", state="drained", timeout=0.5, on_timeout="force")
    assert outcome.error == ""
    assert {name: member["outcome"] for name, member in outcome["members"].items()} == {
        "app1": "forced",
        "app2": "reached",
    }
    assert outcome["actions"][-1] == "ended the sessions of 'app1'"
    assert slow.finish() != 200


def test_restore_puts_back_all_that_the_call_changed(node: Node, balancer: t.Any, where: str) -> None:
    node.ask("set server shop/app2 state drain")
    slow = Slow(node, "app1", seconds=2)
    outcome = balancer.put("app1", "app2", state="drained", timeout=0.5, on_timeout="restore")
    assert outcome.error == (
        f"{where}: pool 'shop' did not reach the requested state within 0.5 s: 'app1' still has sessions: 1 in flight. "
        "What this call had changed is restored."
    )
    assert {name: member["outcome"] for name, member in outcome["members"].items()} == {
        "app1": "restored",
        "app2": "unchanged",
    }
    assert outcome["changed"] is False
    assert outcome["restore"] == {"states": {}}
    assert node.admin_bits() == {"app1": 0, "app2": FORCED_DRAIN, "app3": 0}
    assert slow.finish() == 200


def test_a_member_put_back_by_somebody_else_ends_the_wait(node: Node, balancer: t.Any, where: str) -> None:
    slow = Slow(node, "app1", seconds=3)
    operator = threading.Timer(0.3, node.ask, ["set server shop/app1 state ready"])
    operator.start()
    outcome = balancer.put("app1", state="drained", on_timeout="continue")
    operator.join()
    assert outcome.error == (
        f"{where}: pool 'shop' did not reach the requested state: 'app1' was put back in service by somebody else or a reload. "
        "Find out what changes it besides this call, then run again."
    )
    assert (outcome["changed"], outcome["members"]["app1"]["outcome"]) == (True, "not_reached")
    assert slow.finish() == 200


def test_a_down_member_does_not_come_in_service(node: Node, balancer: t.Any, where: str) -> None:
    balancer.put("app1", state="drained")
    node.members["app1"].healthy = False
    wait_until(lambda: node.status("app1") == "DOWN", "app1 is DOWN")
    outcome = balancer.put("app1", state="in_service", timeout=0.5)
    check = outcome["members"]["app1"]["check"]  # Without its code and details while a check is running.
    assert check.startswith("L7STS")
    assert outcome.error == (
        f"{where}: pool 'shop' did not reach the requested state within 0.5 s: 'app1' is DOWN, last check: {check}. "
        "Check its service and its health check."
    )
    node.members["app1"].healthy = True
    assert balancer.put("app1", state="in_service").error == ""


def test_a_down_member_is_drained_at_once(node: Node, balancer: t.Any) -> None:
    node.members["app1"].healthy = False
    wait_until(lambda: node.status("app1") == "DOWN", "app1 is DOWN")
    outcome = balancer.put("app1", state="drained", timeout=5)
    app1 = outcome["members"]["app1"]
    assert (outcome.error, app1["outcome"], app1["operational"]) == ("", "reached", "down")


def test_a_member_without_check_comes_in_service(start: t.Any, make_balancer: t.Any) -> None:
    balancer = make_balancer(start(server_options=""))
    assert balancer.put("app1", state="drained").error == ""
    outcome = balancer.put("app1", state="in_service", timeout=2)
    assert (outcome.error, outcome["members"]["app1"]["operational"]) == ("", "no_check")


def test_a_member_of_weight_zero_is_not_called_in_service(node: Node, balancer: t.Any, where: str) -> None:
    node.ask("set server shop/app1 weight 0")
    outcome = balancer.put("app1", state="in_service", timeout=60)
    assert outcome.error == (
        f"{where}: pool 'shop' did not reach the requested state: 'app1' has weight 0 and so takes no traffic. Give it a weight first."
    )


def test_a_member_disabled_by_configuration_comes_in_service(start: t.Any, make_balancer: t.Any) -> None:
    balancer = make_balancer(start(options_of={"app1": "check inter 100 disabled"}))
    assert balancer.info()["members"]["app1"]["admin"] == "maintenance"
    outcome = balancer.put("app1", state="in_service")
    assert (outcome.error, outcome["members"]["app1"]["in_rotation"]) == ("", True)


def test_a_tracking_member_shows_where_its_state_comes_from(start: t.Any, make_balancer: t.Any) -> None:
    node = start(options_of={"app2": "track shop/app1"})
    balancer = make_balancer(node)
    assert balancer.put("app1", state="maintenance").error == ""
    app2 = balancer.info()["members"]["app2"]
    assert (app2["admin"], app2["inherited"], app2["tracks"]) == ("maintenance", True, "shop/app1")
    outcome = balancer.put("app2", state="in_service", timeout=0.5)
    assert outcome.error == (
        f"lb1 {node.socket('admin')}: pool 'shop' did not reach the requested state within 0.5 s: 'app2' is in maintenance because "
        "'shop/app1', which it tracks, is. Put 'shop/app1' in service."
    )
