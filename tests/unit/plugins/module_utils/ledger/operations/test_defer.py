# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that objects to losing a host: its slot goes to others, and the run ends where that lasts for too long."""

from __future__ import annotations

import pytest
from support.ledger_client import DRAINED, LedgerClient, fleet, pool

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

POLICY = {"max_unavailable": "1", "min_available": "1"}
SET = {"name": "replica set 1", "hosts": ["app1", "app2"], "max_out": 1}
SAID = "postgresql: app3 does not stream"
STILL = f"app1 was left unchanged because of an objection that lasted 60 s (rollout_veto_wait): {SAID}"


@pytest.fixture
def ledger() -> LedgerClient:
    return LedgerClient()


def planned(ledger, count=3, **policy):
    ledger.open()
    return ledger.plan(fleet(count), balancers=[pool(fleet(count))], policy={**POLICY, **policy})


def defer(ledger, host, said=SAID, **options):
    return ledger.host("deferred", host, error=said, **{"wait": "60", "poll": "10", **options})


def row(ledger, host):
    return next(found for found in ledger.info()["hosts"] if found["host"] == host)


def events(ledger, kind):
    return [event for event in ledger.info(limit=100)["events"] if event["kind"] == kind]


def seen(done, count=3):
    return [{**host, "version": "2.0.0" if host["name"] in done else "1.0.0"} for host in fleet(count)]


def test_a_host_that_is_deferred_gives_its_slot_to_the_next_and_counts_as_in_service(ledger):
    """Invariant 3."""
    planned(ledger)
    assert ledger.admit("app1")["verdict"] == "go"
    assert ledger.admit("app2")["verdict"] == "wait"
    deferred = defer(ledger, "app1")
    assert (deferred["verdict"], deferred["msg"]) == ("wait", f"app1: deferred, {SAID}")
    assert ledger.info()["left_out"] == []
    assert ledger.admit("app1")["reason"] == SAID
    gone = ledger.admit("app2")
    assert (gone["verdict"], gone["slot"]) == ("go", 1)


def test_who_was_deferred_is_admitted_again_after_a_while(ledger):
    planned(ledger)
    ledger.admit("app1")
    defer(ledger, "app1")
    answer = ledger.admit("app1")
    assert (answer["verdict"], answer["waiting_for"]) == ("wait", "veto")
    ledger.fake.move(10)
    assert ledger.admit("app1")["verdict"] == "go"


def test_a_deferred_host_does_not_hold_up_later_ones_in_the_plan(ledger):
    planned(ledger)
    ledger.admit("app1")
    defer(ledger, "app1")
    before = ledger.fake.time
    assert ledger.admit("app2", timeout=60.0)["verdict"] == "go"
    assert ledger.fake.time == before


def objected_for(ledger, host, seconds):
    """The last answer to objections that follow each other."""
    answer = {}
    for dummy in range(0, seconds + 1, 10):
        assert ledger.admit(host)["verdict"] == "go"
        answer = defer(ledger, host)
        ledger.fake.move(10)
    return answer


def test_an_objection_for_longer_than_it_is_waited_for_ends_the_run_with_all_hosts_in_service(ledger):
    """Invariants 6 and 14: nothing is rolled back, and the next run goes on."""
    planned(ledger)
    ledger.go("app2")
    assert objected_for(ledger, "app1", 50)["verdict"] == "wait"
    assert ledger.admit("app1")["verdict"] == "go"
    ended = defer(ledger, "app1")
    assert (ended["verdict"], ended["reason"]) == ("stop", STILL)
    for host in ("app1", "app3"):
        assert (ledger.admit(host)["verdict"], ledger.admit(host)["reason"]) == ("stop", STILL)
    assert ledger.rollout("reverting")["order"] == []
    concluded = ledger.rollout("concluded", hosts=seen(["app2"]), balancers=[pool(fleet(3))])
    assert (concluded["outcome"], concluded["reason_kind"], concluded["left_out"]) == ("incomplete", "veto", [])
    assert concluded["message"] == (
        f"shop: 2.0.0 is not complete ({STILL}); 1 of 3 hosts are in service on 2.0.0. "
        "Run the same command again once there is no objection."
    )
    assert ledger.open()["resumed"]
    again = ledger.plan(seen(["app2"]), balancers=[pool(fleet(3))], policy=POLICY)
    assert again["order"] == ["app1", "app3"]
    assert ledger.go("app1")["phase"] == "proven"


