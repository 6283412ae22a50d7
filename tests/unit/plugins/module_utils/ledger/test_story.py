# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole rollouts, verb by verb."""

from __future__ import annotations

import pytest
from support.ledger_client import DOWN, DRAINED, OWNER, LedgerClient, fleet, pool

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import migrations, versions


@pytest.fixture
def ledger() -> LedgerClient:
    return LedgerClient()


def concluded(ledger: LedgerClient, version: str = "2.0.0", count: int = 4, **changed: str) -> dict:
    hosts = [{**host, "version": changed.get(host["name"], version)} for host in fleet(count)]
    return ledger.rollout("concluded", hosts=hosts, balancers=[pool(hosts)])


def planned(ledger: LedgerClient, count: int = 4, **options) -> dict:
    hosts = fleet(count)
    return ledger.plan(hosts, balancers=[pool(hosts)], **options)


def test_a_good_rollout(ledger):
    ledger.open()
    plan = planned(ledger, policy={"stages": ["1", "100%"]})
    assert plan["order"] == ["app1", "app2", "app3", "app4"]
    assert plan["stages"] == [1, 4]
    assert [row["stage"] for row in plan["plan"]] == [1, 2, 2, 2]
    assert ledger.admit("app1")["verdict"] == "go"
    assert ledger.admit("app2")["msg"] == "app2: wait, 1 of at most 1 hosts are out of service"
    ledger.host("changing", "app1", step="update", limit=100)
    ledger.fake.move(20)
    assert ledger.host("proven", "app1", version="2.0.0", drained_for=1.5)["msg"] == (
        "app1 in service on 2.0.0, drained 1.5 s, out for 20.0 s (1/4)"
    )
    for name in ("app2", "app3", "app4"):
        ledger.go(name)
    end = concluded(ledger)
    assert end["succeeded"] is True
    assert end["message"] == "shop: all 4 hosts are in service on 2.0.0."
    chain = ledger.info()["chain"]
    assert (chain["intact"], chain["broken_at"], chain["events"]) == (True, None, 14)
    assert ledger.info()["holder"] is None


def test_a_bad_release_is_restored(ledger):
    ledger.open("3.0.0")
    planned(ledger)
    ledger.go("app1", "3.0.0")
    ledger.admit("app2")
    answer = ledger.host("failed", "app2", kind="health", error="HTTP 500")
    assert answer["go_back"] is True
    assert answer["target"] == {"version": "1.0.0", "revision": ""}
    assert answer["stop"] is True
    assert answer["reason"] == "app2 failed (health: HTTP 500)"
    assert ledger.admit("app3")["msg"] == (
        "app3: stop, the rollout of 3.0.0 is stopped: app2 failed (health: HTTP 500)"
    )
    ledger.host("reverted", "app2", version="1.0.0")
    back = ledger.rollout("reverting")
    assert back["order"] == ["app1"]
    assert ledger.admit("app1")["target"] == {"version": "1.0.0", "revision": ""}
    ledger.host("reverted", "app1", version="1.0.0")
    end = concluded(ledger, "1.0.0")
    assert end["succeeded"] is False
    assert end["outcome"] == "reverted"
    assert end["message"] == (
        "shop: 3.0.0 rolled back: app2 failed (health: HTTP 500). The 2 changed hosts "
        "serve 1.0.0 again and 3.0.0 is marked bad. Roll out a corrected version."
    )
    with pytest.raises(RolloutError, match=r"3.0.0 is marked bad since"):
        ledger.open("3.0.0")


def test_a_balancer_lost_while_a_host_returns_holds_everything_as_it_is(ledger):
    ledger.open()
    planned(ledger)
    ledger.go("app1")
    ledger.admit("app2")
    ledger.host("changing", "app2", step="update")
    answer = ledger.host("failed", "app2", kind="balancer", error="lb2 is silent")
    assert answer["go_back"] is False
    assert answer["reason"] == "app2 failed (balancer: lb2 is silent)"
    assert ledger.rollout("reverting")["order"] == []
    assert ledger.phases() == {"app1": "proven", "app2": "failed", "app3": "waiting", "app4": "waiting"}
    assert concluded(ledger, "2.0.0")["outcome"] == "failed"


