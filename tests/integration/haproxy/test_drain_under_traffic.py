"""Members leave and come back while clients send requests: none of them fails."""

from __future__ import annotations

import typing as t

from support.haproxy import Client, Node, Slow, fetch, free_port, wait_until

FORCED_DRAIN = 0x08
SAME_NAMES = """
frontend shop
  bind 127.0.0.1:{port}
  default_backend other
backend other
  server app1 127.0.0.1:1
  server app10 127.0.0.1:1
"""


def test_drain_waits_for_requests_in_flight(node: Node, balancer: t.Any) -> None:
    with Client(node) as client:
        slow = Slow(node, "app1", seconds=2)
        outcome = balancer.put("app1", state="drained")
    assert outcome.error == ""
    assert slow.finish() == 200
    assert client.failures == []
    assert client.requests > 0
    app1 = outcome["members"]["app1"]
    assert (app1["before"], app1["after"], app1["outcome"]) == ("in_service", "drained", "reached")
    assert (app1["sessions"], app1["queue"], app1["old_sessions"]) == (0, 0, 0)
    assert app1["sessions_at_start"] >= 1
    assert app1["in_rotation"] is False
    assert outcome["changed"] is True
    assert outcome["restore"] == {"states": {"app1": "in_service"}}
    assert node.admin_bits() == {"app1": FORCED_DRAIN, "app2": 0, "app3": 0}


def test_no_new_request_reaches_a_drained_member(node: Node, balancer: t.Any) -> None:
    balancer.put("app1", state="drained")
    assert {fetch(node.port)[1] for dummy in range(20)} == {"app2", "app3"}


def test_in_service_again_takes_traffic(node: Node, balancer: t.Any) -> None:
    with Client(node) as client:
        balancer.put("app1", state="drained")
        outcome = balancer.put("app1", state="in_service")
    app1 = outcome["members"]["app1"]
    assert outcome.error == ""
    assert client.failures == []
    assert (app1["after"], app1["operational"], app1["in_rotation"]) == ("in_service", "up", True)
    assert "app1" in {fetch(node.port)[1] for dummy in range(20)}


def test_maintenance_and_back(node: Node, balancer: t.Any) -> None:
    with Client(node) as client:
        slow = Slow(node, "app1", seconds=0.5)
        out = balancer.put("app1", state="maintenance")
        back = balancer.put("app1", state="in_service")
    assert slow.finish() == 200
    assert client.failures == []
    assert (out["members"]["app1"]["outcome"], out["members"]["app1"]["operational"]) == ("reached", "paused")
    assert (back["members"]["app1"]["outcome"], back["members"]["app1"]["operational"]) == ("reached", "up")


def test_a_second_run_changes_nothing_under_traffic(node: Node, balancer: t.Any) -> None:
    with Client(node):
        for state in ("drained", "maintenance", "in_service"):
            balancer.put("app1", "app2", state=state)
            again = balancer.put("app1", "app2", state=state)
            assert (again.error, again["changed"], again["actions"]) == ("", False, [])
            assert {member["outcome"] for member in again["members"].values()} == {"unchanged"}
            assert again["restore"] == {"states": {}}


def test_a_batch_is_marked_before_it_is_waited_for(start: t.Any, node: Node, balancer: t.Any) -> None:
    first, second = Slow(node, "app1", seconds=1), Slow(node, "app2", seconds=1)
    outcome = balancer.put("app1", "app2", state="drained")
    assert (first.finish(), second.finish()) == (200, 200)
    assert {member["outcome"] for member in outcome["members"].values()} == {"reached"}
    # One after the other would have found nothing left of the second request.
    assert {name: member["sessions_at_start"] for name, member in outcome["members"].items()} == {"app1": 1, "app2": 1}


def test_what_was_changed_can_be_given_back(node: Node, balancer: t.Any) -> None:
    node.ask("set server shop/app2 state maint")
    out = balancer.put("app1", "app2", state="drained")
    assert out["restore"] == {"states": {"app1": "in_service", "app2": "maintenance"}}
    back = balancer.put_states(out["restore"]["states"])
    assert back.error == ""
    assert node.admin_bits() == {"app1": 0, "app2": 1, "app3": 0}


