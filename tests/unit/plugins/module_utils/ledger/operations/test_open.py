# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening: which rollout a run works on, and the answer to it."""

from __future__ import annotations

import pytest
from support.ledger_client import DRAINED, LedgerClient, fleet, pool

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError


@pytest.fixture
def ledger():
    return LedgerClient()


def rolled(ledger, version="2.0.0", before="1.0.0", count=4):
    """A rollout from beginning to end."""
    ledger.open(version)
    ledger.plan(fleet(count, version=before))
    for number in range(1, count + 1):
        ledger.go(f"app{number}", version)
    return ledger.rollout("concluded", hosts=fleet(count, version=version))


def failed(ledger, version="3.0.0", kind="health", before="1.0.0", **policy):
    ledger.open(version)
    ledger.plan(fleet(4, version=before), policy=policy)
    ledger.go("app1", version)
    ledger.admit("app2")
    return ledger.host("failed", "app2", kind=kind, error="HTTP 500")


def refusal(ledger, *arguments, **options):
    with pytest.raises(RolloutError) as caught:
        ledger.open(*arguments, **options)
    return caught.value.message


def test_the_answer_to_a_run(ledger):
    opened = ledger.open()
    assert opened["token"] == 1
    assert opened["resumed"] is False
    assert opened["in_flight"] == []
    assert opened["previous_owner"] is None
    assert opened["msg"] == "shop: opened the rollout of 2.0.0 (open)"
    assert (opened["version"], opened["direction"], opened["status"]) == ("2.0.0", "forward", "open")


def test_the_same_version_goes_on(ledger):
    first = ledger.open()
    second = ledger.open(take_over=True)
    assert second["rollout"] == first["rollout"]
    assert second["msg"] == "shop: resumed the rollout of 2.0.0 (open)"
    assert second["previous_owner"]["run"] == first["run"]


def test_another_version_starts_a_new_rollout(ledger):
    """Invariant 16: it inherits no place, no proof and no gate of the first."""
    ledger.open()
    ledger.plan(fleet(4), policy={"stages": ["2", "100%"], "gate": True})
    ledger.go("app1")
    ledger.go("app2")
    opened = ledger.open("2.0.1", take_over=True)
    assert opened["resumed"] is False
    hosts = fleet(4)
    hosts[0]["version"] = hosts[1]["version"] = "2.0.0"
    plan = ledger.plan(hosts, policy={"stages": ["2", "100%"], "gate": True})
    assert plan["order"] == ["app1", "app2", "app3", "app4"]
    assert [row["stage"] for row in plan["plan"]] == [1, 1, 2, 2]
    assert ledger.info()["gates"] == []
    assert [rollout["status"] for rollout in ledger.info()["rollouts"]] == ["open", "superseded"]


def test_who_takes_over_gets_the_hosts_in_flight(ledger):
    ledger.open()
    ledger.plan(fleet(4))
    ledger.admit("app1")
    ledger.host("changing", "app1", step="update")
    first = ledger.run
    opened = ledger.open(take_over=True)
    assert opened["in_flight"] == [
        {
            "host": "app1",
            "member": "app1",
            "phase": "changing",
            "step": "update",
            "run": first,
            "version": "2.0.0",
            "since": "2026-09-21 14:13:20 UTC",
        }
    ]


def test_a_run_that_was_proven_dead_is_replaced_but_only_that_one(ledger):
    first = ledger.open()
    assert "is being run by ops" in refusal(ledger, owner_gone=True, previous_run="another")
    assert ledger.open(owner_gone=True, previous_run=first["run"])["resumed"] is True


def test_a_bad_version_is_refused_until_it_is_asked_for_again(ledger):
    """Invariant 9."""
    failed(ledger)
    ledger.rollout("reverting")
    ledger.rollout("concluded", hosts=fleet(4))
    assert refusal(ledger, "3.0.0") == (
        "shop: 3.0.0 is marked bad since 2026-09-21 14:13:20 UTC (app2 failed (health: HTTP 500)). Roll out another "
        "version, or try this one again with -e rollout_allow_bad=true."
    )
    assert ledger.open("3.0.0", allow_bad=True)["bad"] == []