def test_a_balancer_lost_before_anything_was_changed_sends_the_host_back(ledger):
    ledger.open()
    planned(ledger)
    ledger.admit("app1")
    assert ledger.host("failed", "app1", kind="balancer", error="lb2 is silent")["go_back"] is True


def test_a_crash_and_one_more_run(ledger):
    ledger.open()
    planned(ledger)
    ledger.go("app1")
    ledger.admit("app2", limit=30)
    first_run = ledger.run
    with pytest.raises(RolloutError, match="is being run by ops on laptop"):
        ledger.open()
    ledger.fake.move(61)
    opened = ledger.open()
    assert opened["resumed"] is True
    assert [left["host"] for left in opened["in_flight"]] == ["app2"]
    hosts = fleet(4)
    hosts[0]["version"] = "2.0.0"
    plan = ledger.plan(hosts, balancers=[pool(hosts, app2=DRAINED)])
    assert plan["order"] == ["app2", "app3", "app4"]
    answer = ledger.admit("app2")
    assert (answer["verdict"], answer["drained_by_us"], answer["interrupted_run"]) == ("go", True, first_run)
    ledger.host("proven", "app2", version="2.0.0")
    ledger.go("app3")
    ledger.go("app4")
    assert concluded(ledger)["succeeded"] is True


def test_what_an_operator_drained_is_left_alone(ledger):
    ledger.open()
    hosts = fleet(4)
    plan = ledger.plan(hosts, policy={"max_unavailable": "2"}, balancers=[pool(hosts, app4=DRAINED)])
    assert plan["excluded"] == [{"host": "app4", "why": "drained on lb1 by somebody else"}]
    assert plan["order"] == ["app1", "app2", "app3"]
    ledger.admit("app1")
    assert ledger.admit("app2")["reason"] == "2 of at most 2 hosts are out of service"


def test_going_back_when_asked(ledger):
    ledger.open()
    planned(ledger)
    ledger.go("app1")
    ledger.admit("app2")
    ledger.open(take_over=True, resume="revert")
    hosts = fleet(4)
    hosts[0]["version"] = "2.0.0"
    plan = ledger.plan(hosts, balancers=[pool(hosts, app2=DRAINED)])
    assert plan["order"] == []
    assert ledger.rollout("reverting")["order"] == ["app2", "app1"]
    for name in ("app2", "app1"):
        assert ledger.admit(name)["verdict"] == "go"
        ledger.host("reverted", name, version="1.0.0")
    end = concluded(ledger, "1.0.0")
    assert end["succeeded"] is True
    assert end["outcome"] == "reverted"


def test_rollback_leaves_the_last_version(ledger):
    ledger.open()
    planned(ledger)
    for number in range(1, 5):
        ledger.go(f"app{number}")
    concluded(ledger)
    ledger.open(None, direction="back")
    hosts = fleet(4, version="2.0.0")
    plan = ledger.plan(hosts, balancers=[pool(hosts)])
    assert {row["to"] for row in plan["plan"]} == {"1.0.0"}
    for number in range(1, 5):
        ledger.go(f"app{number}", "1.0.0")
    assert concluded(ledger, "1.0.0")["succeeded"] is True
    ledger.open(None, direction="back")
    hosts = fleet(4)
    assert ledger.plan(hosts, balancers=[pool(hosts)])["nothing_to_do"] is True


def test_a_rollback_that_stopped_is_not_rolled_back_itself(ledger):
    """Invariant 14."""
    ledger.open()
    planned(ledger)
    for number in range(1, 5):
        ledger.go(f"app{number}")
    concluded(ledger)
    ledger.open(None, direction="back")
    hosts = fleet(4, version="2.0.0")
    ledger.plan(hosts, balancers=[pool(hosts)])
    ledger.go("app1", "1.0.0")
    ledger.admit("app2")
    ledger.host("stuck", "app2", kind="health", error="it does not answer")
    answer = ledger.rollout("reverting")
    assert (answer["order"], answer["status"]) == ([], "failing")