def test_the_queue_of_a_member_is_waited_for(start: t.Any, make_balancer: t.Any) -> None:
    node = start(options_of={"app1": "check inter 100 maxconn 1"}, backend="option httpchk GET /health\n  retries 0")
    first, second = Slow(node, "app1", seconds=0.6), Slow(node, "app1", seconds=0.1)
    wait_until(lambda: node.queue("app1") == 1, "the second request is queued")
    outcome = make_balancer(node).put("app1", state="drained")
    assert (outcome.error, outcome["members"]["app1"]["queue"]) == ("", 0)
    assert (first.finish(), second.finish()) == (200, 200)


def test_without_waiting_the_state_is_read_back_all_the_same(node: Node, balancer: t.Any) -> None:
    slow = Slow(node, "app1", seconds=1)
    outcome = balancer.put("app1", state="drained", wait=False)
    app1 = outcome["members"]["app1"]
    assert (app1["after"], app1["outcome"], app1["sessions"]) == ("drained", "reached", 1)
    assert slow.finish() == 200


def test_two_members_on_one_address_are_two(node: Node, balancer: t.Any) -> None:
    addresses = {member["address"] for member in balancer.info()["members"].values()}
    assert {address.rpartition(":")[0] for address in addresses} == {"127.0.0.1"}
    assert len(addresses) == 3
    balancer.put("app2", state="drained")
    assert node.admin_bits() == {"app1": 0, "app2": FORCED_DRAIN, "app3": 0}


def test_another_pool_with_the_same_names_is_not_touched(start: t.Any, make_balancer: t.Any) -> None:
    node = start(pools=SAME_NAMES.format(port=free_port()))
    outcome = make_balancer(node).put("app1", state="drained")
    assert (outcome.error, outcome["members"]["app1"]["outcome"]) == ("", "reached")
    assert node.admin_bits("other") == {"app1": 0, "app10": 0}
    other = make_balancer(node, pool="other").put("app10", state="drained")
    assert other.error == ""
    assert node.admin_bits("other") == {"app1": 0, "app10": FORCED_DRAIN}


def test_a_socket_that_prints_severities(node: Node, make_balancer: t.Any) -> None:
    balancer = make_balancer(node, socket=node.socket("severe"))
    assert balancer.put("app1", state="drained").error == ""
    assert make_balancer(node, socket=node.socket("severe"), pool="shup").info().error == (
        f"lb1 {node.socket('severe')}: no pool 'shup'; its pools are 'shop'."
    )


def test_over_tcp(node: Node, make_balancer: t.Any) -> None:
    outcome = make_balancer(node, socket=f"tcp://127.0.0.1:{node.tcp_port}").put("app1", state="drained")
    assert (outcome.error, outcome["members"]["app1"]["outcome"]) == ("", "reached")


def test_check_mode_predicts_and_touches_nothing(node: Node, balancer: t.Any) -> None:
    predicted = balancer.put("app1", state="drained", check_mode=True, diff=True)
    assert node.admin_bits() == {"app1": 0, "app2": 0, "app3": 0}
    real = balancer.put("app1", state="drained", diff=True)
    for key in ("changed", "restore", "actions", "diff", "drained_externally"):
        assert predicted[key] == real[key]
    assert predicted["diff"]["before"] == {"app1": "in_service"}
    assert predicted["diff"]["after"] == {"app1": "drained"}
    assert predicted["members"]["app1"]["after"] == "drained"


def test_nothing_is_lost_when_the_app_dies_after_its_drain(node: Node, balancer: t.Any) -> None:
    """What all this is for: a drained member may be stopped."""
    with Client(node) as client:
        for name in ("app1", "app2", "app3"):
            assert balancer.put(name, state="drained").error == ""
            node.members[name].healthy = False
            wait_until(lambda: "L7STS" in node.ask("show stat"), f"{name} fails its check")
            node.members[name].healthy = True
            assert balancer.put(name, state="in_service").error == ""
    assert client.failures == []
