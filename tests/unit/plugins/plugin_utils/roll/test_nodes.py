# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from support.scripted_executors import ScriptedExecutors

from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.nodes import Nodes
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Unreachable

LB1, LB2, LB3 = ({"host": name, "socket": "/run/haproxy.sock", "pool": "shop"} for name in ("lb1", "lb2", "lb3"))
CLAIM = {"service": "shop", "token": 7}
OPTIONS = {"timeout": 30.0, "on_timeout": "fail"}
GUARD = {"min_in_service": 4}


def nodes(executors: ScriptedExecutors, *balancers: t.Any) -> Nodes:
    return Nodes(t.cast("t.Any", executors), balancers or (LB1, LB2), "app1", CLAIM)


def asked(executors: ScriptedExecutors) -> list[tuple[t.Any, ...]]:
    """Host, state, whether it waits, and the states expected before, of every call."""
    return [
        (host, given["state"], given.get("wait", True), given.get("expected_states"))
        for host, given in executors.done("lb_member")
    ]


def test_the_first_node_is_marked_alone_then_all_are_waited_for() -> None:
    executors = ScriptedExecutors(lambda host, module, given: {"waited": {"lb1": 0.5, "lb2": 2.0}[host]})
    assert nodes(executors).drain(OPTIONS, ["in_service"], GUARD, 30.0)["drained_for"] == 2.0
    assert asked(executors) == [
        ("lb1", "drained", False, ["in_service"]),
        ("lb2", "drained", True, ["in_service"]),
        ("lb1", "drained", True, None),
    ]


def test_connecting_to_the_nodes_counted_as_time_out_of_service() -> None:
    moments = iter([107.0, 110.5])
    executors = ScriptedExecutors(lambda host, module, given: {"waited": 2.0})
    several = Nodes(t.cast("t.Any", executors), [LB1, LB2], "web1", CLAIM, clock=lambda: next(moments))
    assert several.drain(OPTIONS, ["in_service"], GUARD, 30.0)["out_for"] == 3.5
    one = Nodes(t.cast("t.Any", executors), [LB1], "web1", CLAIM, clock=lambda: next(moments))
    assert one.drain(OPTIONS, ["in_service"], GUARD, 30.0)["out_for"] == 2.0


def test_one_node_takes_one_call() -> None:
    executors = ScriptedExecutors()
    nodes(executors, LB1).drain(OPTIONS, ["in_service"], None, 30.0)
    assert asked(executors) == [("lb1", "drained", True, ["in_service"])]


def test_every_change_carries_the_claim_and_every_fresh_drain_the_guard() -> None:
    executors = ScriptedExecutors()
    nodes(executors, LB1, LB2, LB3).drain(OPTIONS, ["in_service"], GUARD, 30.0)
    changes = [given for dummy, given in executors.done("lb_member")]
    assert all(given["claim"] == CLAIM for given in changes)
    assert [given.get("guard") for given in changes] == [GUARD, GUARD, GUARD, None]


def test_a_member_that_somebody_else_drained_is_left_as_it_was_found() -> None:
    def answer(host: str, module: str, given: dict[str, t.Any]) -> dict[str, t.Any]:
        if given["state"] == "in_service":
            return {"changed": True}
        return {"drained_externally": ["app1"]} if host == "lb2" else {"changed": True}

    executors = ScriptedExecutors(answer)
    with pytest.raises(StepFailed) as failure:
        nodes(executors).drain(OPTIONS, ["in_service"], GUARD, 30.0)
    assert (failure.value.kind, failure.value.error) == ("drained_externally", "drained on lb2 by somebody else")
    assert [call[:2] for call in asked(executors) if call[1] == "in_service"] == [("lb1", "in_service")]


def test_a_node_that_does_not_answer_is_a_failure_of_the_balancer() -> None:
    executors = ScriptedExecutors(lambda host, module, given: Unreachable("lb2", "refused") if host == "lb2" else None)
    with pytest.raises(StepFailed) as failure:
        nodes(executors).put_back(20.0, True)
    assert failure.value.kind == "balancer"
    assert failure.value.error == Unreachable("lb2", "refused").message
    assert [host for host, dummy in executors.done("lb_member")] == ["lb1", "lb2"]


@pytest.mark.parametrize(("result", "kind"), [({}, "drain"), ({"kind": "guard"}, "guard")])
def test_a_node_that_refuses_is_a_failure_of_its_kind(result: dict[str, t.Any], kind: str) -> None:
    executors = ScriptedExecutors(lambda host, module, given: {"failed": True, "msg": "lb1: no.", **result})
    with pytest.raises(StepFailed) as failure:
        nodes(executors).drain(OPTIONS, ["in_service"], GUARD, 30.0)
    assert (failure.value.kind, failure.value.error) == (kind, "lb1: no.")
    assert len(executors.calls) == 1, "the other nodes must not be asked after the first one refused"