def test_recover_puts_back_what_we_left(ledger):
    ledger.open()
    planned(ledger)
    ledger.admit("app1")
    ledger.open(None, direction="recover", take_over=True)
    hosts = fleet(4)
    plan = ledger.plan(hosts, balancers=[pool(hosts, app1=DRAINED, app2=DRAINED)])
    assert plan["order"] == ["app1"]
    assert plan["excluded"] == [{"host": "app2", "why": "drained on lb1 by somebody else"}]
    assert ledger.admit("app1")["target"] == {"version": "1.0.0", "revision": ""}
    ledger.host("proven", "app1", version="1.0.0")
    end = ledger.rollout("concluded", hosts=hosts, balancers=[pool(hosts, app2=DRAINED)])
    assert end["message"] == "shop: 1 host put back in service; no host is still drained by this rollout."
    assert ledger.open()["resumed"] is True


def test_a_host_that_cannot_be_recovered_does_not_keep_the_others_out(ledger):
    hosts = fleet(6)
    ledger.open()
    ledger.plan(hosts, balancers=[pool(hosts)], policy={"max_unavailable": "2"})
    for name in ("app1", "app2"):
        ledger.admit(name)
        ledger.host("changing", name, step="drain", limit=60, modifies=False)
    ledger.open(None, direction="recover", take_over=True)
    left = [pool(hosts, app1=DRAINED, app2=DRAINED)]
    ledger.plan(hosts, balancers=left, policy={"max_unavailable": "2", "max_failures": "0"})
    ledger.admit("app1")
    ledger.host("failed", "app1", kind="health", error="it does not answer")
    ledger.host("stuck", "app1", kind="health", error="it does not answer")
    assert ledger.admit("app2")["verdict"] == "go"


def test_a_proven_host_that_an_operator_drained_and_put_on_another_version_is_proven_no_more(ledger):
    """Invariant 15."""
    hosts = fleet(6)
    ledger.open()
    ledger.plan(hosts, balancers=[pool(hosts)], policy={"max_unavailable": "2"})
    ledger.go("app1")
    ledger.open(take_over=True)
    plan = ledger.plan(hosts, balancers=[pool(hosts, app1=DRAINED)], policy={"max_unavailable": "2"})
    assert plan["excluded"] == [{"host": "app1", "why": "drained on lb1 by somebody else"}]


def test_weakest_first(ledger):
    ledger.open()
    hosts = fleet(6)
    hosts[4]["healthy"] = False
    plan = ledger.plan(hosts, balancers=[pool(hosts, app5=DOWN)], policy={"max_unavailable": "2"})
    assert plan["order"][0] == "app5"
    assert ledger.admit("app1")["reason"] == "1 host that is down, unknown or half-updated is repaired first"
    assert ledger.admit("app5")["verdict"] == "go"
    assert ledger.admit("app1")["verdict"] == "go"


def test_a_place_is_left_for_a_moment_to_hosts_earlier_in_the_plan(ledger):
    """Whoever asked first went first: the canary was another one than the plan had shown."""
    ledger.open()
    ledger.plan(fleet(4), policy={"max_unavailable": 1, "stages": [1, "100%"]})
    asked_at = ledger.fake.time
    ledger.fake.at(asked_at + 0.3, lambda: ledger.admit("app1"))
    answer = ledger.admit("app3", timeout=5)
    assert (answer["verdict"], answer["waiting_for"]) == ("wait", "max_unavailable")
    assert ledger.phases()["app1"] == "admitted"
    assert answer["waits"][0]["waiting_for"] == "order"


def test_a_slot_that_no_earlier_host_takes_is_not_lost(ledger):
    """Hosts earlier in the plan may have no worker, or be gone."""
    ledger.open()
    ledger.plan(fleet(4), policy={"max_unavailable": 1})
    assert ledger.admit("app3", timeout=5)["verdict"] == "go"


