"""Calls that must not change anything, and the sentence that says why."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from support import haproxy
from support.haproxy import Node, shut_port

FORCED_DRAIN, FORCED_MAINT = 0x08, 0x01
ALL_IN_SERVICE = {"app1": 0, "app2": 0, "app3": 0}
LEVEL = "the socket's level is operator or user; add 'level admin' to its 'stats socket' line."
KEYS = {"changed", "pool", "members", "drained_externally", "refused", "restore", "waited", "actions", "notes"}


def test_an_unknown_member(node: Node, balancer: t.Any) -> None:
    outcome = balancer.put("app1", "app", "APP2", state="drained")
    assert outcome.error == (
        f"lb1 {node.socket('admin')}: pool 'shop' has no member 'app', 'APP2'; it has 'app1', 'app2', 'app3'. "
        "Give the names exactly as the load balancer has them."
    )
    assert node.admin_bits() == ALL_IN_SERVICE
    assert set(outcome.result) == KEYS


def test_an_unknown_pool(node: Node, make_balancer: t.Any) -> None:
    outcome = make_balancer(node, pool="shup").put("app1", state="drained")
    assert outcome.error == f"lb1 {node.socket('admin')}: no pool 'shup'; its pools are 'shop'."
    assert set(outcome.result) == KEYS


@pytest.mark.parametrize("level", ["operator", "user"])
def test_a_socket_that_may_only_read(node: Node, make_balancer: t.Any, level: str) -> None:
    balancer = make_balancer(node, socket=node.socket(level))
    expected = f"lb1 {node.socket(level)}: no change is allowed here ('{level}'): {LEVEL}"
    assert balancer.put("app1", state="drained").error == expected
    assert balancer.put("app1", state="drained", check_mode=True).error == expected
    assert balancer.info(require_admin=True).error == expected
    assert balancer.info().error == ""
    assert balancer.put("app1", state="in_service").error == ""  # Nothing to change, nothing to refuse.
    assert node.admin_bits() == ALL_IN_SERVICE


def test_a_socket_that_is_not_there(node: Node, make_balancer: t.Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "none.sock"
    outcome = make_balancer(node, socket=str(path)).put("app1", state="drained")
    assert outcome.error == (
        f"lb1 {path}: no such socket. Is HAProxy running, and is this the path of its 'stats socket' line?"
    )
    assert set(outcome.result) == KEYS


def test_a_port_where_nothing_listens(node: Node, make_balancer: t.Any) -> None:
    port = shut_port()
    outcome = make_balancer(node, socket=f"127.0.0.1:{port}").put("app1", state="drained")
    assert outcome.error == f"lb1 127.0.0.1:{port}: connection refused: nothing listens there. Is HAProxy running?"


def test_a_master_socket_that_is_none(node: Node, make_balancer: t.Any) -> None:
    outcome = make_balancer(node, master_socket=node.socket("admin")).put("app1", state="drained")
    refusal = "Unknown command, but" if haproxy.version().startswith("2.") else "Unknown command: 'show', but"
    assert outcome.error == (
        f"lb1 {node.socket('admin')}: HAProxy answered '{refusal} maybe one of the following ones is a better match:' to "
        "'show proc': this is not the master's socket (option -S of haproxy). Correct balancer.master_socket."
    )
    assert node.admin_bits() == ALL_IN_SERVICE


def test_the_last_member_in_rotation_stays(node: Node, balancer: t.Any) -> None:
    node.ask("set server shop/app2 state maint")
    node.ask("set server shop/app3 weight 0")
    outcome = balancer.put("app1", state="drained")
    assert outcome.error == (
        f"lb1 {node.socket('admin')}: refused to take 'app1' out of pool 'shop': no member would be left in rotation "
        "(guard.allow_outage permits that). In rotation now: 'app1'. Nothing was changed; return other members to service first."
    )
    assert outcome["refused"] is True
    assert outcome["changed"] is False
    assert node.admin_bits()["app1"] == 0
    assert balancer.put("app1", state="drained", guard={"allow_outage": True}).error == ""


def test_a_floor_on_the_live_state(node: Node, balancer: t.Any) -> None:
    guard = {"min_in_service": 2}
    assert balancer.put("app1", state="drained", guard=guard).error == ""
    outcome = balancer.put("app2", state="drained", guard=guard)
    assert outcome["refused"] is True
    assert "1 would be left in rotation, the minimum is 2" in outcome.error
    # Who is out already is not taken out again.
    assert balancer.put("app1", state="maintenance", guard=guard).error == ""


def test_a_zone_floor_in_check_mode_too(node: Node, balancer: t.Any) -> None:
    guard = {"zones": [{"name": "a", "members": ["app1"], "min_in_service": 1}]}
    for check_mode in (True, False):
        outcome = balancer.put("app1", state="drained", guard=guard, check_mode=check_mode)
        assert outcome["refused"] is True
        assert "0 would be left in rotation in zone 'a', its minimum is 1" in outcome.error
    assert balancer.put("app2", state="drained", guard=guard).error == ""


def test_a_member_drained_by_an_operator_is_left_alone(node: Node, balancer: t.Any) -> None:
    node.ask("set server shop/app1 state drain")
    outcome = balancer.put("app1", "app2", state="in_service", expected_states=["maintenance"])
    assert outcome.error == ""
    assert outcome["drained_externally"] == ["app1"]
    assert outcome["members"]["app1"]["outcome"] == "drained_externally"
    assert outcome["members"]["app2"]["outcome"] == "unchanged"
    assert outcome.warnings == [f"lb1 {node.socket('admin')}: somebody else changed 'app1' (drained); skipped."]
    assert node.admin_bits()["app1"] == FORCED_DRAIN


def test_a_drain_is_not_made_of_an_operators_maintenance(node: Node, balancer: t.Any) -> None:
    node.ask("set server shop/app1 state maint")
    outcome = balancer.put("app1", state="drained", expected_states=["in_service"])
    assert (outcome.error, outcome["drained_externally"], outcome["changed"]) == ("", ["app1"], False)
    assert node.admin_bits()["app1"] == FORCED_MAINT


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"members": [], "state": "drained"}, "members: the list is empty; name at least one member of the pool."),
        (
            {"members": ["app1"], "state": "drained", "timeout": -1},
            "timeout: '-1' is not a duration; expected seconds, or for example 30s, 5m or 1h30m.",
        ),
        (
            {"members": ["app1"], "state": "in_service", "on_timeout": "force"},
            "on_timeout: 'force' ends the sessions of members that are taken out; "
            "for state=in_service use 'fail', 'continue' or 'restore'.",
        ),
        (
            {"states": {"app1": "up"}},
            "states: 'app1' cannot be 'up', only 'in_service', 'drained', 'maintenance'.",
        ),
    ],
)
def test_wrong_options(node: Node, balancer: t.Any, options: dict[str, t.Any], message: str) -> None:
    outcome = balancer.call(**options)
    assert outcome.error == message
    assert set(outcome.result) == KEYS
    assert node.admin_bits() == ALL_IN_SERVICE


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"socket": "run/admin.sock"},
            "balancer.socket: 'run/admin.sock' is neither the absolute path of a unix socket nor 'host:port'; "
            "for example /run/haproxy/admin.sock or tcp://10.0.0.1:9999.",
        ),
        (
            {"pool": "shop;shutdown"},
            "balancer.pool: 'shop;shutdown' cannot be the name of a backend; letters, digits and - _ . : can.",
        ),
        ({"timeout": 0}, "balancer.timeout: expected more than 0 s, found 0."),
    ],
)
def test_wrong_settings(node: Node, make_balancer: t.Any, settings: dict[str, t.Any], message: str) -> None:
    assert make_balancer(node, **settings).put("app1", state="drained").error == message
