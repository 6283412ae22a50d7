# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shift of traffic, driven by a ledger that answers in turn."""

from __future__ import annotations

import typing as t

import pytest
from support.scripted_executors import ScriptedExecutors

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Unreachable
from ansible_collections.steady.rollout.plugins.plugin_utils.survey import Member
from ansible_collections.steady.rollout.plugins.plugin_utils.traffic.drive import TrafficDrive
from ansible_collections.steady.rollout.plugins.plugin_utils.traffic.ledger import TrafficLedger

LB1, LB2 = {"host": "lb1", "socket": "/a", "pool": "shop"}, {"host": "lb2", "socket": "/a", "pool": "shop"}
SHIFT: dict[str, t.Any] = {
    "strategy": "canary",
    "groups": {"main": {"app1": "web1"}, "canary": {"app2": "web2"}},
    "candidate": "canary",
    "live": "main",
    "steps": [{"share": 5.0, "bake": 60.0}, {"share": 100.0, "bake": 60.0}],
}
SETTINGS: dict[str, t.Any] = {
    "rollout_balancers": [LB1, LB2],
    "rollout_traffic_balancers": [],
    "rollout_header_route": {},
    "rollout_health": {},
    "rollout_metric_gate": True,
    "rollout_metrics": [],
    "rollout_metrics_alone": [{"name": "alone", "source": "prom"}],
    "rollout_metrics_compared": [{"name": "errors"}],
    "rollout_metric_sources": {},
    "rollout_metric_policy": {"on_no_data": "stop"},
    "rollout_analysis_interval": "10s",
    "rollout_gate_tasks": "",
    "__rollout_search_paths": [],
    "rollout_load_command": "",
    "rollout_compare": {},
}
MEMBERS = [Member("app1", "", "web1", True, {"url": "http://app1"}, "controller", ("http://app1",)),
           Member("app2", "", "web2", True, {"url": "http://app2"}, "controller", ("http://app2",))]  # fmt: skip
SPLIT = {"main": 95.0, "canary": 5.0}


def act(name: str, **more: t.Any) -> dict[str, t.Any]:
    return {
        "act": name, "hosts": [], "step": 0, "share": 5.0, "split": SPLIT, "number": 1, "phase": "shifting",
        "status": "open", "urgent": False, "messages": [], **more,
    }  # fmt: skip


class World:
    """*acts* is what the ledger answers in turn; *measured* what metric_gate does."""

    def __init__(
        self, *acts: dict[str, t.Any], measured: t.Sequence[t.Any] = (), silent: str = "", **settings: t.Any
    ) -> None:
        self._acts = list(acts)
        self._measured = list(measured)
        self._silent = silent
        self.shown: list[str] = []
        self.executors = ScriptedExecutors(self._answer)
        ledger = TrafficLedger(t.cast("t.Any", self.executors.on("db1")), {"service": "shop", "run": "r", "token": 1})
        self.drive = TrafficDrive(
            shift=SHIFT,
            settings={**SETTINGS, **{f"rollout_{name}": value for name, value in settings.items()}},
            ledger=ledger,
            executors=t.cast("t.Any", self.executors),
            members=MEMBERS,
            claim={"service": "shop", "token": 1},
            show=self.shown.append,
            run_load=lambda command: "exit 3" if command == "bad" else "",
        )

    def _answer(self, host: str, module: str, given: dict[str, t.Any]) -> t.Any:
        if module == "rollout_shift":
            return {"baked": True} if given.get("state") == "baked" else self._acts.pop(0)
        if module == "metric_gate":
            return self._measured.pop(0)
        if host == self._silent:
            return Unreachable(host, "refused")
        if module == "health_wait":
            return {"targets": {one["name"]: {"healthy": True, "version": "1.0.0"} for one in given["targets"]}}
        return {"members": {}}

    def asked(self) -> list[dict[str, t.Any]]:
        return [given for dummy, given in self.executors.done("rollout_shift") if given.get("state") != "baked"]


def test_every_node_is_read_before_the_split_and_reported_after_it() -> None:
    world = World(act("check"), act("set"), act("over"))
    assert world.drive.drive(world.drive.begin(""))[0]["act"] == "over"
    assert [host for host, dummy in world.executors.done("lb_weight")] == ["lb1", "lb2"] * 2
    checks = [given for dummy, given in world.executors.done("lb_weight")]
    assert ["claim" in given for given in checks] == [False, False, True, True]
    assert all(
        given["shares"] == SPLIT and given["groups"] == {"main": ["web1"], "canary": ["web2"]} for given in checks
    )
    assert [given.get("checked") for given in world.asked()] == [None, SPLIT, None]


def test_a_node_that_did_not_follow_is_named_to_the_ledger() -> None:
    world = World(act("set"), act("over"), silent="lb2")
    world.drive.drive(world.drive.begin(""))
    nodes = world.asked()[-1]["nodes"]
    assert [node["host"] for node in nodes] == ["lb1", "lb2"]
    assert nodes[0]["why"] == ""
    assert nodes[1]["why"] == Unreachable("lb2", "refused").message


def test_a_step_is_measured_until_there_is_a_verdict() -> None:
    measured = [{"verdict": "wait"}, {"verdict": "fail", "reason": "errors"}]
    world = World(act("bake"), act("bake"), act("over"), measured=measured)
    world.drive.drive(world.drive.begin(""))
    assert [given.get("verdict") for given in world.asked()] == [None, None, "fail"]
    first = world.executors.done("metric_gate")[0][1]
    assert first["groups"] == {"canary": ["web2"], "baseline": ["web1"]}
    assert (first["metrics"], first["on_no_data"]) == ([{"name": "errors"}], "stop")


