# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate: polls, what is kept of them, and when they end."""

from __future__ import annotations

import json
import typing as t

import pytest
from support.ledger_client import LedgerClient, fleet

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import LeaseLost
from ansible_collections.steady.rollout.plugins.module_utils.metrics import core, report
from ansible_collections.steady.rollout.plugins.module_utils.metrics import plan as plans
from ansible_collections.steady.rollout.plugins.module_utils.metrics.balancers import Reading, reading_of
from ansible_collections.steady.rollout.plugins.module_utils.metrics.gate import Gate
from ansible_collections.steady.rollout.plugins.module_utils.metrics.gate_store import (
    GateStore,
    LedgerGateStore,
    LocalGateStore,
)
from ansible_collections.steady.rollout.plugins.module_utils.metrics.plan import Plan

GROUPS = {"canary": ["a"], "baseline": ["b", "c"]}
ERRORS = {"name": "errors", "judge": True, "critical": True}
WINDOW, INTERVAL = 100, 10


class World:
    """Two HAProxy nodes whose members answer so many requests a second, *bad* of them with errors."""

    def __init__(
        self, clock: t.Any, rates: dict[str, float] | None = None, bad: dict[str, float] | None = None
    ) -> None:
        self.clock = clock
        self.rates = rates or {"a": 10.0, "b": 50.0, "c": 50.0}
        self.bad = bad or {}
        self.counts = {node: {name: [0.0, 0.0] for name in self.rates} for node in ("lb1", "lb2")}
        self.series = {"lb1": "1", "lb2": "1"}
        self.silent: set[str] = set()
        self.health: dict[str, str] = {}
        self.at = clock.time

    def read(self) -> Reading:
        seconds, self.at = self.clock.time - self.at, self.clock.time
        for counts in self.counts.values():
            for name, count in counts.items():
                count[0] += self.rates[name] * seconds / 2
                count[1] += self.rates[name] * seconds / 2 * self.bad.get(name, 0.0)
        return reading_of([self._result(node) for node in self.counts])

    def reload(self, node: str) -> None:
        self.read()
        self.series[node] += "'"
        self.counts[node] = {name: [0.0, 0.0] for name in self.rates}

    def _result(self, node: str) -> dict[str, t.Any]:
        if node in self.silent:
            return {"failed": True, "msg": f"{node}: no such socket.", "host": node, "pool": "shop"}
        members = {name: self._facts(name, *count) for name, count in self.counts[node].items()}
        return {"host": node, "pool": "shop", "series": self.series[node], "members": members}

    def _facts(self, name: str, requests: float, errors: float) -> dict[str, t.Any]:
        timed = int(requests)
        counters = {
            "requests": timed,
            "errors": int(errors),
            "latency": 20.0,
            "timed": timed,
            "window": 512,
            "histogram": [],
        }
        return {"operational": self.health.get(name, "up"), "address": "", "counters": counters}


def planned(**params: t.Any) -> Plan:
    options: dict[str, t.Any] = {
        "window": str(WINDOW),
        "interval": str(INTERVAL),
        "groups": GROUPS,
        "metrics": [ERRORS],
    }
    options.update(dict.fromkeys(("on_inconclusive", "on_no_data", "on_error"), "stop"))
    return plans.from_params({**options, **params}, lambda *dummy, **dummy_options: (0, "", ""))


