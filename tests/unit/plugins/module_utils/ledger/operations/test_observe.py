# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watch reports, and what becomes of a rollout whose proven hosts fail (invariant 17)."""

from __future__ import annotations

import typing as t

import pytest
from support.ledger_client import DOWN, DRAINED, UP, LedgerClient, fleet, pool

BAD = [{"name": "app1", "healthy": False, "why": "HTTP 500"}]


@pytest.fixture
def ledger() -> LedgerClient:
    """app1 is proven, app2 is admitted, app3 and app4 wait."""
    client = LedgerClient()
    client.open()
    client.plan(fleet(4), balancers=[pool(fleet(4))], policy={"max_unavailable": "2"})
    client.go("app1")
    client.admit("app2")
    return client


def seen(**changes: t.Any) -> list[dict[str, t.Any]]:
    """app2 is being changed; the others are in service, except as *changes* say."""
    return [pool(fleet(4), **{"app2": DRAINED, **changes})]


def test_a_release_that_fails_after_its_proof_stops_the_rollout_and_is_bad(ledger):
    answers = [ledger.watch(hosts=BAD, balancers=seen()) for dummy in range(3)]
    said = (
        "app1 failed (health: proven 2026-09-21 14:13:20 UTC, then 3 of the last 3 observations failed, last: HTTP 500)"
    )
    assert [answer["messages"] for answer in answers] == [[], [], [said]]
    assert (answers[-1]["stop"], answers[-1]["status"], answers[-1]["reason"]) == (True, "failing", said)
    assert ledger.admit("app3")["reason"] == f"the rollout of 2.0.0 is stopped: {said}"
    assert [bad["version"] for bad in ledger.info()["bad"]] == ["2.0.0"]
    ledger.host("failed", "app2", kind="health", error="HTTP 500")
    ledger.host("reverted", "app2", version="1.0.0")
    back = ledger.rollout("reverting")
    assert (back["order"], back["targets"]) == (["app1"], {"app1": "1.0.0"})


def test_a_host_on_a_version_that_failed_after_its_proof_is_not_put_back_into_service(ledger):
    """Invariant 9: it was proven there, and is marked bad since."""
    for dummy in range(3):
        ledger.watch(hosts=BAD, balancers=seen())
    ledger.host("failed", "app2", kind="health", error="HTTP 500")
    ledger.host("reverted", "app2", version="1.0.0")
    ledger.rollout("reverting")
    ledger.admit("app1")
    ledger.open(None, direction="recover", take_over=True)
    hosts = fleet(4)
    hosts[0]["version"] = "2.0.0"
    plan = ledger.plan(hosts, balancers=[pool(hosts, app1=DRAINED)])
    assert (plan["order"], plan["excluded"]) == ([], [{"host": "app1", "why": "2.0.0 is marked bad"}])


def test_a_member_that_its_balancer_takes_out_is_a_failure_at_once(ledger):
    answer = ledger.watch(balancers=seen(app1=DOWN))
    assert answer["reason"] == "app1 failed (health: proven 2026-09-21 14:13:20 UTC, then down on lb1)"
    assert ledger.phases()["app1"] == "failed"


def test_a_failure_after_proof_is_within_the_budget_and_counts_as_out_of_service():
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(6), policy={"max_unavailable": "2", "max_failures": "1", "min_available": "0"})
    ledger.go("app1")
    answer = ledger.watch(balancers=[pool(fleet(6), app1=DOWN)])
    assert (answer["stop"], answer["done"]) == (False, 0)
    assert ledger.admit("app2")["slot"] == 1
    assert ledger.admit("app3")["reason"] == "2 of at most 2 hosts are out of service"


def test_what_was_read_before_the_proof_does_not_count(ledger):
    ledger.fake.move(10)
    ledger.host("proven", "app2", version="2.0.0")
    ledger.fake.move(1)
    answer = ledger.watch(balancers=[pool(fleet(4), app2=DOWN)], read_at=ledger.fake.time - 2)
    assert (answer["stop"], ledger.phases()["app2"]) == (False, "proven")
    assert ledger.watch(balancers=[pool(fleet(4), app2=DOWN)], read_at=ledger.fake.time - 0.5)["stop"] is True