@pytest.mark.parametrize(("given", "judge"), [({}, {"gates": 2}), ({"gates": 9, "false_stop": "1%"}, None)])
def test_all_steps_that_bake_share_one_chance_of_a_false_stop(given: dict[str, t.Any], judge: t.Any) -> None:
    world = World(act("bake"), act("over"), measured=[{"verdict": "pass"}], metric_policy={"judge": given})
    world.drive.drive(world.drive.begin(""))
    assert world.executors.done("metric_gate")[0][1]["judge"] == (judge or given)


def test_with_all_of_the_traffic_there_is_no_baseline() -> None:
    world = World(act("bake", step=1, share=100.0), act("over"), measured=[{"verdict": "pass"}])
    world.drive.drive(world.drive.begin(""))
    given = world.executors.done("metric_gate")[0][1]
    assert given["groups"] == {"canary": ["web2"], "baseline": []}
    assert given["metrics"] == [{"name": "alone", "source": "prom"}]
    assert "counters" not in given, "no balancer is read for metrics of another source"


def test_a_gate_that_cannot_measure_is_no_good_news() -> None:
    world = World(act("bake"), act("over"), measured=[{"failed": True, "msg": "refused"}])
    world.drive.drive(world.drive.begin(""))
    assert (world.asked()[-1]["verdict"], world.asked()[-1]["reason"]) == ("no_data", "refused")


def test_a_share_of_testers_only_is_not_measured() -> None:
    world = World(act("bake", share=0.0), act("over"))
    world.drive.drive(world.drive.begin(""))
    assert world.executors.done("metric_gate") == []
    assert world.asked()[-1]["verdict"] == "not_judged"


@pytest.mark.parametrize(
    ("verdict", "asks"), [("pass", True), ("not_judged", True), ("fail", False), ("no_data", False)]
)
def test_the_users_steps_judge_only_what_the_metrics_let_pass(verdict: str, asks: bool) -> None:
    world = World(act("bake"), act("over"), measured=[{"verdict": verdict, "reason": "so"}], gate_tasks=__file__)
    asked, judged = world.drive.drive(world.drive.begin(""))
    assert (asked["act"], bool(judged)) == (("bake", True) if asks else ("over", False))


def test_after_the_users_steps_their_verdict_is_reported() -> None:
    world = World(act("over"))
    world.drive.resume({"verdict": "fail", "reason": "exit 3"})
    assert (world.asked()[0]["verdict"], world.asked()[0]["reason"]) == ("fail", "exit 3")


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({"phase": "shifting"}, "present"),
        ({"phase": "draining"}, "absent"),
        ({"phase": "baking", "status": "failing"}, "absent"),
    ],
)
def test_testers_are_routed_while_the_candidate_has_a_share(more: dict[str, t.Any], state: str) -> None:
    route = {"header": "X-Test", "value": "1", "target": "canary"}
    world = World(act("over", **more), header_route=route)
    world.drive.drive(world.drive.begin(""))
    routed = [given for dummy, given in world.executors.done("lb_route")]
    assert [given["state"] for given in routed] == [state, state]
    assert all(("target" in given) is (state == "present") for given in routed)


def test_a_route_is_not_waited_for_while_traffic_is_taken_off_the_candidate() -> None:
    world = World(act("over", urgent=True), header_route={"header": "X-Test", "value": "1", "target": "canary"})
    world.drive.drive(world.drive.begin(""))
    assert world.executors.done("lb_route") == []


def test_a_route_that_failed_is_shown_and_the_shift_goes_on() -> None:
    route = {"header": "X-Test", "value": "1", "target": "canary"}
    world = World(act("over"), header_route=route, silent="lb2")
    world.drive.drive(world.drive.begin(""))
    assert world.shown == [f"testers' requests are not routed as configured: {Unreachable('lb2', 'refused').message}"]


def test_a_colour_whose_load_failed_is_not_switched_to() -> None:
    world = World(act("over"), load_command="bad", compare={"rate": 5})
    world.drive.shift = {**SHIFT, "strategy": "blue_green"}
    world.drive.begin("prepare")
    assert (world.asked()[0]["verdict"], world.asked()[0]["reason"]) == ("fail", "the load failed: exit 3")
    assert world.executors.done("http_compare") == []


def test_a_gate_whose_steps_are_gone_lets_nothing_pass() -> None:
    world = World(act("bake"), act("over"), measured=[{"verdict": "pass"}], gate_tasks="/nowhere/gate.yml")
    world.drive.drive(world.drive.begin(""))
    assert world.asked()[-1]["verdict"] == "fail"


def test_flags_are_off_before_the_first_share_is_rolled_back_and_only_once() -> None:
    world = World(act("set", status="reverting", phase="leaving"), act("demote", status="reverting", phase="leaving"))
    order: list[str] = []
    world.drive.before_rollback = lambda: order.append(
        f"flags, after {len(world.executors.done('lb_weight'))} changes of weights"
    )
    world.drive.drive(world.drive.begin(""))
    assert order == ["flags, after 0 changes of weights"]
    assert len(world.executors.done("lb_weight")) > 0


def test_nothing_is_done_to_flags_while_the_rollout_goes_forward() -> None:
    world = World(act("prepare"))
    world.drive.before_rollback = lambda: pytest.fail("flags were changed")
    world.drive.drive(world.drive.begin(""))