def test_a_lost_host_keeps_the_last_one_of_its_zone_in_service(ledger):
    ledger.open()
    hosts = fleet(4, zones=("a", "b"))
    ledger.plan(hosts, balancers=[pool(hosts)], policy={"max_unavailable": "2", "max_failures": "1"})
    ledger.admit("app1")
    ledger.host("failed", "app1", kind="unreachable", error="no answer")
    refused = "1 in service in zone a, minimum is 1, and no recovery is in progress"
    assert ledger.admit("app3")["reason"] == refused
    ledger.go("app2")
    ledger.go("app4")
    seen = [dict(host, version="1.0.0" if host["name"] == "app3" else "2.0.0") for host in hosts]
    message = ledger.rollout("concluded", hosts=seen, balancers=[pool(hosts, app1=DRAINED)])["message"]
    assert f"app3 skipped: {refused}" in message
    assert message.endswith("Fix the cause and run again to resume, or roll back with -e rollout_resume=revert.")


def test_gates(ledger):
    ledger.open()
    planned(ledger, policy={"stages": ["1", "100%"], "gate": True})
    ledger.go("app1")
    answer = ledger.admit("app2")
    assert answer["verdict"] == "gate"
    assert ledger.admit("app3")["reason"] == "app2 is running the gate of stage 1"
    ledger_gate(ledger, answer["gate"], "pass")
    for name in ("app2", "app3", "app4"):
        ledger.go(name)
    ledger_gate(ledger, {"stage": 2, "claim": None}, "no_data", reason="nothing scraped")
    assert ledger.rollout("reverting")["order"] == []
    assert ledger.rollout("reverting")["reason"] == "the gate of stage 2: no_data: nothing scraped"


def ledger_gate(ledger, gate, verdict, **options):
    from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.gate import judge_gate

    params = {"service": "shop", "run": ledger.run, "token": ledger.token, "verdict": verdict, **options}
    return judge_gate(ledger.ledger, {**params, "stage": gate["stage"], "claim": gate["claim"]})


def test_check_mode_plans_without_a_lease(ledger):
    ledger.ledger.check_mode = True
    plan = planned(ledger, version="2.0.0", owner=OWNER)
    assert plan["order"] == ["app1", "app2", "app3", "app4"]
    assert ledger.info()["rollouts"] == []


def lost_in_rotation(ledger: LedgerClient) -> list[dict]:
    """app1 got the new version and came back into rotation, but its worker died before it could report."""
    ledger.open()
    planned(ledger, policy={"max_failures": "1", "max_unavailable": "2", "min_available": "1"})
    ledger.admit("app1")
    ledger.host("changing", "app1", step="update")
    for name in ("app2", "app3", "app4"):
        ledger.go(name)
    assert concluded(ledger)["outcome"] == "incomplete"
    return fleet(4, version="2.0.0")


def test_a_failed_host_in_rotation_on_the_new_version_is_rolled_back(ledger):
    """Invariant 14."""
    hosts = lost_in_rotation(ledger)
    ledger.open(resume="revert")
    ledger.plan(hosts, balancers=[pool(hosts)])
    assert ledger.rollout("reverting")["order"] == ["app1", "app2", "app3", "app4"]


def test_a_revert_that_leaves_a_failed_host_on_the_new_version_is_no_success(ledger):
    """Invariant 15."""
    hosts = lost_in_rotation(ledger)
    ledger.open(resume="revert")
    ledger.plan(hosts, balancers=[pool(hosts)])
    ledger.rollout("reverting", reachable_hosts=["app2", "app3", "app4"])
    for name in ("app2", "app3", "app4"):
        ledger.admit(name)
        ledger.host("reverted", name, version="1.0.0")
    end = concluded(ledger, "1.0.0", app1="2.0.0")
    assert (end["succeeded"], end["outcome"]) == (False, "failed")
    assert "app1 stuck (lost: not reachable in this run)" in end["message"]


