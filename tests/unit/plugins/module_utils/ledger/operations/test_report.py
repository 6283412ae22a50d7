# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts report, what operators steer, and what is said in the end."""

from __future__ import annotations

import pytest
from support.ledger_client import DOWN, DRAINED, LedgerClient, fleet, pool

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.gate import judge_gate


@pytest.fixture
def ledger():
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(4), policy={"max_unavailable": "2", "max_failures": "1"})
    return ledger


def refusal(act, *arguments, **options):
    with pytest.raises(RolloutError) as caught:
        act(*arguments, **options)
    return caught.value.message


def test_intent_is_recorded_before_anything_is_touched(ledger):
    """Invariant 12."""
    ledger.admit("app1")
    (left,) = ledger.info()["left_out"]
    assert (left["host"], left["run"], left["proven"]) == ("app1", ledger.run, ["1.0.0"])
    (host,) = [found for found in ledger.info()["hosts"] if found["host"] == "app1"]
    assert (host["phase"], host["lb_state"]) == ("admitted", "drained_by_us")
    ledger.host("proven", "app1", version="2.0.0")
    assert ledger.info()["left_out"] == []


def test_what_an_earlier_run_was_given_may_not_be_changed_by_a_later_one(ledger):
    """Invariant 8: the later run is given the host again, once it has read how it was left."""
    ledger.admit("app1")
    ledger.open(take_over=True)
    assert refusal(ledger.host, "changing", "app1", step="update") == (
        "app1: cannot become changing, the ledger has it as admitted; only a host admitted in this run can."
    )


def test_only_an_admitted_host_may_change(ledger):
    assert refusal(ledger.host, "changing", "app1", step="update") == (
        "app1: cannot become changing, the ledger has it as waiting; only a host admitted in this run can."
    )
    assert refusal(ledger.host, "proven", "app1", version="2.0.0") == (
        "app1: cannot become proven, the ledger has it as waiting; only a host admitted in this run can."
    )


def test_another_version_than_the_one_meant_is_no_proof(ledger):
    """Invariant 9."""
    ledger.admit("app1")
    assert refusal(ledger.host, "proven", "app1", version="1.0.0") == (
        "app1: reported in service on 1.0.0, but its target is 2.0.0; nothing was recorded."
    )


def test_reports_may_be_repeated(ledger):
    ledger.go("app1")
    again = ledger.host("proven", "app1", version="2.0.0")
    assert (again["changed"], again["done"], again["total"]) == (False, 1, 4)


def test_a_failure_within_the_budget_stops_nothing(ledger):
    ledger.admit("app1")
    answer = ledger.host("failed", "app1", kind="health", error="HTTP 500.")
    assert (answer["go_back"], answer["stop"], answer["was_changed"]) == (True, False, False)
    assert answer["msg"] == "app1 failed (health: HTTP 500); rolling back to 1.0.0"
    assert ledger.host("reverted", "app1", version="1.0.0")["msg"].startswith("app1 in service on 1.0.0")
    assert ledger.admit("app2")["verdict"] == "go"
    assert ledger.host("failed", "app2", kind="start", error="exit 1")["reason"] == (
        "app2 failed (start: exit 1); that is failure 2, 1 allowed"
    )


def test_a_host_whose_change_had_begun_gets_its_files_back_too(ledger):
    ledger.admit("app1")
    ledger.host("changing", "app1", step="update")
    assert ledger.host("failed", "app1", kind="health", error="x")["was_changed"] is True


def test_a_host_that_is_stuck_uses_up_the_budget_of_failures():
    """Invariant 6: in a rollback nothing failed before."""
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(4))
    for number in range(1, 5):
        ledger.go(f"app{number}")
    ledger.rollout("concluded", hosts=fleet(4, version="2.0.0"), balancers=[pool(fleet(4))])
    ledger.open(None, direction="back")
    ledger.plan(fleet(4, version="2.0.0"), policy={"max_unavailable": "3", "max_failures": "1"})
    ledger.admit("app1")
    ledger.admit("app2")
    answers = [ledger.host("stuck", name, kind="health", error="x") for name in ("app1", "app2")]
    assert [answer["stop"] for answer in answers] == [False, True]


def test_what_an_earlier_run_left_drained_may_be_half_updated():
    """Invariant 12: this run has changed nothing yet, and the host gets its files back all the same."""
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(4), balancers=[pool(fleet(4))])
    ledger.admit("app1")
    ledger.open(take_over=True)
    ledger.plan(fleet(4), balancers=[pool(fleet(4), app1=DRAINED)])
    ledger.admit("app1")
    assert ledger.host("failed", "app1", kind="health", error="x")["was_changed"] is True