class Bench:
    """A rollout that is under way, and gates of it."""

    def __init__(self) -> None:
        self.ledger = LedgerClient()
        self.ledger.open()
        self.ledger.plan(fleet(3), policy={"stages": [1, "100%"], "gate": True})
        self.clock = self.ledger.fake
        self.world = World(self.clock)

    def notes(self, step: str = "5%") -> LedgerGateStore:
        params = {"service": "shop", "run": self.ledger.run, "token": self.ledger.token, "step": step}
        return LedgerGateStore(self.ledger.ledger, params)

    def once(self, step: str = "5%", **params: t.Any) -> dict[str, t.Any]:
        plan = planned(**params)
        return report.result(Gate(plan, self.notes(step), self.world.read).once(), plan)

    def polls(self, most: int = 50, step: str = "5%", **params: t.Any) -> dict[str, t.Any]:
        """One call after another, as the playbooks make them."""
        for dummy in range(most):
            result = self.once(step, **params)
            if result["verdict"] != "wait" or result["steering"]:
                break
        return result

    def rows(self) -> list[t.Any]:
        with self.ledger.store.reading() as records:
            return [tuple(row) for row in records._connection.execute("SELECT * FROM measured ORDER BY at, metric")]

    def events(self, kind: str) -> list[dict[str, t.Any]]:
        return [event["data"] for event in self.ledger.info()["events"] if event["kind"] == kind]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def alone(world: World, clock: t.Any, **params: t.Any) -> dict[str, t.Any]:
    """A gate without a rollout."""
    plan = planned(**params)
    store: GateStore = LocalGateStore("gate", clock.clock())
    return report.result(Gate(plan, store, world.read).until_decided(), plan)


def test_a_good_release_passes_at_the_end_of_the_window(bench: Bench) -> None:
    result = bench.polls()
    assert (result["verdict"], result["judged"], result["polls"], result["elapsed"]) == ("pass", "pass", 11, 100.0)
    assert result["reason"] == (
        "errors: 0 % of 1,000 requests against 0 % of 10,000 requests; "
        "no worse than chance, tolerance and differences between hosts (10 %) explain (p 1)."
    )
    assert result["score"] == 100
    (metric,) = result["metrics"]
    assert (metric["name"], metric["verdict"], metric["source"], metric["outcome"]) == (
        "errors",
        "pass",
        "balancer",
        "measured",
    )
    assert metric["figures"]["canary_requests"] == 1000


def test_a_bad_release_is_stopped_before_the_end(bench: Bench) -> None:
    bench.world.bad = {"a": 0.2}
    result = bench.polls()
    assert result["verdict"] == "fail"
    assert result["polls"] < 11
    assert result["reason"].startswith("errors: 20 % of ")


def test_a_look_ends_when_the_next_one_is_due_and_never_after_the_window(bench: Bench) -> None:
    began = bench.clock.time
    assert bench.once(interval="30")["verdict"] == "wait"
    assert bench.clock.time - began == 30
    bench.clock.move(4)
    for dummy in range(3):
        result = bench.once(interval="30")
    assert bench.clock.time - began == 100
    assert result["verdict"] == "wait"
    result = bench.once(interval="30")
    assert (result["verdict"], result["elapsed"]) == ("pass", 100.0)
    assert bench.clock.time - began == 100


def test_every_measurement_is_kept_with_query_and_answer(bench: Bench) -> None:
    bench.once()
    bench.once()
    first, second = bench.rows()
    assert first[:4] == ("shop", 1, bench.ledger.run, "5%")
    assert first[5:11] == (
        "errors",
        "balancer",
        "error_share",
        "",
        "no_data",
        "the first poll of the counters has nothing to compare with",
    )
    assert second[7:10] == (
        "error_share",
        '{"canary": {"a": [100, 0, 20.0]}, "baseline": {"b": [500, 0, 20.0], "c": [500, 0, 20.0]}}',
        "measured",
    )
    samples = json.loads(second[11])
    at = bench.clock.time - INTERVAL
    assert samples == [
        [at, "canary", "a", 100.0, 0.0],
        [at, "baseline", "b", 500.0, 0.0],
        [at, "baseline", "c", 500.0, 0.0],
    ]


def test_measurements_can_be_read_back(bench: Bench) -> None:
    bench.once()
    bench.once()
    first, second = bench.ledger.info()["measurements"]
    assert (first["step"], first["metric"], first["outcome"]) == ("5%", "errors", "no_data")
    assert (second["query"], second["outcome"], second["why"]) == ("error_share", "measured", "")