@pytest.mark.parametrize("kind", ["unreachable", "drain", "balancer", "release", "restore", "step", "guard"])
def test_a_version_is_not_blamed_for_what_it_did_not_do(ledger, kind):
    failed(ledger, kind=kind)
    assert ledger.info()["bad"] == []


def test_a_version_that_a_whole_fleet_has_proven_is_not_bad_for_one_host(ledger):
    rolled(ledger)
    ledger.open("2.0.0")
    hosts = fleet(4, version="2.0.0")
    hosts[1]["healthy"] = False
    ledger.plan(hosts)
    ledger.admit("app2")
    answer = ledger.host("failed", "app2", kind="health", error="disk broken")
    assert (answer["stop"], answer["go_back"]) == (True, False)
    assert ledger.info()["bad"] == []


def test_a_rollout_that_was_going_back_goes_on_going_back(ledger):
    """Invariant 14."""
    failed(ledger)
    ledger.rollout("reverting")
    opened = ledger.open("3.0.0", take_over=True)
    assert (opened["resumed"], opened["status"]) == (True, "reverting")


def test_a_rollout_that_was_about_to_be_rolled_back_is_rolled_back(ledger):
    """Invariant 14."""
    failed(ledger)
    assert ledger.open("3.0.0", take_over=True)["status"] == "reverting"


def test_a_rollout_that_stopped_for_another_reason_goes_forward_again(ledger):
    failed(ledger, kind="unreachable")
    opened = ledger.open("3.0.0", take_over=True)
    assert (opened["resumed"], opened["status"]) == (True, "open")


def test_held_on_failure_it_has_to_be_decided(ledger):
    failed(ledger, on_failure="hold")
    assert ledger.rollout("reverting")["order"] == []
    assert "3.0.0 is marked bad" in refusal(ledger, "3.0.0", take_over=True)
    assert ledger.open("3.0.0", take_over=True, resume="revert")["status"] == "reverting"


def test_a_pause_survives_the_run(ledger):
    ledger.open()
    ledger.plan(fleet(4))
    ledger.rollout("paused")
    assert ledger.open(take_over=True)["status"] == "paused"


def test_there_must_be_something_to_revert(ledger):
    assert refusal(ledger, resume="revert") == (
        "shop: no unfinished rollout to revert: there was none yet. To leave a finished version, run rollback.yml."
    )
    rolled(ledger)
    assert refusal(ledger, resume="revert") == (
        "shop: no unfinished rollout to revert: the last one, of 2.0.0, is done. To leave a finished version, run "
        "rollback.yml."
    )


def test_forward_needs_a_version(ledger):
    assert refusal(ledger, None) == "version: needed to open a rollout."


def test_a_rollback_needs_something_to_leave(ledger):
    assert refusal(ledger, None, direction="back") == (
        "shop: this ledger has rolled out nothing yet, so there is no version to leave; name the version to go to with "
        "-e rollout_version=..."
    )


def test_a_rollback_goes_to_what_each_host_had_and_no_further(ledger):
    """Invariant 9."""
    rolled(ledger)
    rolled(ledger, "3.0.0", before="2.0.0")
    ledger.open(None, direction="back")
    plan = ledger.plan(fleet(4, version="3.0.0"))
    assert {row["to"] for row in plan["plan"]} == {"2.0.0"}
    for number in range(1, 5):
        ledger.admit(f"app{number}")
        ledger.host("reverted", f"app{number}", version="2.0.0")
    assert ledger.rollout("concluded", hosts=fleet(4, version="2.0.0"))["succeeded"] is True
    ledger.open(None, direction="back")
    plan = ledger.plan(fleet(4, version="2.0.0"))
    assert plan["text"] == ["shop: nothing to do for the rollback from 3.0.0, 4 hosts are already on it"]