def test_no_host_waits_for_one_that_is_lost_to_the_run(ledger):
    """Invariant 14: the others go back at once, the lost one is named."""
    ledger.open()
    hosts = fleet(6)
    ledger.plan(hosts, balancers=[pool(hosts)], policy={"max_unavailable": "2", "min_available": "1"})
    ledger.go("app1")
    ledger.go("app2")
    ledger.admit("app3", limit=60)
    ledger.fake.move(61)
    back = ledger.rollout("reverting", reachable_hosts=["app1", "app2", "app4", "app5", "app6"])
    assert back["order"] == ["app1", "app2"]
    assert ledger.phases()["app3"] == "stuck"
    assert ledger.admit("app1")["verdict"] == "go"


def test_a_host_that_is_lost_on_its_way_back_is_stuck_and_not_failed_once_more(ledger):
    """Invariant 14."""
    ledger.open()
    hosts = fleet(6)
    ledger.plan(hosts, balancers=[pool(hosts)], policy={"max_unavailable": "2", "min_available": "1"})
    ledger.go("app1")
    ledger.go("app2")
    ledger.open(resume="revert", take_over=True)
    ledger.plan(hosts, balancers=[pool(hosts)])
    ledger.rollout("reverting")
    assert ledger.admit("app1", limit=60)["verdict"] == "go"
    ledger.fake.move(61)
    ledger.admit("app2")
    assert ledger.phases()["app1"] == "stuck"


def test_a_host_whose_rollback_never_began_was_booked_as_rolled_back_and_stayed_on_the_bad_version(ledger):
    """Invariant 14: the same command, run again, brings it back."""
    ledger.open()
    planned(ledger, count=2)
    ledger.go("app1")
    ledger.open(resume="revert", take_over=True)
    hosts = fleet(2)
    hosts[0]["version"] = "2.0.0"
    ledger.plan(hosts, balancers=[pool(hosts)])
    ledger.rollout("reverting")
    assert ledger.admit("app1", limit=60)["verdict"] == "go"
    ledger.fake.move(61)
    end = concluded(ledger, "1.0.0", 2, app1="2.0.0")
    assert (end["succeeded"], end["left_out"], ledger.phases()["app1"]) == (False, [], "stuck")
    ledger.open(resume="revert")
    ledger.plan(hosts, balancers=[pool(hosts)])
    assert ledger.rollout("reverting")["order"] == ["app1"]


def test_a_host_that_vanished_during_a_revert_and_serves_the_version_left_is_a_failure(ledger):
    """Invariant 15."""
    ledger.open()
    planned(ledger, policy={"max_unavailable": "2", "min_available": "1"})
    ledger.admit("app1")
    ledger.admit("app2")
    ledger.host("failed", "app2", kind="health", error="HTTP 500")
    ledger.host("reverted", "app2", version="1.0.0")
    assert ledger.rollout("reverting")["order"] == []
    end = concluded(ledger, "1.0.0", app1="2.0.0")
    assert (end["succeeded"], end["outcome"]) == (False, "failed")


def test_a_host_back_in_service_owes_nothing_to_the_run_that_left_it(ledger):
    ledger.open()
    planned(ledger)
    ledger.admit("app1")
    ledger.open(take_over=True)
    hosts = fleet(4)
    ledger.plan(hosts, balancers=[pool(hosts, app1=DRAINED)])
    ledger.go("app1")
    ledger.admit("app2")
    ledger.host("failed", "app2", kind="health", error="HTTP 500")
    ledger.host("reverted", "app2", version="1.0.0")
    assert ledger.rollout("reverting")["order"] == ["app1"]
    answer = ledger.admit("app1")
    assert (answer["verdict"], answer["drained_by_us"], answer["interrupted_run"]) == ("go", False, None)