def test_the_verdict_is_part_of_the_history_and_is_not_measured_again(bench: Bench) -> None:
    result = bench.polls()
    assert bench.events("measured") == [{"step": "5%", "verdict": "pass", "reason": result["reason"], "polls": 11}]
    before = len(bench.rows())
    again = bench.once()
    assert len(bench.rows()) == before
    assert {**again, "notes": []} == {**result, "notes": []}
    assert len(bench.events("measured")) == 1


def test_steps_do_not_mix(bench: Bench) -> None:
    bench.polls(most=3)
    assert bench.once("25%")["polls"] == 1


def test_no_traffic_is_no_data(bench: Bench) -> None:
    bench.world.rates = dict.fromkeys("abc", 0.0)
    result = bench.polls()
    assert (result["verdict"], result["judged"]) == ("no_data", "no_data")
    assert result["reason"] == (
        "errors: only 0 requests of the canary, at least 100 are needed. errors: no requests since the previous poll, or too "
        "few to judge."
    )


def test_no_data_is_no_pass_where_the_user_lets_it_through(bench: Bench) -> None:
    """It was called a pass although nothing had been judged."""
    bench.world.rates = dict.fromkeys("abc", 0.0)
    result = bench.polls(on_no_data="go_on")
    assert (result["verdict"], result["judged"]) == ("not_judged", "no_data")


def test_a_reload_midway_costs_one_interval_of_one_node(bench: Bench) -> None:
    for dummy in range(5):
        bench.once()
    bench.world.reload("lb1")
    result = bench.polls()
    assert result["verdict"] == "pass"
    # Ten seconds on one of two nodes are lost: half of 100 requests.
    assert result["metrics"][0]["figures"]["canary_requests"] == 950


def test_a_silent_balancer_is_an_error_and_its_data_comes_later(bench: Bench) -> None:
    bench.once()
    bench.once()
    bench.world.silent = {"lb2"}
    for dummy in range(2):
        result = bench.once()
        assert (result["verdict"], result["metrics"][0]["outcome"]) == ("wait", "error")
        assert result["metrics"][0]["why"] == "balancer lb2 shop could not be read: lb2: no such socket"
    bench.world.silent = set()
    result = bench.polls()
    assert (result["verdict"], result["metrics"][0]["figures"]["canary_requests"]) == ("pass", 1000)


def test_a_balancer_that_stays_silent_ends_it_early_by_its_own_policy(bench: Bench) -> None:
    bench.once()
    bench.world.silent = {"lb2"}
    result = bench.polls(on_no_data="go_on")
    assert (result["verdict"], result["polls"]) == ("no_data", 6)
    assert result["reason"].startswith(
        "errors: could not be measured 5 times in a row, at most 4 may be; last: balancer lb2"
    )


def test_a_pause_is_waited_out_with_the_lease(bench: Bench) -> None:
    bench.once()
    bench.ledger.rollout("paused")
    naps: list[float] = []
    sleep = bench.ledger.ledger.clock.sleep

    def nap(seconds: float) -> None:
        naps.append(seconds)
        sleep(seconds)
        if len(naps) == 30:
            bench.ledger.rollout("resumed")

    bench.ledger.ledger.clock.sleep = nap
    result = bench.once()
    assert (result["verdict"], len(naps) >= 30) == ("wait", True)
    assert bench.ledger.info()["services"][0]["is_held"]


@pytest.mark.parametrize(("state", "verdict"), [("aborted", "inconclusive")])
def test_an_abort_ends_the_look_at_once(bench: Bench, state: str, verdict: str) -> None:
    bench.once()
    began = bench.clock.time
    sleep = bench.ledger.ledger.clock.sleep

    def nap(seconds: float) -> None:
        sleep(seconds)
        if bench.clock.time == began + 2:
            bench.ledger.rollout(state)

    bench.ledger.ledger.clock.sleep = nap
    result = bench.once()
    assert (result["verdict"], result["steering"], bench.clock.time - began) == ("wait", state, 2)
    result = bench.once()
    assert (result["verdict"], result["steering"]) == (verdict, state)