def test_a_consent_between_two_objections_starts_the_time_again(ledger):
    planned(ledger)
    objected_for(ledger, "app1", 50)
    ledger.admit("app1")
    ledger.host("changing", "app1", step="fence", modifies=False)
    ledger.host("failed", "app1", kind="unreachable", error="connection reset")
    assert ledger.store.connection.execute("SELECT vetoed_at FROM host WHERE name = 'app1'").fetchone()[0] is None


TURN = "postgresql: app1 is the primary and is changed last; app2 is still to be changed"


def test_a_host_that_only_waits_for_its_turn_is_waited_for_while_others_go_on(ledger):
    planned(ledger, 100, max_unavailable="2")
    for number in range(2, 92):
        ledger.admit("app1")
        assert defer(ledger, "app1", TURN, counts=False)["verdict"] == "wait"
        ledger.fake.move(10)
        ledger.go(f"app{number}")


def test_a_primary_without_a_worker_for_its_replicas_waited_for_them_for_ever(ledger):
    """With one fork nobody else is ever asked for."""
    planned(ledger)
    for dummy in range(61):
        ledger.admit("app1")
        assert defer(ledger, "app1", TURN, counts=False)["verdict"] == "wait"
        ledger.fake.move(10)
    ledger.admit("app1")
    assert defer(ledger, "app1", TURN, counts=False)["reason"] == (
        f"app1 was left unchanged because of an objection that lasted 610 s (rollout_progress_deadline): {TURN}"
    )


def test_an_objection_is_an_event_once(ledger):
    planned(ledger)
    objected_for(ledger, "app1", 50)
    assert [event["data"] for event in events(ledger, "deferred")] == [{"objection": SAID}]


def test_the_last_word_of_the_caller_ends_the_run_at_once(ledger):
    planned(ledger)
    ledger.admit("app1")
    ledger.host("changing", "app1", step="veto", modifies=False)
    assert defer(ledger, "app1", last_word=True)["reason"] == STILL


def test_the_progress_deadline_does_not_end_what_an_objection_of_its_own_limit_holds_up(ledger):
    """A weak host is repaired first: the others wait for it while somebody objects."""
    hosts = fleet(3)
    hosts[0]["healthy"] = False
    ledger.open()
    ledger.plan(hosts, balancers=[pool(hosts)], policy=POLICY)
    for dummy in range(130):
        assert ledger.admit("app1")["verdict"] == "go"
        assert defer(ledger, "app1", wait="1h")["verdict"] == "wait"
        assert ledger.admit("app2")["waiting_for"] == "weakest"
        ledger.fake.move(10)


def test_only_a_host_that_was_admitted_and_not_changed_is_deferred(ledger):
    planned(ledger)
    with pytest.raises(RolloutError) as caught:
        defer(ledger, "app1")
    assert caught.value.message == (
        "app1: cannot be deferred, because the ledger has it as waiting; only a host that was admitted in this "
        "run and that no step has changed can be deferred."
    )
    ledger.admit("app1")
    ledger.host("changing", "app1", step="update")
    with pytest.raises(RolloutError, match="the ledger has it as changing"):
        defer(ledger, "app1")