def test_a_fleet_whose_health_reports_no_version_is_updated_once_and_is_done(ledger):
    """Such as one that is checked by TCP alone."""
    hosts = [{**host, "version": None} for host in fleet(4)]
    ledger.open()
    plan = ledger.plan(hosts, balancers=[pool(hosts)])
    assert {row["condition"] for row in plan["plan"]} == {"healthy"}
    ledger.go("app1")
    ledger.open(take_over=True)
    assert ledger.plan(hosts, balancers=[pool(hosts)])["order"] == ["app2", "app3", "app4"]
    for name in ("app2", "app3", "app4"):
        ledger.go(name)
    end = ledger.rollout("concluded", hosts=hosts, balancers=[pool(hosts)])
    assert (end["succeeded"], end["message"]) == (True, "shop: all 4 hosts are in service on 2.0.0.")
    ledger.open()
    assert ledger.plan(hosts, balancers=[pool(hosts)])["nothing_to_do"] is True


def test_a_rollback_of_a_fleet_whose_health_reports_no_version_rolls_back_every_host(ledger):
    """Invariant 9."""
    hosts = [{**host, "version": None} for host in fleet(4)]
    for version in ("1.0.0", "2.0.0"):
        ledger.open(version)
        ledger.plan(hosts, balancers=[pool(hosts)])
        for number in range(1, 5):
            ledger.go(f"app{number}", version)
        ledger.rollout("concluded", hosts=hosts, balancers=[pool(hosts)])
    ledger.open(None, direction="back")
    plan = ledger.plan(hosts, balancers=[pool(hosts)])
    assert [(row["from"], row["to"]) for row in plan["plan"]] == [("2.0.0", "1.0.0")] * 4


def late(ledger):
    """app1 takes longer than it said; it is given up while its worker is still at it."""
    ledger.open()
    planned(ledger)
    ledger.admit("app1", limit=60)
    ledger.host("changing", "app1", step="update", limit=60)
    ledger.fake.move(61)
    ledger.admit("app2")
    assert ledger.phases()["app1"] == "failed"


@pytest.mark.parametrize("kind", ["health", "step", "coordinator"])
def test_a_host_that_was_given_up_and_then_fails_is_rolled_back_all_the_same(ledger, kind):
    """Invariant 14."""
    late(ledger)
    with pytest.raises(RolloutError, match="app1: cannot become changing, the ledger has it as failed"):
        ledger.host("changing", "app1", step="restart")
    answer = ledger.host("failed", "app1", kind=kind, error="too late")
    assert (answer["go_back"], answer["target"], answer["was_changed"]) == (
        True,
        {"version": "1.0.0", "revision": ""},
        True,
    )
    assert ledger.host("reverted", "app1", version="1.0.0")["phase"] == "reverted"


@pytest.mark.parametrize("kind", ["unreachable", "balancer"])
def test_a_host_that_was_given_up_and_cannot_be_judged_is_not_sent_back(ledger, kind):
    late(ledger)
    assert ledger.host("failed", "app1", kind=kind, error="no answer")["go_back"] is False


def with_revision(ledger: LedgerClient, revision: str, version: str = "1.0.0", count: int = 2) -> dict:
    """A whole rollout of a revision on hosts whose health answers tell their version alone."""
    ledger.open(version, revision=revision)
    hosts = fleet(count, version=version)
    plan = ledger.plan(hosts, balancers=[pool(hosts)])
    for name in plan["order"]:
        ledger.admit(name)
        ledger.host("changing", name, step="update", limit=100)
        ledger.host("proven", name, version=version, revision=revision)
    return concluded(ledger, version, count)


def test_another_revision_makes_a_host_outdated_and_the_same_one_does_not():
    """A changed configuration ended in "nothing to do", exit 0."""
    ledger = LedgerClient()
    assert with_revision(ledger, "7")["message"] == "shop: all 2 hosts are in service on 1.0.0 revision 7."
    assert with_revision(ledger, "8")["message"] == "shop: all 2 hosts are in service on 1.0.0 revision 8."
    ledger.open("1.0.0", revision="8")
    plan = planned(ledger, 2)
    assert plan["text"][0] == "shop: nothing to do for 1.0.0 revision 8, 2 hosts are already on it"


