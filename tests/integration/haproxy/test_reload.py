"""A reload in the middle: old processes, lost drains, the state file."""

from __future__ import annotations

import pathlib
import threading
import typing as t

from support.haproxy import Client, Node, Slow

FORCED_DRAIN = 0x08
NOTE = "Requests in a process that a reload left behind are not counted: give balancer.master_socket to see them."


def test_sessions_of_the_old_process_are_waited_for(node: Node, balancer: t.Any) -> None:
    slow = Slow(node, "app1", seconds=1.5)
    node.reload()
    outcome = balancer.put("app1", state="drained")
    app1 = outcome["members"]["app1"]
    assert (outcome.error, app1["outcome"], app1["sessions_at_start"]) == ("", "reached", 1)
    assert outcome["notes"] == []
    assert not slow.alive
    assert slow.finish() == 200


def test_the_old_process_keeps_its_sessions_when_they_are_to_be_ended(node: Node, balancer: t.Any) -> None:
    slow = Slow(node, "app1", seconds=4)
    node.reload()
    outcome = balancer.put("app1", state="drained", timeout=0.5, on_timeout="force")
    assert outcome.error == (
        f"lb1 {node.socket('admin')}: pool 'shop' did not reach the requested state within 0.5 s: 'app1' still has sessions: 1 in "
        "processes that a reload left behind. An old process has no command to end sessions: wait for it, set "
        "'hard-stop-after', or stop that process."
    )
    assert outcome["members"]["app1"]["old_sessions"] == 1
    assert slow.finish() == 200


def test_without_the_master_socket_a_note_says_what_is_not_seen(node: Node, make_balancer: t.Any) -> None:
    balancer = make_balancer(node, master_socket=None)
    slow = Slow(node, "app1", seconds=1)
    node.reload()
    outcome = balancer.put("app1", state="drained")
    assert (outcome.error, outcome["members"]["app1"]["old_sessions"]) == ("", None)
    assert outcome["notes"] == [NOTE]
    assert balancer.info()["notes"] == [NOTE]
    assert outcome.warnings == []
    assert slow.finish() == 200


def test_a_reload_in_the_middle_of_a_drain_loses_nothing_with_a_state_file(start: t.Any, make_balancer: t.Any) -> None:
    node = start(state_file=True)
    balancer = make_balancer(node, state_file=str(node.state_file))
    with Client(node) as client:
        slow = Slow(node, "app1", seconds=2)
        reload = threading.Timer(0.5, node.reload)
        reload.start()
        outcome = balancer.put("app1", state="drained")
        reload.join()
        assert (outcome.error, outcome["members"]["app1"]["outcome"]) == ("", "reached")
        assert not slow.alive
        assert node.admin_bits()["app1"] == FORCED_DRAIN
    assert slow.finish() == 200
    assert client.failures == []


def test_a_drain_that_a_reload_loses_is_an_error(node: Node, balancer: t.Any) -> None:
    slow = Slow(node, "app1", seconds=2)
    reload = threading.Timer(0.3, node.reload)
    reload.start()
    outcome = balancer.put("app1", state="drained")
    reload.join()
    assert outcome.error == (
        f"lb1 {node.socket('admin')}: pool 'shop' did not reach the requested state: 'app1' was put back in service by somebody else or "
        "a reload. Find out what changes it besides this call, then run again."
    )
    assert slow.finish() == 200


def test_the_state_file_follows_in_both_directions(start: t.Any, make_balancer: t.Any) -> None:
    node = start(state_file=True)
    balancer = make_balancer(node, state_file=str(node.state_file))
    assert balancer.put("app1", state="drained")["actions"][-1] == "saved the state of pool 'shop' for the next reload"
    node.reload()
    assert node.admin_bits()["app1"] == FORCED_DRAIN
    assert balancer.put("app1", state="in_service").error == ""
    node.reload()
    assert node.admin_bits()["app1"] == 0


def test_a_stale_state_file_is_rewritten_though_nothing_else_changes(start: t.Any, make_balancer: t.Any) -> None:
    node = start(state_file=True)
    node.ask("set server shop/app1 state drain")
    balancer = make_balancer(node, state_file=str(node.state_file))
    first = balancer.put("app1", state="drained")
    assert (first["changed"], first["actions"]) == (True, ["saved the state of pool 'shop' for the next reload"])
    assert first["restore"] == {"states": {}}
    second = balancer.put("app1", state="drained")
    assert (second["changed"], second["actions"]) == (False, [])


def test_a_state_file_that_cannot_be_written_is_named(node: Node, make_balancer: t.Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "missing" / "server-state"
    outcome = make_balancer(node, state_file=str(path)).put("app1", state="drained")
    assert outcome.error == (
        f"{path}: cannot keep HAProxy's server state: No such file or directory. The change itself is made; a reload "
        "would lose it. Make balancer.state_file writable for this user, then run again."
    )
    assert outcome["changed"] is True
    assert outcome["restore"] == {"states": {"app1": "in_service"}}


def test_drains_between_many_reloads_fail_no_request(start: t.Any, make_balancer: t.Any) -> None:
    node = start(state_file=True)
    balancer = make_balancer(node, state_file=str(node.state_file))
    with Client(node) as client:
        for name in ("app1", "app2", "app3"):
            assert balancer.put(name, state="drained").error == ""
            node.reload()
            assert balancer.put(name, state="in_service").error == ""
            node.reload()
    assert client.failures == []
