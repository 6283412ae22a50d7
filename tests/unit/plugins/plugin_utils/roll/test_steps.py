# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each step asks of the host, the balancers and the ledger."""

from __future__ import annotations

import typing as t

import pytest
from support.scripted_executors import ScriptedExecutors

from ansible_collections.steady.rollout.plugins.plugin_utils.roll.host_steps import HostSteps
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import HookDue, Journal, StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.ledger import HostLedger
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.settings import HOOKS, HostSettings
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.steps.reports import Verdict
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Unreachable
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.asking import Answer, Opinion

LB = {"host": "lb1", "socket": "/run/haproxy.sock", "pool": "shop"}
CLAIM = {"service": "shop", "ledger": "l1", "token": 7}
FENCED = {"step": "fence", "result": {"environment": {"PYTHONPATH": "/fence"}}}
SETTINGS: dict[str, t.Any] = {
    "rollout_artifact": "shop.tar.gz",
    "rollout_artifact_checksum": "",
    "rollout_release_path": "/opt/shop",
    "rollout_shared_paths": ["log"],
    "rollout_keep_releases": 3,
    "rollout_unit": "",
    "rollout_start_command": "start it",
    "rollout_stop_command": "stop it",
    "rollout_allow_bad": False,
    "rollout_balancers": [LB],
    "rollout_member": "web1",
    "rollout_add_members": False,
    "rollout_member_address": "",
    "rollout_health": {"url": "http://app1:8080/health", "ca_path": "/etc/ca.pem"},
    "rollout_health_from": "controller",
    "rollout_health_successes": 3,
    "rollout_health_interval": 1,
    "rollout_min_healthy_time": 10,
    "rollout_healthy_deadline": 300,
    "rollout_smoke_tests": [],
    "rollout_smoke_url": "",
    "rollout_drain_timeout": "1m",
    "rollout_drain_on_timeout": "fail",
    "rollout_restore_timeout": 60,
    "rollout_step_timeout": 300,
    "rollout_retries": 0,
    "rollout_veto": [],
    "rollout_veto_wait": 600,
    "rollout_veto_poll": 10,
    "rollout_gate_tasks": "",
    "rollout_metrics": [],
    "rollout_metric_sources": {},
    "rollout_metric_policy": {},
    "rollout_metric_window": 300,
    "rollout_stages": ["100%"],
    "rollout_analysis_interval": 10,
    "__rollout_search_paths": ["/playbooks"],
    **{f"rollout_{name}_tasks": "" for name in HOOKS},
}
GATE = {"stage": 1, "claim": "c", "limit": 60}
GO = {
    "verdict": "go", "direction": "forward", "target": {"version": "2.0.0"}, "previous": {"version": "1.0.0"},
    "guard": {"min_in_service": 4}, "drained_by_us": False, "interrupted_run": None, "slot": 1, "msg": "go",
}  # fmt: skip


class Artifacts:
    def __init__(self) -> None:
        self.staged: list[str] = []

    def stage(self, settings: t.Any, version: str) -> dict[str, t.Any]:
        self.staged.append(version)
        return {"actions": []}

    stage_if_missing = stage