def test_a_rollout_without_a_revision_keeps_that_of_each_host():
    ledger = LedgerClient()
    with_revision(ledger, "7")
    ledger.open("2.0.0")
    plan = planned(ledger, 2)
    assert [(row["from"], row["to"]) for row in plan["plan"]] == [("1.0.0 revision 7", "2.0.0 revision 7")] * 2
    for name in plan["order"]:
        assert ledger.admit(name)["target"] == {"version": "2.0.0", "revision": "7"}
        ledger.host("proven", name, version="2.0.0", revision="7")
    assert concluded(ledger, "2.0.0", 2)["succeeded"] is True
    ledger.open("2.0.0")
    assert ledger.plan(fleet(2, version="2.0.0"))["nothing_to_do"] is True


def test_a_bad_revision_is_rolled_back_to_the_one_before_and_the_version_is_not_bad():
    """Invariant 9 counts for both: what was proven together comes back together."""
    ledger = LedgerClient()
    with_revision(ledger, "7")
    ledger.open("1.0.0", revision="8")
    planned(ledger, 2)
    ledger.admit("app1")
    ledger.host("changing", "app1", step="update", limit=100)
    answer = ledger.host("failed", "app1", kind="health", error="HTTP 500")
    assert (answer["go_back"], answer["target"]) == (True, {"version": "1.0.0", "revision": "7"})
    ledger.host("reverted", "app1", version="1.0.0", revision="7")
    ledger.rollout("reverting")
    concluded(ledger, "1.0.0", 2)
    assert [entry["version"] for entry in ledger.info()["bad"]] == ["1.0.0 revision 8"]
    with pytest.raises(RolloutError, match=r"shop: 1\.0\.0 revision 8 is marked bad since"):
        ledger.open("1.0.0", revision="8")
    with_revision(ledger, "9")


def test_a_host_that_was_left_between_two_revisions_is_not_taken_for_either():
    ledger = LedgerClient()
    with_revision(ledger, "7")
    ledger.open("1.0.0", revision="8")
    planned(ledger, 2)
    ledger.admit("app1")
    ledger.host("changing", "app1", step="update", limit=100)
    ledger.fake.move(1000)
    ledger.open("1.0.0", revision="8")
    hosts = fleet(2)
    plan = ledger.plan(hosts, balancers=[pool(hosts, app1=DRAINED)])
    assert [(row["host"], row["condition"], row["to"]) for row in plan["plan"]] == [
        ("app1", "half_updated", "1.0.0 revision 8"),
        ("app2", "healthy", "1.0.0 revision 8"),
    ]


def test_a_host_between_two_revisions_was_put_back_into_service_by_the_version_that_both_have():
    """Invariant 10: neither this run nor an operator's hand makes it one that is verified."""
    ledger = LedgerClient()
    with_revision(ledger, "7")
    ledger.open("1.0.0", revision="8")
    planned(ledger, 2)
    ledger.admit("app1")
    ledger.host("changing", "app1", step="update", limit=100)
    ledger.fake.move(1000)
    ledger.open("1.0.0", revision="8")
    hosts = fleet(2)
    for balancers in ([pool(hosts, app1=DRAINED)], [pool(hosts)]):
        ledger.plan(hosts, balancers=balancers)
        assert ledger.rollout("restorable", hosts=hosts, balancers=balancers)["restorable"] == {}
    assert ledger.rollout("concluded", hosts=hosts, balancers=[pool(hosts)])["left_out"] == ["app1"]


def test_a_host_that_reports_another_revision_than_was_proven_is_outdated():
    ledger = LedgerClient()
    with_revision(ledger, "7")
    ledger.open("1.0.0", revision="7")
    hosts = [{**host, "revision": revision} for host, revision in zip(fleet(2), ("7", "6"))]
    plan = ledger.plan(hosts, balancers=[pool(hosts)])
    assert plan["up_to_date"] == ["app1"]
    assert [(row["from"], row["to"]) for row in plan["plan"]] == [("1.0.0 revision 6", "1.0.0 revision 7")]