def test_asking_pauses_the_rollout_and_resuming_lets_it_pass(bench: Bench) -> None:
    bench.world.rates = dict.fromkeys("abc", 0.0)
    result = bench.polls(on_no_data="ask")
    assert (result["verdict"], result["judged"], result["steering"]) == ("wait", "no_data", "paused")
    assert bench.ledger.info()["rollouts"][0]["status"] == "paused"
    (paused,) = bench.events("paused")
    assert paused["step"] == "5%"
    bench.ledger.rollout("resumed")
    result = bench.once(on_no_data="ask")
    assert (result["verdict"], result["judged"]) == ("pass", "no_data")
    assert "The operator resumed the rollout." in result["reason"]


def test_looking_on_ends_with_the_limit(bench: Bench) -> None:
    bench.world.rates = dict.fromkeys("abc", 0.0)
    result = bench.polls(on_no_data="wait", wait_limit="50")
    assert (result["verdict"], result["elapsed"]) == ("no_data", 150.0)


def test_looking_on_may_find_what_was_missing(bench: Bench) -> None:
    bench.world.rates = dict.fromkeys("abc", 0.0)
    for dummy in range(11):
        result = bench.once(on_no_data="wait")
    assert result["verdict"] == "wait"
    bench.world.rates = {"a": 20.0, "b": 50.0, "c": 50.0}
    result = bench.polls(on_no_data="wait")
    assert (result["verdict"], result["judged"]) == ("pass", "pass")


def test_a_run_that_lost_the_lease_measures_no_more(bench: Bench) -> None:
    bench.once()
    bench.ledger.open(take_over=True)
    bench.ledger.run, bench.ledger.token = "other", 1
    with pytest.raises(LeaseLost):
        bench.once()


def test_a_controller_that_is_gone_ends_the_rest(bench: Bench) -> None:
    bench.ledger.ledger.is_alive = lambda: False
    with pytest.raises(RolloutError) as caught:
        bench.once()
    assert caught.value.message == "The controller that asked for the gate is gone; left without a verdict."


def test_nothing_to_compare_with_is_nothing_against_it(bench: Bench) -> None:
    result = bench.polls(groups={"canary": ["a", "b", "c"], "baseline": []})
    assert (result["verdict"], result["judged"], result["polls"]) == ("not_judged", "not_judged", 0)
    assert result["reason"] == (
        "Not judged: there is no baseline to compare with. The rollout continues (on_not_judged=go_on)."
    )
    assert result["notes"] == ["errors is set aside: there is no baseline to compare with."]


def test_unhealthy_members_stop_it(bench: Bench) -> None:
    bench.world.health = {"a": "down"}
    result = bench.polls(metrics=[])
    assert result["verdict"] == "fail"
    assert result["reason"].startswith(
        "unhealthy: 3 of 3 measurements not <= 20%, 3 in a row; at most 2 in a row allowed."
    )


def test_old_measurements_are_dropped(bench: Bench) -> None:
    for number in range(53):
        bench.clock.move(1)
        bench.once(f"step {number}")
    steps = {row[3] for row in bench.rows()}
    assert "step 0" not in steps
    assert "step 52" in steps
    assert len(steps) == 50


def test_a_gate_without_a_rollout_polls_until_its_verdict() -> None:
    clock = LedgerClient().fake
    result = alone(World(clock), clock)
    assert (result["verdict"], result["polls"], result["elapsed"]) == ("pass", 11, 100.0)
    assert result["metrics"][0]["figures"]["canary_requests"] == 1000
    world = World(clock, bad={"a": 0.5})
    assert alone(world, clock)["verdict"] == "fail"


def test_without_a_rollout_no_operator_can_be_asked() -> None:
    clock = LedgerClient().fake
    result = alone(World(clock, rates=dict.fromkeys("abc", 0.0)), clock, on_no_data="ask")
    assert result["verdict"] == "no_data"