class Objecting:
    """Rules that object a given number of times, then consent."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.asked: list[bool] = []

    def rules_of(self, host: str) -> list[t.Any]:
        return []

    def ask(self, host: str, remaining: t.Sequence[str], is_before_drain: bool) -> Opinion:
        self.asked.append(is_before_drain)
        self.times -= 1
        return Opinion([Answer("es", self.times < 0, "yellow")])


def steps(
    answer: t.Any = lambda host, module, given: None, journal: t.Any = (), **settings: t.Any
) -> tuple[HostSteps, ScriptedExecutors]:
    """app1 with these settings; *answer* is what hosts, balancers and the coordinator db1 say."""
    executors = ScriptedExecutors(answer)
    ledger = HostLedger(t.cast("t.Any", executors.on("db1")), "app1", {"service": "shop", "run": "r1", "token": 7})
    own = {**SETTINGS, **{f"rollout_{name}": value for name, value in settings.items()}}
    host = HostSteps(
        name="app1",
        settings=HostSettings(own, lambda raw, overlay: {**raw, "seen_target": overlay["rollout_target"]["version"]}),
        ledger=ledger,
        executors=t.cast("t.Any", executors),
        artifacts=t.cast("t.Any", Artifacts()),
        journal=Journal(journal),
        claim=CLAIM,
        show=lambda line: None,
        planned="2.0.0",
    )
    host.admission, host.target = GO, "2.0.0"
    return host, executors


def test_what_is_evaluated_once_is_evaluated_for_the_version_the_host_goes_to() -> None:
    host, dummy = steps()
    assert host.now["seen_target"] == "2.0.0"
    host.aim_at("1.0.0")
    assert host.now["seen_target"] == "1.0.0"


def test_a_release_that_was_staged_before_admission_is_not_staged_again() -> None:
    host, dummy = steps()
    host.stage_before_admission()
    host.stage()
    assert host.artifacts.staged == ["2.0.0"]  # type: ignore[attr-defined]


def test_nothing_is_staged_where_no_host_is_admitted_any_more() -> None:
    host, dummy = steps(answer=lambda place, module, given: {"verdict": "stop"})
    host.stage_before_admission()
    assert host.artifacts.staged == []  # type: ignore[attr-defined]


def test_every_host_was_connected_to_at_the_start_to_look_at_its_unit() -> None:
    """With many hosts that kept the first ones waiting; now a host has its turn before anything asks it."""
    host, executors = steps(answer=lambda place, module, given: {"verdict": "stop"}, unit="shop.service")
    host.stage_before_admission()
    assert executors.done("unit_info") == []


def test_the_balancers_are_connected_to_while_a_host_waits_for_its_slot() -> None:
    host, executors = steps()
    host.stage_before_admission()
    host.connect_before_admission()
    assert executors.connected == [LB["host"]]
    assert [given["state"] for dummy, given in executors.done("rollout_host")].count("due") == 1


@pytest.mark.parametrize("why", ["stopped", "not planned", "admitted already"])
def test_no_balancer_is_connected_to_for_a_host_that_is_not_about_to_be_drained(why: str) -> None:
    host, executors = steps(answer=lambda *call: {**GO, "verdict": "stop" if why == "stopped" else "go"})
    if why == "not planned":
        host.planned = ""
    host.stage_before_admission()
    if why == "admitted already":
        host.admit()
    host.connect_before_admission()
    assert executors.connected == []


def test_the_settings_of_all_hosts_were_evaluated_before_the_first_host_had_its_turn() -> None:
    host, dummy = steps(answer=lambda place, module, given: {"verdict": "stop"})
    host.settings = HostSettings({}, lambda raw, overlay: pytest.fail("evaluated"))
    host.stage_before_admission()
    host.connect_before_admission()


def test_another_target_than_the_planned_one_is_staged_after_admission() -> None:
    host, dummy = steps()
    host.stage_before_admission()
    host.target = "2.0.1"
    host.stage()
    assert host.artifacts.staged == ["2.0.0", "2.0.1"]  # type: ignore[attr-defined]


def test_the_switch_and_the_restart_carry_the_claim() -> None:
    host, executors = steps()
    host.activate_release()
    ((place, given),) = executors.done("release")
    assert place == "app1"
    assert (given["claim"], given["version"]) == (CLAIM, "2.0.0")
    assert (given["stop_command"], given["start_command"]) == ("stop it", "start it")


def test_a_host_that_an_interrupted_run_left_drained_may_be_drained() -> None:
    host, executors = steps()
    host.admission = {**GO, "drained_by_us": True}
    host.drain()
    assert executors.done("lb_member")[0][1]["expected_states"] == ["in_service", "drained"]


def test_a_host_that_was_not_left_drained_is_drained_only_from_service() -> None:
    host, executors = steps()
    host.drain()
    assert executors.done("lb_member")[0][1]["expected_states"] == ["in_service"]


def test_a_host_that_is_back_on_some_node_is_drained_again_before_it_is_changed() -> None:
    host, executors = steps()
    host.drain_again()
    assert executors.done("lb_member") == []
    host.put_back_in_service()
    host.drain_again()
    restored, drained = (given for dummy, given in executors.done("lb_member"))
    assert (restored["state"], drained["state"]) == ("in_service", "drained")
    assert drained["expected_states"] == ["in_service", "drained"]


def test_what_an_interrupted_run_has_started_on_the_host_is_waited_for() -> None:
    host, executors = steps()
    host.wait_for_interrupted_run()
    assert executors.done("rollout_host") == []
    host.admission = {**GO, "interrupted_run": "r0"}
    host.wait_for_interrupted_run()
    (waited,) = [(place, given) for place, given in executors.done("rollout_host") if given["state"] == "quiesced"]
    wanted = {"state": "quiesced", "service": "shop", "interrupted_run": "r0", "timeout": 300.0}
    assert waited == ("app1", wanted)


@pytest.mark.parametrize(("place", "asked"), [("controller", "localhost"), ("host", "app1"), ("probe1", "probe1")])
def test_health_is_probed_from_where_the_settings_say(place: str, asked: str) -> None:
    host, executors = steps(health_from=place)
    host.wait_until_healthy()
    assert [where for where, dummy in executors.done("health_wait")] == [asked]


def test_smoke_tests_trust_what_health_trusts() -> None:
    host, executors = steps(smoke_tests=[{"url": "/"}])
    host.smoke_test()
    ((dummy, given),) = executors.done("smoke_test")
    assert (given["ca_path"], given["validate_certs"]) == ("/etc/ca.pem", True)
    assert given["targets"] == [{"name": "app1", "url": "http://app1:8080"}]


def test_a_host_that_does_not_answer_is_unreachable_and_a_balancer_that_does_not_is_a_balancer() -> None:
    host, dummy = steps(
        lambda where, module, given: Unreachable(where, "refused") if where in ("app1", "lb1") else None
    )
    with pytest.raises(StepFailed) as failure:
        host.activate_release()
    assert failure.value.kind == "unreachable"
    with pytest.raises(StepFailed) as failure:
        host.drain()
    assert failure.value.kind == "balancer"


def test_reports_say_how_long_users_did_without_the_host() -> None:
    host, executors = steps(lambda where, module, given: {"waited": 2.5, "msg": "in service"})
    clock = iter([100.0, 109.25])
    host.wall_clock = lambda: next(clock)
    host.drain()
    host.put_back_in_service()
    host.report_proven()
    report = executors.done("rollout_host")[-1][1]
    # The one node says that it was out for 2.5 s when the drain was over, 9.25 s before it was back.
    assert (report["drained_for"], report["out_for"]) == (2.5, 11.75)


# Gates


def judged(answer: t.Any, **settings: t.Any) -> dict[str, t.Any]:
    """What is reported to the ledger about the gate."""
    host, executors = steps(answer, gate_tasks="", **settings)
    host.run_gate(GATE)
    return executors.done("rollout_gate")[-1][1]


def measuring(verdict: str) -> t.Any:
    return lambda where, module, given: (
        {"verdict": verdict, "reason": "so", "msg": "so"} if module == "metric_gate" else {"msg": ""}
    )


def test_a_gate_without_a_verdict_is_measured_again() -> None:
    verdicts = iter(["wait", "wait", "fail"])
    report = judged(lambda where, module, given: {"verdict": next(verdicts), "msg": ""} if module == "metric_gate" else {"msg": ""},
                    metrics=[{"name": "errors"}])  # fmt: skip
    assert report["verdict"] == "fail"


def test_the_gates_of_all_stages_share_one_chance_of_a_false_stop() -> None:
    settings = {
        "metrics": [{"name": "errors"}],
        "stages": [1, "50%", "100%"],
        "metric_policy": {"judge": {"host_noise": "5%"}},
    }
    host, executors = steps(measuring("pass"), gate_tasks="", **settings)
    host.run_gate(GATE)
    assert executors.done("metric_gate")[0][1]["judge"] == {"gates": 3, "host_noise": "5%"}


def test_metrics_that_could_not_be_read_do_not_pass() -> None:
    """Invariant 11."""
    report = judged(
        lambda where, module, given: (
            {"failed": True, "msg": "Prometheus: refused."} if module == "metric_gate" else {"msg": ""}
        ),
        metrics=[{"name": "errors"}],
    )
    assert (report["verdict"], report["reason"]) == ("no_data", "Prometheus: refused.")


@pytest.mark.parametrize("verdict", ["fail", "inconclusive", "no_data"])
def test_a_gates_own_steps_do_not_overrule_a_metric(verdict: str) -> None:
    host, executors = steps(measuring(verdict), gate_tasks="gate.yml", metrics=[{"name": "errors"}])
    host.run_gate(GATE)
    assert executors.done("rollout_gate")[-1][1]["verdict"] == verdict


def test_a_gates_own_steps_are_asked_once_the_metrics_pass() -> None:
    host, dummy = steps(measuring("pass"), gate_tasks=__file__, metrics=[{"name": "errors"}])
    with pytest.raises(HookDue) as due:
        host.run_gate(GATE)
    assert due.value.path == __file__
    assert host.journal.find("fence") is not None


def test_a_host_has_the_token_before_it_is_waited_for_and_changed() -> None:
    host, executors = steps(lambda where, module, given: FENCED["result"] if module == "rollout_claim" else None)
    host.fence_older_runs()
    ((where, given),) = executors.done("rollout_claim")
    assert where == "app1"
    assert (given["state"], given["ledger_id"], given["token"]) == ("fenced", "l1", 7)
    assert host.environment == {"PYTHONPATH": "/fence"}


def waited(verdict: str) -> t.Callable[..., t.Any]:
    return lambda where, module, given: {"verdict": verdict} if given.get("state") == "due" else None


def test_a_host_was_fenced_in_its_slot_while_the_next_one_waited() -> None:
    host, executors = steps(waited("go"))
    host.planned = "2.0.0"
    host.stage_before_admission()
    host.connect_before_admission()
    assert [given["state"] for _where, given in executors.done("rollout_claim")] == ["fenced"]
    host.fence_older_runs()
    assert len(executors.done("rollout_claim")) == 1


def test_a_host_whose_journal_is_read_again_is_fenced_once() -> None:
    go = {"verdict": "go"}
    before = [{"step": "wait", "result": go}, {"step": "stage"}, FENCED, {"step": "admit", "result": go}]
    host, executors = steps(waited("go"), before)
    host.planned = "2.0.0"
    host.stage_before_admission()
    host.connect_before_admission()
    host.journal.perform("admit", "coordinator", dict)
    host.fence_older_runs()
    assert executors.done("rollout_claim") == []
    assert host.environment == {"PYTHONPATH": "/fence"}


def test_a_host_that_is_not_admitted_any_more_is_not_fenced() -> None:
    host, executors = steps(waited("stop"))
    host.planned = "2.0.0"
    host.stage_before_admission()
    host.connect_before_admission()
    assert executors.done("rollout_claim") == []


def test_without_a_claim_nothing_is_fenced() -> None:
    host, executors = steps()
    host.claim = {}
    host.fence_older_runs()
    assert executors.done("rollout_claim") == []
    assert host.environment == {}


@pytest.mark.parametrize(("failure", "verdict"), [(None, "pass"), ({"kind": "step", "error": "exit 3"}, "fail")])
def test_the_gates_own_steps_are_the_verdict(failure: t.Any, verdict: str) -> None:
    journal = [FENCED, {"step": "gate", "failure": failure}]
    host, executors = steps(lambda where, module, given: {"msg": ""}, journal, gate_tasks="/gate.yml")
    host.run_gate(GATE)
    assert executors.done("rollout_gate")[-1][1]["verdict"] == verdict


# Restore timers


def leave_to_timer(**admission: t.Any) -> bool:
    """Whether the drain of a host that was admitted so is left to a restore timer."""
    host, executors = steps()
    host.timers, host.admission = ["lb1"], {**GO, **admission}
    host.drain()
    ((dummy, given),) = executors.done("lb_member")
    return bool(given.get("restore_timer"))


def test_only_a_host_that_serves_as_it_was_is_left_to_a_restore_timer() -> None:
    assert leave_to_timer()
    assert not leave_to_timer(drained_by_us=True)
    assert not leave_to_timer(direction="back")


def test_a_host_that_is_drained_again_on_its_way_back_is_not_left_to_a_restore_timer() -> None:
    host, executors = steps(journal=[{"step": "restore", "result": {}}])
    host.timers = ["lb1"]
    host.put_back_in_service()
    host.drain_again()
    assert [given.get("restore_timer") for dummy, given in executors.done("lb_member")] == [None]


def test_timers_are_notified_once_and_only_where_there_is_one() -> None:
    host, executors = steps()
    host.mark_changing()
    assert executors.done("restore_timer") == []
    host.timers = ["lb1"]
    host.mark_changing()
    ((place, given),) = executors.done("restore_timer")
    assert (place, given) == ("lb1", {"state": "changing", "claim": CLAIM, "members": ["web1"]})


def test_no_step_is_noted_in_the_ledger_for_a_mark() -> None:
    host, executors = steps()
    host.before_step("mark changing")
    assert executors.done("rollout_host") == []


# Failures


def test_the_ledgers_verdict_on_a_failure_is_followed() -> None:
    host, dummy = steps(
        lambda where, module, given: {"go_back": True, "was_changed": True, "target": {"version": "1.0.0"}, "msg": ""}
    )
    assert host.report_failed(StepFailed("health", "no")) == Verdict(True, True, "1.0.0")


def test_without_a_coordinator_an_unchanged_host_returns_and_a_changed_one_is_left_as_it_is() -> None:
    host, dummy = steps(lambda where, module, given: Unreachable("db1", "refused") if where == "db1" else None)
    assert host.report_failed(StepFailed("drain", "no")) == Verdict(True, False, "1.0.0")
    host, dummy = steps(
        lambda where, module, given: Unreachable("db1", "gone") if given.get("state") == "failed" else {"msg": ""}
    )
    host.record_intent()
    assert host.report_failed(StepFailed("health", "no")).go_back is False


def test_a_host_that_somebody_else_drained_is_not_restored() -> None:
    host, dummy = steps(
        lambda where, module, given: {"go_back": True, "was_changed": True, "target": {"version": "1.0.0"}, "msg": ""}
    )
    assert host.report_failed(StepFailed("drained_externally", "drained on lb1")) == Verdict(False)


def hung(step: str) -> list[dict[str, t.Any]]:
    return [{"step": step, "failure": {"kind": "step", "error": "Timed out", "timed_out": True}}]


def seen(version: str | None, healthy: bool = True, revision: str | None = None) -> t.Any:
    targets = {"app1": {"healthy": healthy, "version": version, "revision": revision}}
    return lambda where, module, given: {"healthy": healthy, "targets": targets} if module == "health_wait" else None


@pytest.mark.parametrize(
    ("step", "version", "healthy", "serves"),
    [
        ("before_update", "1.0.0", True, True),
        ("before_update", None, True, True),
        ("before_update", "1.0.0", False, False),
        ("update", "1.0.0", True, True),
        ("update", None, True, False),
        ("update", "2.0.0", True, False),
        ("after_update", "1.0.0", True, False),
        ("before_restore", "1.0.0", True, False),
    ],
)
def test_a_hanging_hook_kept_a_healthy_unchanged_host_drained(
    step: str, version: str | None, healthy: bool, serves: bool
) -> None:
    host, dummy = steps(seen(version, healthy), hung(step))
    with pytest.raises(StepFailed):
        host.journal.hook(step, "/hook.yml")
    host.aim_at("1.0.0")
    assert host.serves_target_again() is serves


@pytest.mark.parametrize(
    ("step", "revision", "serves"),
    [
        ("before_update", None, True),
        ("update", None, False),
        ("update", "7", True),
        ("update", "8", False),
        ("before_update", "8", False),
    ],
)
def test_the_version_says_nothing_of_whether_a_host_left_its_revision(
    step: str, revision: str | None, serves: bool
) -> None:
    host, dummy = steps(seen("1.0.0", revision=revision), hung(step))
    host.admission = {**GO, "target": {"version": "1.0.0", "revision": "8"}}
    with pytest.raises(StepFailed):
        host.journal.hook(step, "/hook.yml")
    host.aim_at("1.0.0 revision 7")
    assert host.serves_target_again() is serves


def test_a_revision_comes_with_the_release_of_its_version() -> None:
    host, executors = steps(release_path="/opt/shop", artifact="/shop.tar.gz")
    host.aim_at("2.0.0 revision 7")
    host.stage()
    host.activate_release()
    host.report_proven()
    assert host.artifacts.staged == ["2.0.0"]  # type: ignore[attr-defined]
    assert [given["version"] for _place, given in executors.done("release")] == ["2.0.0"]
    proven = [given for _place, given in executors.done("rollout_host") if given["state"] == "proven"]
    assert [(given["version"], given["revision"]) for given in proven] == [("2.0.0", "7")]


def test_a_hook_that_timed_out_is_not_run_again_on_the_way_back() -> None:
    host, dummy = steps(journal=hung("before_restore"), before_restore_tasks="/warm_up.yml")
    with pytest.raises(StepFailed):
        host.run_hook("before_restore")
    host.aim_at("1.0.0")
    assert host.run_hook("before_restore") is True
    assert [entry.step for entry in host.journal.entries] == ["before_restore"]


def test_what_a_step_that_timed_out_has_started_is_ended_on_the_host_before_anything_else() -> None:
    answer = {"go_back": False, "was_changed": False, "target": {"version": None}, "msg": ""}
    host, executors = steps(lambda where, module, given: answer, hung("update"))
    with pytest.raises(StepFailed) as failure:
        host.journal.hook("update", "/hook.yml")
    host.report_failed(failure.value)
    calls = [(place, given["state"], given.get("terminate")) for place, given in executors.done("rollout_host")]
    assert calls == [("app1", "quiesced", True), ("db1", "failed", None)]


def test_every_step_of_a_host_in_flight_is_noted_in_the_ledger() -> None:
    host, executors = steps()
    host.before_step("drain")
    host.before_step("report proven")
    assert [given["step"] for dummy, given in executors.done("rollout_host")] == ["drain"]


def test_a_host_that_waits_notes_nothing() -> None:
    host, executors = steps()
    host.admission = {}
    host.before_step("stage")
    assert executors.calls == []


def test_a_host_without_its_unit_is_not_even_asked_to_be_taken_out() -> None:
    def answer(host: str, module: str, given: t.Any) -> t.Any:
        return {"load_state": "not-found"} if module == "unit_info" else None

    host, dummy = steps(answer, unit="shop.service")
    with pytest.raises(StepFailed) as failed:
        host.stage_before_admission()
    assert (failed.value.kind, failed.value.error) == (
        "release",
        "rollout_unit: app1 has no unit shop.service: correct the name, or install the unit first.",
    )
    assert host.artifacts.staged == []  # type: ignore[attr-defined]


def test_a_hook_file_that_was_gone_left_the_host_drained_and_the_run_hanging() -> None:
    host, dummy = steps(after_drain_tasks="/nowhere/silence.yml")
    with pytest.raises(StepFailed) as failed:
        host.run_hook("after_drain")
    assert (failed.value.kind, failed.value.error) == (
        "step",
        "rollout_after_drain_tasks: the task file /nowhere/silence.yml is no longer there: restore it and run again.",
    )
    host.aim_at("1.0.0")
    assert host.run_hook("after_drain") is True, "on the way back it is left out"


def test_a_gate_whose_steps_are_gone_does_not_pass() -> None:
    host, executors = steps(gate_tasks="/nowhere/gate.yml")
    host.run_gate(GATE)
    ((dummy, judged),) = executors.done("rollout_gate")
    assert (judged["verdict"], judged["reason"]) == (
        "fail",
        "rollout_gate_tasks: the task file /nowhere/gate.yml is no longer there: restore it and run again.",
    )


def test_a_flaky_host_is_tried_again_as_often_as_allowed_and_reports_it() -> None:
    host, dummy = steps(retries=1)
    sick = StepFailed("health", "not healthy within 300 s")
    assert host.tries_again(sick) is True
    entry = host.journal.find("try again")
    assert entry is not None
    assert entry.summary == "1 of 1 (rollout_retries), after: not healthy within 300 s"
    assert host.tries_again(sick) is False


@pytest.mark.parametrize("kind", ["unreachable", "coordinator", "balancer", "drained_externally", "restore"])
def test_what_another_try_cannot_mend_is_not_tried_again(kind: str) -> None:
    host, dummy = steps(retries=3)
    assert host.tries_again(StepFailed(kind, "no")) is False


def test_a_step_that_hung_is_not_tried_again() -> None:
    """It may still be at work on the host."""
    host, dummy = steps(journal=hung("update"), retries=3, update_tasks=__file__)
    with pytest.raises(StepFailed) as failed:
        host.run_hook("update")
    assert host.tries_again(failed.value) is False


def test_without_retries_a_host_fails_at_once() -> None:
    host, dummy = steps()
    assert host.tries_again(StepFailed("health", "no")) is False


def admitted_or_deferred(place: str, module: str, given: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"admitted": GO, "deferred": {"verdict": "wait"}}.get(given.get("state", ""), {})


def test_a_host_is_deferred_and_admitted_again_until_no_rule_objects() -> None:
    host, executors = steps(answer=admitted_or_deferred, veto=[{"type": "http"}])
    host.asking = t.cast("t.Any", Objecting(2))
    assert host.admit() == "forward"
    states = [given["state"] for dummy, given in executors.done("rollout_host")]
    assert states == ["admitted", "deferred", "admitted", "deferred", "admitted"]
    assert [entry.step for entry in host.journal.entries] == ["admit"]
    assert not host.is_objected_to()


def test_without_rules_nothing_is_read() -> None:
    host, executors = steps(answer=admitted_or_deferred, before_drain_tasks="x.yml")
    host.asking = t.cast("t.Any", Objecting(9))
    assert host.admit() == "forward"
    assert not host.is_objected_to()
    assert [given["state"] for dummy, given in executors.done("rollout_host")] == ["admitted"]


def test_after_steps_of_the_users_it_is_asked_once_more() -> None:
    host, executors = steps(
        answer=admitted_or_deferred, veto=[{"type": "http"}], veto_wait=0, before_drain_tasks="switch_over.yml"
    )
    host.asking = t.cast("t.Any", Objecting(0))
    assert not host.is_objected_to()
    host, executors = steps(
        answer=lambda place, module, given: {"verdict": "stop", "reason": "app1 was left unchanged"},
        veto=[{"type": "http"}], veto_wait=0, before_drain_tasks="switch_over.yml",
    )  # fmt: skip
    asking = host.asking = t.cast("t.Any", Objecting(1))
    assert host.is_objected_to()
    assert asking.asked == [True]
    (dummy, given) = executors.done("rollout_host")[-1]
    assert (given["state"], given["error"], given["last_word"]) == ("deferred", "es: yellow", True)