def test_a_rollback_leaves_the_revision_and_goes_to_the_one_proven_before():
    ledger = LedgerClient()
    with_revision(ledger, "7")
    with_revision(ledger, "8")
    ledger.open(None, direction="back")
    plan = planned(ledger, 2)
    assert plan["text"][0] == "shop: 2 of 2 hosts back from 1.0.0 revision 8 to 1.0.0 revision 7"
    ledger.admit("app1")
    with pytest.raises(
        RolloutError, match=r"app1: reported in service on 1\.0\.0, but its target is 1\.0\.0 revision 7"
    ):
        ledger.host("reverted", "app1", version="1.0.0")


def test_the_status_shows_version_and_revision():
    ledger = LedgerClient()
    with_revision(ledger, "7")
    rollout = ledger.info()["services"][0]["rollout"]
    assert (rollout["version"], rollout["revision"], rollout["what"]) == ("1.0.0", "7", "1.0.0 revision 7")


def test_a_contract_counts_the_version_whatever_the_revision():
    host = migrations.Host(rollout=1, name="app1", phase="waiting", target_version="1.0.0 revision 7")
    boundary = migrations.Boundary(
        id=1, service="shop", database="db", rollout=1, version="2.0.0", forbidden='["1.0.0"]', lost="", at=0.0
    )
    found = migrations.crossing([host], [boundary], reverting=False)
    assert found is not None
    assert found.version == "1.0.0"


def drilled(ledger: LedgerClient, kind: str = "health", error: str = versions.ON_PURPOSE) -> dict:
    """The version that runs already, once more: app1 fails, and is rolled back 7 s later."""
    ledger.open()
    planned(ledger)
    for name in ("app1", "app2", "app3", "app4"):
        ledger.go(name)
    concluded(ledger)
    ledger.open("2.0.0", revision=versions.DRILL)
    hosts = fleet(4, version="2.0.0")
    plan = ledger.plan(hosts, balancers=[pool(hosts)], policy={"max_unavailable": "50%", "max_failures": "2"})
    assert (plan["order"][0], plan["max_unavailable"]) == ("app1", 1)
    ledger.admit("app1")
    ledger.host("changing", "app1", step="update", limit=100)
    assert ledger.host("failed", "app1", kind=kind, error=error)["target"] == {"version": "2.0.0", "revision": ""}
    assert ledger.admit("app2")["verdict"] == "stop"
    ledger.fake.move(7)
    ledger.host("reverted", "app1", version="2.0.0", out_for=12.5)
    assert ledger.rollout("reverting")["order"] == []
    return concluded(ledger)


def test_a_drill_passes_where_the_host_that_failed_on_purpose_is_back(ledger):
    end = drilled(ledger)
    assert (end["succeeded"], end["outcome"], ledger.info()["bad"]) == (True, "reverted", [])
    assert end["message"] == (
        "shop: the drill of 2.0.0 has passed: app1 failed on purpose and was rolled back in 7.0 s; it was out of service for "
        "12.5 s in all. 3 other hosts stayed as they were. A release that never becomes healthy is noticed later, by "
        "rollout_healthy_deadline."
    )


def test_a_drill_does_not_pass_where_something_else_failed(ledger):
    end = drilled(ledger, "start", "the service does not start")
    assert (end["succeeded"], ledger.info()["bad"]) == (False, [])
    assert end["message"] == (
        "shop: 2.0.0 revision rollback-drill rolled back: app1 failed (start: the service does not start). The one changed "
        "host, app1, serves 2.0.0 again. Fix the cause, then run again."
    )


def test_a_rollback_after_a_drill_leaves_the_version_that_was_rolled_out(ledger):
    """It left the drill, which no host is on, and so changed nothing."""
    drilled(ledger)
    ledger.open(None, direction="back")
    hosts = fleet(4, version="2.0.0")
    plan = ledger.plan(hosts, balancers=[pool(hosts)])
    assert set(plan["targets"].values()) == {"1.0.0"}