def test_a_rollback_to_a_version_that_was_never_proven_is_refused(ledger):
    """Invariant 9."""
    rolled(ledger)
    ledger.open("1.5.0", direction="back")
    with pytest.raises(InputError) as caught:
        ledger.plan(fleet(4, version="2.0.0"))
    assert caught.value.message == (
        "shop: 1.5.0 was never proven in service on app1, app2, app3, app4, so there is no proven version to roll back to; name a "
        "version proven there, or roll a good version forward."
    )


def test_a_rollback_to_a_bad_version_is_refused(ledger):
    """Invariant 9."""
    failed(ledger)
    assert "3.0.0 is marked bad" in refusal(ledger, "3.0.0", direction="back", take_over=True)


def test_a_revert_of_a_second_version_goes_to_the_first(ledger):
    """Invariants 9 and 16: hosts that were on 2.0.0 return to it, the others to 1.0.0."""
    ledger.open()
    ledger.plan(fleet(4))
    ledger.go("app1")
    ledger.open("3.0.0", take_over=True)
    hosts = fleet(4)
    hosts[0]["version"] = "2.0.0"
    ledger.plan(hosts)
    ledger.go("app1", "3.0.0")
    ledger.go("app2", "3.0.0")
    ledger.admit("app3")
    ledger.host("failed", "app3", kind="start", error="exit code 1")
    ledger.host("reverted", "app3", version="1.0.0")
    assert ledger.rollout("reverting")["targets"] == {"app1": "2.0.0", "app2": "1.0.0"}


def test_recover_leaves_the_unfinished_rollout_alone(ledger):
    ledger.open()
    hosts = fleet(4)
    ledger.plan(hosts, balancers=[pool(hosts)])
    ledger.admit("app1")
    opened = ledger.open(None, direction="recover", take_over=True)
    assert (opened["direction"], opened["resumed"]) == ("recover", False)
    hosts[0]["healthy"] = False
    plan = ledger.plan(hosts, balancers=[pool(hosts, app1=DRAINED)])
    assert plan["order"] == []
    assert plan["excluded"] == [{"host": "app1", "why": "not healthy"}]
    end = ledger.rollout("concluded", hosts=hosts, balancers=[pool(hosts, app1=DRAINED)])
    assert (end["succeeded"], end["left_out"]) == (False, ["app1"])
    assert ledger.open()["resumed"] is True


def test_a_refused_start_gives_the_lease_back_and_keeps_what_was_unfinished(ledger):
    ledger.open()
    ledger.plan(fleet(4))
    ledger.go("app1")
    first = ledger.open(take_over=True)
    end = ledger.rollout("concluded", refused="lb2 does not answer")
    assert (end["succeeded"], end["outcome"]) == (False, "refused")
    assert end["message"] == "shop: nothing was started: lb2 does not answer"
    again = ledger.open()
    assert (again["rollout"], again["resumed"]) == (first["rollout"], True)


def test_check_mode_takes_no_lease(ledger):
    ledger.open()
    ledger.ledger.check_mode = True
    rehearsal = ledger.rollout("opened", version="2.0.0")
    assert (rehearsal["run"], rehearsal["token"], rehearsal["resumed"]) == ("", 0, True)
    assert rehearsal["previous_owner"]["owner"]["user"] == "ops"
    assert ledger.info()["services"][0]["token"] == 1


def test_services_do_not_know_each_other(ledger):
    ledger.open()
    other = LedgerClient("cart", ledger.store)
    assert other.open()["token"] == 1
    assert [found["service"] for found in ledger.info(service=None)["services"]] == ["cart", "shop"]


def incomplete(ledger):
    """Three of four hosts are on 2.0.0 and the fourth was drained by somebody else; the run ended."""
    policy = {"max_unavailable": "2"}
    ledger.open()
    hosts = fleet(4)
    ledger.plan(hosts, policy=policy, balancers=[pool(hosts, app4=DRAINED)])
    for name in ("app1", "app2", "app3"):
        ledger.go(name)
    hosts = [{**host, "version": "1.0.0" if host["name"] == "app4" else "2.0.0"} for host in hosts]
    return hosts, ledger.rollout("concluded", hosts=hosts, balancers=[pool(hosts, app4=DRAINED)])