def test_a_host_that_an_interrupted_run_left_drained_stays_on_the_list(ledger):
    """Invariant 14."""
    planned(ledger)
    ledger.admit("app1")
    ledger.fake.move(3000)
    ledger.open()
    ledger.plan(fleet(3), balancers=[pool(fleet(3), app1=DRAINED)], policy=POLICY)
    assert ledger.admit("app1")["drained_by_us"]
    defer(ledger, "app1")
    assert [left["host"] for left in ledger.info()["left_out"]] == ["app1"]
    assert row(ledger, "app1")["lb_state"] == "drained_by_us"


def failing(ledger):
    """2.0.0 is on app1 and app2 and bad on app3, so both are to be rolled back."""
    planned(ledger)
    ledger.go("app1")
    ledger.go("app2")
    ledger.admit("app3")
    ledger.host("failed", "app3", kind="health", error="HTTP 500")
    assert sorted(ledger.rollout("reverting")["order"]) == ["app1", "app2"]


def test_in_a_rollback_the_host_stays_as_it_is_and_the_others_go_on(ledger):
    failing(ledger)
    ledger.host("reverted", "app3", version="1.0.0")
    assert objected_for(ledger, "app1", 60)["verdict"] == "stop"
    stuck = row(ledger, "app1")
    assert (stuck["phase"], stuck["lb_state"]) == ("stuck", "in_service")
    assert ledger.admit("app2")["verdict"] == "go"
    ledger.host("reverted", "app2", version="1.0.0")
    hosts = [{**host, "version": "2.0.0" if host["name"] == "app1" else "1.0.0"} for host in fleet(3)]
    concluded = ledger.rollout("concluded", hosts=hosts, balancers=[pool(fleet(3))])
    assert concluded["touched"] == ["app1", "app2", "app3"]
    assert "app1 stuck (veto: app1 was left unchanged" in concluded["message"]


def test_never_two_of_one_replica_set(ledger):
    """Invariant 3, for a group of hosts."""
    planned(ledger, 4, max_unavailable="3")
    assert ledger.admit("app1", quorums=[SET])["remaining"] == ["app2"]
    answer = ledger.admit("app2", quorums=[SET])
    assert (answer["verdict"], answer["waiting_for"]) == ("wait", "quorum")
    assert answer["reason"] == "app1 of replica set 1 is out of service, and at most 1 may be"
    assert ledger.admit("app3", quorums=[SET])["verdict"] == "go"
    ledger.host("proven", "app1", version="2.0.0")
    last = ledger.admit("app2", quorums=[SET])
    assert (last["verdict"], last["remaining"]) == ("go", [])


def test_a_set_that_lacks_a_host_for_good_is_left_as_it_is(ledger):
    ledger.open()
    ledger.plan(fleet(4), balancers=[pool(fleet(4), app1=DRAINED)], policy={**POLICY, "max_unavailable": "3"})
    refused = ledger.admit("app2", quorums=[SET])
    assert (refused["verdict"], refused["phase"]) == ("stop", "excluded")
    assert refused["reason"] == (
        "app1 of replica set 1 is out of service, and at most 1 may be, and no recovery is in progress"
    )


def test_a_host_to_be_repaired_does_not_wait(ledger):
    """A primary that is down would wait for its replicas, and they for it: the weakest go first."""
    hosts = fleet(2)
    hosts[0]["healthy"] = False
    ledger.open()
    ledger.plan(hosts, balancers=[pool(hosts)], policy=POLICY)
    assert ledger.admit("app1", quorums=[SET])["remaining"] == []
    assert ledger.admit("app1", quorums=[SET])["remaining"] == []


@pytest.mark.parametrize("wrong", ["x", {"name": "a"}, {**SET, "max_out": 0}, {**SET, "hosts": [1]}])
def test_a_quorum_that_is_not_understood_is_refused(ledger, wrong):
    planned(ledger)
    with pytest.raises(InputError) as caught:
        ledger.admit("app1", quorums=[wrong])
    assert caught.value.message == (
        f"quorums: {wrong!r} is not of the form {{name: replica set 1, hosts: [db1, db2, db3], max_out: 1}}; expected a name, "
        "hosts, and at least 1 for max_out."
    )