@pytest.mark.parametrize("kind", ["balancer", "coordinator"])
def test_some_failures_stop_whatever_the_budget(ledger, kind):
    ledger.admit("app1")
    assert ledger.host("failed", "app1", kind=kind, error="no answer")["stop"] is True


def test_what_cannot_be_reached_is_not_sent_back(ledger):
    ledger.admit("app1")
    answer = ledger.host("failed", "app1", kind="unreachable", error="no route to host")
    assert answer["go_back"] is False
    assert answer["msg"] == "app1 failed (unreachable: no route to host); left as it is"
    assert [left["host"] for left in ledger.info()["left_out"]] == ["app1"]


def test_a_host_somebody_else_took_out_meanwhile_counts_for_nothing(ledger):
    """Invariant 12."""
    ledger.admit("app1")
    answer = ledger.host("failed", "app1", kind="drained_externally", error="drained on lb1 by somebody else")
    assert (answer["stop"], answer["phase"]) == (False, "excluded")
    assert ledger.info()["left_out"] == []
    ledger.admit("app2")
    assert ledger.admit("app3")["reason"] == "2 of at most 2 hosts are out of service"


def test_a_host_that_cannot_go_back_is_stuck_and_stays_counted(ledger):
    ledger.admit("app1")
    ledger.host("failed", "app1", kind="health", error="HTTP 500")
    answer = ledger.host("stuck", "app1", kind="start", error="exit 1")
    assert answer["msg"] == "app1 is stuck: the rollback failed: exit 1"
    assert ledger.phases()["app1"] == "stuck"
    assert [left["host"] for left in ledger.info()["left_out"]] == ["app1"]


def test_who_vanished_and_comes_after_all_is_in_service_and_counted(ledger):
    ledger.admit("app1", limit=60)
    ledger.admit("app2", limit=600)
    ledger.fake.move(61)
    ledger.host("changing", "app2", step="update", limit=600)
    assert ledger.phases()["app1"] == "failed"
    assert ledger.host("proven", "app1", version="2.0.0")["phase"] == "proven"
    assert ledger.host("failed", "app2", kind="health", error="x")["stop"] is True


def test_an_unknown_kind_is_refused(ledger):
    with pytest.raises(InputError, match=r"kind: 'magic' is not one of drain, balancer, "):
        ledger.host("failed", "app1", kind="magic")


def end(ledger, balancers=None, **changed):
    hosts = [{**host, **changed.get(host["name"], {"version": "2.0.0"})} for host in fleet(4)]
    return ledger.rollout("concluded", hosts=hosts, balancers=balancers or [pool(hosts)])


def all_go(ledger):
    for number in range(1, 5):
        ledger.go(f"app{number}")


def test_success_is_the_whole_fleet(ledger):
    """Invariant 15."""
    all_go(ledger)
    answer = end(ledger)
    assert (answer["succeeded"], answer["outcome"]) == (True, "done")
    assert answer["text"][:2] == [
        "host  from   to     drained for  out of service for  outcome",
        "app1  1.0.0  2.0.0  1.5 s        0.0 s               updated",
    ]
    assert answer["touched"] == ["app1", "app2", "app3", "app4"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"version": "1.0.0"}, "app2 updated, but on 1.0.0"),
        ({"version": "2.0.0", "healthy": False}, "app2 updated, but not in service (not healthy)"),
        ({"version": "2.0.0", "healthy": None}, "app2 updated, but its health is unknown"),
    ],
)
def test_a_host_that_is_not_there_in_the_end_is_named(ledger, changed, said):
    """Invariant 15."""
    all_go(ledger)
    answer = end(ledger, app2=changed)
    assert (answer["succeeded"], answer["outcome"]) == (False, "incomplete")
    assert answer["message"] == (
        f"shop: 2.0.0 is not complete; 3 of 4 hosts are in service on 2.0.0, {said}. Fix the cause and run again to "
        "resume, or roll back with -e rollout_resume=revert."
    )


@pytest.mark.parametrize(("member", "note"), [(DRAINED, "drained on lb2"), (DOWN, "down on lb2")])
def test_a_node_that_disagrees_is_named(ledger, member, note):
    """Invariant 13."""
    all_go(ledger)
    hosts = fleet(4)
    answer = end(ledger, balancers=[pool(hosts), pool(hosts, "lb2", app3=member)])
    assert answer["succeeded"] is False
    assert f"app3 updated, but not in service ({note})" in answer["message"]


def test_a_node_that_does_not_answer_leaves_nothing_verified(ledger):
    """Invariant 13."""
    all_go(ledger)
    answer = end(ledger, balancers=[pool(fleet(4)), {"host": "lb2", "unreachable": "timed out"}])
    assert answer["succeeded"] is False
    assert "app1, app2, app3, app4 updated, but not verified on lb2, which did not answer" in answer["message"]