def test_a_rerun_after_an_incomplete_run_goes_on_and_all_its_hosts_go_back(ledger):
    """Invariant 14."""
    hosts, end = incomplete(ledger)
    assert end["outcome"] == "incomplete"
    opened = ledger.open()
    assert (opened["resumed"], opened["status"]) == (True, "open")
    plan = ledger.plan(hosts, balancers=[pool(hosts)])
    assert (plan["order"], plan["up_to_date"]) == (["app4"], ["app1", "app2", "app3"])
    ledger.admit("app4")
    ledger.host("failed", "app4", kind="health", error="HTTP 500")
    ledger.host("reverted", "app4", version="1.0.0")
    assert ledger.rollout("reverting")["order"] == ["app1", "app2", "app3"]


def test_a_rollout_gone_back_from_is_not_gone_on_with(ledger):
    incomplete(ledger)
    hosts = fleet(4)
    ledger.open(resume="revert")
    ledger.plan(fleet(4, version="2.0.0"))
    for name in ledger.rollout("reverting")["order"]:
        ledger.admit(name)
        ledger.host("reverted", name, version="1.0.0")
    assert ledger.rollout("concluded", hosts=hosts)["outcome"] == "reverted"
    assert ledger.open()["resumed"] is False


def test_a_revert_is_no_success_while_hosts_serve_the_version_left(ledger):
    """Invariant 15: 2.0.0 came to app1 to app3 before this ledger knew of it."""
    ledger.open()
    hosts = fleet(4, version="2.0.0")
    hosts[3]["version"] = "1.0.0"
    ledger.plan(hosts)
    ledger.open(take_over=True, resume="revert")
    ledger.plan(hosts)
    assert ledger.rollout("reverting")["order"] == []
    end = ledger.rollout("concluded", hosts=hosts)
    assert (end["succeeded"], end["outcome"]) == (False, "reverted")
    assert end["message"] == (
        "shop: 2.0.0 rolled back: the operator asked for a rollback. No host had to be rolled back. Still on 2.0.0: "
        "app1, app2, app3; to roll these back, run rollback.yml. Fix the cause, then run again."
    )


def test_a_refused_start_of_another_version_keeps_the_unfinished_rollout(ledger):
    """Invariant 14."""
    ledger.open()
    ledger.plan(fleet(4))
    ledger.go("app1")
    first = ledger.open("3.0.0", take_over=True)
    assert first["resumed"] is False
    ledger.rollout("concluded", refused="min_available means that no host could be drained")
    hosts = fleet(4)
    hosts[0]["version"] = "2.0.0"
    assert ledger.open("2.0.0")["resumed"] is True
    ledger.open("3.0.0", take_over=True)
    ledger.rollout("concluded", refused="min_available means that no host could be drained")
    ledger.open("3.0.0", resume="revert")
    ledger.plan(hosts)
    assert ledger.rollout("reverting")["order"] == ["app1"]


def test_a_start_that_died_before_its_plan_keeps_the_unfinished_rollout(ledger):
    """Invariant 14."""
    first = ledger.open()
    ledger.plan(fleet(4))
    ledger.go("app1")
    ledger.open("3.0.0", take_over=True)
    assert ledger.open("2.0.0", take_over=True)["rollout"] == first["rollout"]


def test_a_refused_version_is_not_the_one_that_a_rollback_leaves(ledger):
    """Invariant 9."""
    rolled(ledger)
    ledger.open("3.0.0")
    ledger.rollout("concluded", refused="lb2 does not answer")
    ledger.open(None, direction="back")
    assert {row["to"] for row in ledger.plan(fleet(4, version="2.0.0"))["plan"]} == {"1.0.0"}