def test_putting_back_leaves_alone_what_is_in_maintenance() -> None:
    executors = ScriptedExecutors(lambda host, module, given: {"waited": 0.25})
    assert nodes(executors).put_back(20.0, require_weight=True) == {"restored_after": 0.25}
    for dummy, given in executors.done("lb_member"):
        assert given["expected_states"] == ["in_service", "drained"]
        assert given["require_weight"] is True


def timed(executors: ScriptedExecutors, *balancers: t.Any) -> Nodes:
    return Nodes(t.cast("t.Any", executors), balancers or (LB1, LB2, LB3), "app1", CLAIM, ["lb1", "lb3"])


def test_only_a_drain_that_may_be_undone_is_left_to_the_timers_and_only_where_one_is_armed() -> None:
    executors = ScriptedExecutors()
    timed(executors).drain(OPTIONS, ["in_service"], GUARD, 30.0, restorable=True)
    fresh = [(host, given.get("restore_timer")) for host, given in executors.done("lb_member") if "guard" in given]
    assert fresh == [("lb1", True), ("lb2", None), ("lb3", True)]
    executors = ScriptedExecutors()
    timed(executors).drain(OPTIONS, ["in_service"], GUARD, 30.0)
    assert not any("restore_timer" in given for dummy, given in executors.done("lb_member"))


def test_a_type_that_no_timer_can_change_is_not_left_to_one() -> None:
    executors = ScriptedExecutors()
    aws = {"host": "lb1", "type": "aws_target_group", "pool": "shop"}
    timed(executors, aws).drain(OPTIONS, ["in_service"], None, 30.0, restorable=True)
    assert [given.get("restore_timer") for dummy, given in executors.done("lb_member")] == [None]


def test_every_timer_is_notified_before_a_host_is_changed() -> None:
    executors = ScriptedExecutors()
    timed(executors).mark_changing()
    assert executors.done("restore_timer") == [
        (host, {"state": "changing", "claim": CLAIM, "members": ["app1"]}) for host in ("lb1", "lb3")
    ]


def test_a_host_is_not_changed_while_a_timer_cannot_be_notified() -> None:
    executors = ScriptedExecutors(
        lambda host, module, given: {"failed": True, "msg": "put back"} if host == "lb3" else None
    )
    with pytest.raises(StepFailed) as failure:
        timed(executors).mark_changing()
    assert (failure.value.kind, failure.value.error) == ("balancer", "put back")
    executors = ScriptedExecutors(lambda host, module, given: Unreachable("lb1", "timed out"))
    with pytest.raises(StepFailed) as failure:
        timed(executors).mark_changing()
    assert failure.value.kind == "balancer"


def test_a_member_is_added_only_where_the_pool_lacks_it() -> None:
    def answer(host: str, module: str, given: dict[str, t.Any]) -> dict[str, t.Any]:
        if module == "lb_member_info":
            return {"members": {"app1": {}} if host == "lb1" else {"app2": {}}}
        return {"to_configure": "write it down"}

    executors = ScriptedExecutors(answer)
    added = nodes(executors, LB1, LB2, LB3).add("192.0.2.1:80")
    assert added == {"changed": True, "added": ["lb2", "lb3"], "to_configure": ["write it down"]}
    assert [(host, given["member"], given["address"], given["claim"]) for host, given in executors.done("lb_pool")] == [
        ("lb2", "app1", "192.0.2.1:80", CLAIM),
        ("lb3", "app1", "192.0.2.1:80", CLAIM),
    ]


def test_a_member_that_every_pool_has_is_not_added() -> None:
    executors = ScriptedExecutors(lambda host, module, given: {"members": {"app1": {}}})
    assert nodes(executors).add("192.0.2.1:80") == {"changed": False, "added": [], "to_configure": []}
    assert executors.done("lb_pool") == []


def test_a_node_that_refuses_to_add_is_a_failure_of_the_balancer() -> None:
    def answer(host: str, module: str, given: dict[str, t.Any]) -> dict[str, t.Any]:
        return {"members": {}} if module == "lb_member_info" else {"failed": True, "msg": "lb1: no."}

    with pytest.raises(StepFailed) as failure:
        nodes(ScriptedExecutors(answer)).add("192.0.2.1:80")
    assert (failure.value.kind, failure.value.error) == ("balancer", "lb1: no.")