def test_a_dry_run_is_shown_and_does_not_decide(bench: Bench) -> None:
    bench.world.bad = {"a": 0.5}
    steady = {"name": "unhealthy", "query": "unhealthy_share", "limit": "<= 20%", "minimum": 1}
    result = bench.polls(metrics=[{**ERRORS, "dry_run": True}, steady])
    assert result["verdict"] == "pass"
    shown = {metric["name"]: (metric["verdict"], metric["decides"]) for metric in result["metrics"]}
    assert shown == {"errors": ("fail", False), "unhealthy": ("pass", True)}
    assert result["table"][1].startswith("errors (does not decide)")
    assert {row[5] for row in bench.rows()} == {"errors", "unhealthy"}


def test_a_glimpse_keeps_nothing() -> None:
    clock = LedgerClient().fake
    plan = planned(metrics=[])
    outcome = Gate(plan, LocalGateStore("gate", clock.clock()), World(clock).read).glimpse()
    assert outcome.decision.verdict == "wait"
    assert [one.outcome for one in outcome.measurements] == ["no_data", "no_data", "measured"]


def test_in_a_rollout_the_groups_come_from_the_ledger(bench: Bench) -> None:
    assert bench.notes().groups() == {"canary": [], "baseline": ["app1", "app2", "app3"]}
    bench.ledger.go("app1")
    assert bench.notes().groups() == {"canary": ["app1"], "baseline": ["app2", "app3"]}


def test_the_core_asks_the_ledger_who_is_who(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.ledger.go("app1")
    monkeypatch.setattr(core.Ledger, "opened", lambda *dummy, **dummy_options: bench.ledger.ledger)
    monkeypatch.setattr(bench.ledger.store, "close", lambda: None)
    members = {name: bench.world._facts("a", 0.0, 0.0) for name in ("app1", "app2", "app3")}
    params = {
        **dict.fromkeys(("groups", "balancers", "wait_limit", "fail", "ledger")),
        **dict.fromkeys(("on_inconclusive", "on_no_data", "on_error"), "stop"),
        "counters": [{"host": "lb1", "series": "1", "members": members}],
        "metrics": [ERRORS],
        "window": "100",
        "interval": "10",
        "once": True,
        "step": "stage 1",
        "service": "shop",
        "run": bench.ledger.run,
        "token": bench.ledger.token,
    }
    call = Call(params, False, False, lambda dummy: None, lambda *dummy, **more: (0, "", ""))
    result = core.core(call)
    assert (result["verdict"], result["metrics"][0]["why"]) == (
        "wait",
        "the first poll of the counters has nothing to compare with",
    )


def test_what_the_gates_before_measured_counts_at_the_next(bench: Bench) -> None:
    bench.polls(step="5%")
    bench.clock.move(5)
    found = bench.notes("25%").gathered()
    assert found.samples == {}
    assert {sample.group for sample in found.earlier["errors"]} == {"canary", "baseline"}
    assert len(found.earlier["errors"]) == len(bench.notes("5%").gathered().samples["errors"])
    assert bench.notes("5%").gathered().earlier == {}


def test_what_a_run_measured_before_it_changed_anything_is_the_hosts_past(bench: Bench) -> None:
    bench.once("before")
    bench.clock.move(INTERVAL)
    bench.once("before")
    found = bench.notes("5%").gathered()
    assert found.earlier == {}
    assert [sample.host for sample in found.past["errors"]] == [
        sample.host for sample in bench.notes("before").gathered().samples["errors"]
    ]
    assert found.past["errors"]


def test_what_is_measured_before_the_release_is_never_judged(bench: Bench) -> None:
    bench.world.bad = {"a": 0.5}
    first = bench.once("before")
    assert (first["verdict"], first["reason"]) == ("wait", "0 of 100 s measured before the release.")
    last = bench.polls(step="before")
    assert (last["verdict"], last["reason"], last["polls"]) == ("not_judged", "Measured before the release.", 11)