def test_without_a_look_nothing_is_verified(ledger):
    """Invariant 11."""
    all_go(ledger)
    answer = ledger.rollout("concluded")
    assert answer["succeeded"] is False
    assert "app1, app2, app3, app4 updated, but could not be read" in answer["message"]


def test_a_host_still_in_flight_when_the_run_ends_has_vanished(ledger):
    """Invariants 14 and 15."""
    for number in (1, 2, 3):
        ledger.go(f"app{number}")
    ledger.admit("app4")
    hosts = [{**host, "version": "2.0.0"} for host in fleet(4)]
    answer = ledger.rollout("concluded", hosts=hosts, balancers=[pool(hosts, app4=DRAINED)])
    assert answer["left_out"] == ["app4"]
    assert "app4 failed (lost: still in flight when the run ended)" in answer["message"]


def test_an_operators_drain_is_named_and_no_success():
    """Invariants 12 and 15."""
    ledger = LedgerClient()
    ledger.open()
    hosts = fleet(4)
    ledger.plan(hosts, policy={"max_unavailable": "2"}, balancers=[pool(hosts, app4=DRAINED)])
    for name in ("app1", "app2", "app3"):
        ledger.go(name)
    answer = end(ledger, balancers=[pool(hosts, app4=DRAINED)], app4={"version": "1.0.0"})
    assert answer["message"] == (
        "shop: 2.0.0 is not complete; 3 of 4 hosts are in service on 2.0.0, app4 skipped: drained on lb1 by somebody "
        "else. Put the skipped hosts into service, or exclude them with --limit, then run again."
    )


def test_a_gate_that_never_ran_is_no_success():
    """Invariant 11."""
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(4), policy={"gate": True})
    all_go(ledger)
    assert end(ledger)["message"].endswith("The gate of the last stage (1) has not passed; run again to run it.")


def test_a_seen_recovery_is_noted():
    """A host that somebody put back by hand, healthy on a proven version, is not left out any more."""
    ledger = LedgerClient()
    ledger.open()
    hosts = fleet(4)
    ledger.plan(hosts, balancers=[pool(hosts)])
    ledger.admit("app1")
    assert ledger.rollout("concluded", hosts=hosts, balancers=[pool(hosts)])["left_out"] == []


def judge(ledger, verdict, **options):
    params = {"service": "shop", "run": ledger.run, "token": ledger.token, "verdict": verdict}
    return judge_gate(ledger.ledger, {**params, "stage": 1, **options})


@pytest.fixture
def gated():
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(4), policy={"stages": ["1", "100%"], "gate": True})
    ledger.go("app1")
    return ledger


@pytest.mark.parametrize(
    ("verdict", "passed", "stop", "bad"),
    [
        ("pass", True, False, []),
        ("fail", False, True, ["2.0.0"]),
        ("inconclusive", False, True, []),
        ("no_data", False, True, []),
    ],
)
def test_three_verdicts_that_are_not_good(gated, verdict, passed, stop, bad):
    """Invariant 11."""
    claim = gated.admit("app2")["gate"]["claim"]
    answer = judge(gated, verdict, claim=claim, reason="as measured")
    assert (answer["passed"], answer["stop"]) == (passed, stop)
    assert answer["msg"] == f"the gate of stage 1: {verdict}: as measured"
    assert [found["version"] for found in gated.info()["bad"]] == bad
    assert gated.rollout("reverting")["order"] == (["app1"] if verdict == "fail" else [])


def test_the_policy_says_what_no_data_means():
    """Invariant 11."""
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(4), policy={"stages": ["1", "100%"], "gate": True, "gate_no_data": "pass"})
    ledger.go("app1")
    assert judge(ledger, "no_data")["passed"] is True


def test_a_gate_is_judged_once_and_by_whom_it_was_given(gated):
    assert refusal(judge, gated, "pass", stage=2) == "stage 2: not complete yet, so its gate has nothing to judge."
    claim = gated.admit("app2")["gate"]["claim"]
    assert refusal(judge, gated, "pass") == ("stage 1: its gate is being run by app2; only that claim may judge it.")
    gated.fake.move(301)
    gated.admit("app3")
    assert refusal(judge, gated, "pass", claim=claim).startswith("stage 1: its gate is being run by app3")
    gated.fake.move(301)
    assert refusal(judge, gated, "pass", claim=claim) == (
        "stage 1: the claim on its gate expired and was given to another host; request admission again."
    )
    judge(gated, "pass", claim=gated.admit("app2")["gate"]["claim"])
    assert lost_claim(gated, claim) == "gate_claim_lost"
    assert refusal(judge, gated, "fail") == "stage 1: its gate has its verdict already, pass; one verdict per stage."