@pytest.mark.parametrize("state", [DOWN, DRAINED])
def test_what_was_read_before_the_proof_does_not_count_however_late_its_report_comes(ledger, state):
    """On a busy machine hosts that had just been proven were called drained by somebody else."""
    read_at = ledger.watch(balancers=seen())["now"]
    ledger.fake.move(10)
    ledger.host("proven", "app2", version="2.0.0")
    ledger.fake.move(30)
    answer = ledger.watch(balancers=seen(app2=state), read_at=read_at)
    assert (answer["stop"], answer["messages"], ledger.phases()["app2"]) == (False, [], "proven")


def test_a_host_that_is_proven_again_begins_without_earlier_observations(ledger):
    for dummy in range(2):
        ledger.watch(hosts=BAD, balancers=seen())
    hosts = fleet(4)
    hosts[0].update(healthy=False, version="2.0.0")
    ledger.open(take_over=True)
    ledger.plan(hosts, balancers=seen())
    ledger.go("app1")
    ledger.fake.move(1)
    assert ledger.watch(hosts=BAD, balancers=seen())["stop"] is False


def test_an_operators_drain_is_an_event_and_no_failure(ledger):
    answer = ledger.watch(balancers=seen(app1=DRAINED, app3=DRAINED))
    assert answer["stop"] is False
    assert answer["messages"] == [
        "app1: drained on lb1 by somebody else",
        "app3: drained on lb1 by somebody else; it is skipped",
    ]
    assert ledger.phases() == {"app1": "proven", "app2": "admitted", "app3": "excluded", "app4": "waiting"}
    assert ledger.admit("app4")["reason"] == "3 of at most 2 hosts are out of service"
    assert ledger.admit("app3")["reason"] == "app3 has nothing to do: it is skipped: drained on lb1 by somebody else"
    assert ledger.watch(balancers=seen())["messages"] == ["app1: in service again", "app3: in service again"]


def test_a_host_that_waits_and_goes_down_is_not_waited_for(ledger):
    """Its worker may not have been started: waiting for it would be for ever."""
    ledger.host("proven", "app2", version="2.0.0")
    ledger.watch(balancers=[pool(fleet(4), app4=DOWN)])
    assert ledger.admit("app3")["verdict"] == "go"


def test_the_answer_says_what_is_in_flight_and_what_to_observe(ledger):
    ledger.host("changing", "app2", step="drain", limit=60, modifies=False)
    ledger.fake.move(4)
    answer = ledger.watch(hosts=[{"name": "app1", "healthy": True}], balancers=seen())
    assert answer["in_flight"] == [
        {"host": "app2", "phase": "admitted", "step": "drain", "seconds": 4, "limit": 60, "version": "2.0.0"}
    ]
    assert answer["observe"] == {"app1": "2.0.0"}
    assert (answer["waiting"], answer["done"], answer["total"], answer["holds_lease"]) == (2, 1, 4, True)


def test_with_a_watch_no_step_holds_the_lease_in_advance(ledger):
    ledger.watch(balancers=seen())
    ledger.host("changing", "app2", step="update", limit=3600)
    ledger.fake.move(61)
    assert ledger.info()["services"][0]["is_held"] is False


def test_without_a_watch_a_declared_step_holds_the_lease(ledger):
    ledger.host("changing", "app2", step="update", limit=3600)
    ledger.fake.move(3500)
    assert ledger.info()["services"][0]["is_held"] is True


def test_a_watch_that_is_gone_is_replaced_by_declared_steps(ledger):
    ledger.watch(balancers=seen())
    ledger.fake.move(16)
    ledger.host("changing", "app2", step="update", limit=3600)
    ledger.fake.move(3500)
    assert ledger.info()["services"][0]["is_held"] is True