def lost_claim(ledger, claim):
    with pytest.raises(RolloutError) as caught:
        judge(ledger, "fail", claim=claim, reason="the gate's tasks failed")
    return caught.value.result.get("kind")


def test_a_verdict_that_comes_too_late_has_a_kind_of_its_own(gated):
    """Invariant 11: a claim that ran out says nothing against the version."""
    claim = gated.admit("app2")["gate"]["claim"]
    gated.fake.move(301)
    gated.admit("app3")
    assert lost_claim(gated, claim) == "gate_claim_lost"
    gated.fake.move(301)
    assert lost_claim(gated, claim) == "gate_claim_lost"
    assert gated.info()["bad"] == []
    assert gated.info()["rollouts"][0]["status"] == "open"


def test_a_second_verdict_under_the_claim_that_counted_is_no_lost_claim(gated):
    claim = gated.admit("app2")["gate"]["claim"]
    judge(gated, "pass", claim=claim)
    assert lost_claim(gated, claim) is None


def test_a_gate_left_by_a_run_that_had_one_holds_up_no_host_where_none_is_configured(gated):
    hosts = [{**host, "version": "2.0.0" if host["name"] == "app1" else "1.0.0"} for host in fleet(4)]
    assert [gate["status"] for gate in gated.info()["gates"]] == ["pending"]
    gated.open(take_over=True)
    gated.plan(hosts, policy={"stages": ["1", "100%"], "gate": False})
    assert [(gate["status"], gate["reason"]) for gate in gated.info()["gates"]] == [("passed", "no gate configured")]
    assert gated.admit("app2")["verdict"] == "go"


@pytest.mark.parametrize("budget", ["0", "3"])
def test_a_host_that_fails_after_the_rollout_stopped_still_counts_against_the_version(budget):
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(8), policy={"max_unavailable": "2", "max_failures": budget})
    ledger.admit("app1")
    ledger.admit("app2")
    ledger.host("failed", "app1", kind="balancer", error="lb2 does not answer")
    assert ledger.info()["bad"] == []
    ledger.host("failed", "app2", kind="health", error="HTTP 500")
    (bad,) = ledger.info()["bad"]
    assert bad["version"] == "2.0.0"
    assert bad["why"].startswith("app2 failed (health: HTTP 500)")
    assert ledger.info()["rollouts"][0]["reason"] == "app1 failed (balancer: lb2 does not answer)"


def test_aborted_means_stay_as_you_are(ledger):
    """Invariant 6."""
    ledger.go("app1")
    answer = ledger.rollout("aborted", owner={"user": "ops"})
    assert answer["msg"] == ("shop: the rollout of 2.0.0 is aborted; no further host starts, hosts in flight finish")
    assert ledger.admit("app2")["reason"] == "the rollout of 2.0.0 is aborted: aborted by the operator"
    assert ledger.rollout("reverting")["order"] == []
    answer = end(ledger, app1={"version": "2.0.0"}, app2={}, app3={}, app4={})
    assert (answer["succeeded"], answer["outcome"]) == (False, "aborted")


def test_pausing_twice_changes_once(ledger):
    assert [ledger.rollout("paused")["changed"] for _time in range(2)] == [True, False]
    assert [ledger.rollout("resumed")["changed"] for _time in range(2)] == [True, False]


def test_there_must_be_something_to_pause(ledger):
    all_go(ledger)
    end(ledger)
    assert refusal(ledger.rollout, "paused") == (
        "shop: no rollout is under way that could be paused; the last one, of 2.0.0, is done."
    )
    assert refusal(LedgerClient("cart").rollout, "paused") == "cart: no rollout is under way that could be paused."


def test_the_status_screen(ledger):
    ledger.go("app1")
    ledger.admit("app2")
    ledger.host("changing", "app2", step="update")
    assert ledger.info()["text"] == [
        "shop: 2.0.0 forward, open",
        "  held by ops on laptop since 2026-09-21 14:13:20 UTC, last heartbeat 2026-09-21 14:13:20 UTC",
        "host  zone  phase     step    from   to     error",
        "app1  -     proven    -       1.0.0  2.0.0  -",
        "app2  -     changing  update  1.0.0  2.0.0  -",
        "app3  -     waiting   -       1.0.0  2.0.0  -",
        "app4  -     waiting   -       1.0.0  2.0.0  -",
        "still drained by this rollout: app2 since 2026-09-21 14:13:20 UTC",
    ]


def test_an_empty_ledger_is_reported():
    assert LedgerClient().info()["text"] == ["no rollout is recorded here"]