def test_a_run_that_lost_the_lease_is_refused_and_records_only_its_attempt(ledger):
    run, token = ledger.run, ledger.token
    ledger.open(take_over=True, owner={"user": "ann", "controller": "desktop"})
    ledger.run, ledger.token = run, token
    phases, events = ledger.phases(), ledger.info()["chain"]["events"]
    answer = ledger.watch(hosts=BAD, balancers=seen(app1=DOWN))
    assert (answer["holds_lease"], answer["stop"], answer["observe"]) == (False, True, {})
    assert answer["msg"].startswith("lease lost: shop is now held by ann on desktop since ")
    assert ledger.watch(hosts=BAD, balancers=seen(app1=DOWN)) == answer
    assert (ledger.phases(), ledger.info()["chain"]["events"]) == (phases, events + 1)


def test_a_failing_candidate_host_fails_the_shift():
    ledger = LedgerClient()
    hosts = fleet(4)
    nodes = [pool(hosts, **{host["name"]: {**UP, "weight": 100} for host in hosts})]
    ledger.open()
    groups = {"main": ["app1", "app2"], "canary": ["app3", "app4"]}
    shift = {"strategy": "canary", "groups": groups, "candidate": "canary", "steps": [{"share": 100}]}
    ledger.plan(hosts, balancers=nodes, shift=shift)
    idle = {"admin": "in_service", "operational": "up", "in_rotation": False, "weight": 0}
    nodes = [
        pool(hosts, app1={**UP, "weight": 100}, app2={**UP, "weight": 100}, app3=idle, app4=idle),
    ]
    ledger.shift(balancers=nodes, hosts=hosts)
    ledger.shift(balancers=nodes, hosts=hosts)
    ledger.go("app3")
    assert ledger.watch(balancers=nodes)["stop"] is False
    failing = [pool(hosts, app3={**idle, "operational": "down"}, app4=idle)]
    assert ledger.watch(balancers=failing)["stop"] is True
    assert ledger.shift(balancers=nodes, hosts=hosts)["status"] == "reverting"


def test_a_host_whose_release_cannot_be_staged_stays_in_service():
    """It was never admitted, so nothing was taken out of service."""
    ledger = LedgerClient()
    ledger.open()
    plan = ledger.plan(fleet(4), balancers=[pool(fleet(4))], policy={"max_failures": "1"})
    assert plan["targets"] == dict.fromkeys(["app1", "app2", "app3", "app4"], "2.0.0")
    failed = ledger.host("failed", "app1", kind="release", error="files/shop-2.0.0.tar.gz not found.")
    assert failed["msg"] == ("app1 failed (release: files/shop-2.0.0.tar.gz not found); it stayed in service on 1.0.0")
    assert (failed["go_back"], failed["stop"], failed["was_changed"]) == (False, False, False)
    host = ledger.info()["hosts"][0]
    assert (host["phase"], host["lb_state"], host["kind"]) == ("failed", "in_service", "release")
    assert ledger.info()["bad"] == []
    assert ledger.admit("app2")["slot"] == 1


def test_the_time_out_of_service_is_what_was_measured():
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(4), balancers=[pool(fleet(4))])
    ledger.admit("app1")
    ledger.fake.move(30)
    ledger.host("changing", "app1", step="update", limit=60, out_for=2.0)
    ledger.fake.move(5)
    answer = ledger.host("proven", "app1", version="2.0.0", drained_for=0.5)
    assert answer["msg"] == "app1 in service on 2.0.0, drained 0.5 s, out for 7.0 s (1/4)"
    ledger.admit("app2")
    ledger.fake.move(30)
    answer = ledger.host("proven", "app2", version="2.0.0", drained_for=0.5, out_for=6.5)
    assert answer["msg"] == "app2 in service on 2.0.0, drained 0.5 s, out for 6.5 s (2/4)"


def test_a_host_that_no_step_has_modified_gets_no_files_back():
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(4), balancers=[pool(fleet(4))], policy={"max_failures": "2"})
    ledger.admit("app1")
    ledger.host("changing", "app1", step="drain", limit=60, modifies=False)
    assert ledger.host("failed", "app1", kind="drain", error="x")["was_changed"] is False
    ledger.host("reverted", "app1", version="1.0.0")
    ledger.admit("app2")
    ledger.host("changing", "app2", step="update", limit=60)
    ledger.host("changing", "app2", step="health", limit=60, modifies=False)
    assert ledger.host("failed", "app2", kind="health", error="x")["was_changed"] is True
