# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are healthy, unchanged and drained by us go back into service, whichever ledger has drained them."""

from __future__ import annotations

import typing as t

import pytest
from support.ledger_client import DRAINED, LedgerClient, fleet, pool

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError


@pytest.fixture
def ledger() -> LedgerClient:
    """app1 was drained, then lb1 stopped answering: it could be restored on lb2 alone, and got stuck."""
    client = LedgerClient()
    client.open()
    client.plan(fleet(4), balancers=nodes())
    client.admit("app1")
    client.host("changing", "app1", step="drain", limit=60, modifies=False)
    client.host("failed", "app1", kind="drain", error="lb1 does not answer")
    client.host("stuck", "app1", kind="balancer", error="lb1 does not answer")
    return client


def nodes(**of_lb1: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    return [pool(fleet(4), **of_lb1), pool(fleet(4), "lb2")]


def test_a_stuck_host_that_was_not_changed_is_named_by_balancer_and_then_rolled_back(ledger):
    ledger.rollout("reverting")
    found = ledger.rollout("restorable", hosts=fleet(4), balancers=nodes(app1=DRAINED))
    assert (found["restorable"], found["changed"]) == ({"lb1": ["app1"]}, False)
    assert found["msg"] == "shop: app1 can be restored"
    end = ledger.rollout("concluded", hosts=fleet(4), balancers=nodes())
    assert (end["outcome"], end["left_out"], end["restorable"]) == ("reverted", [], {})
    assert end["report"][0]["outcome"] == "rolled back (drain)"


def test_what_was_not_restored_is_still_named_at_the_end(ledger):
    ledger.rollout("reverting")
    end = ledger.rollout("concluded", hosts=fleet(4), balancers=nodes(app1=DRAINED))
    assert (end["outcome"], end["left_out"], end["restorable"]) == ("failed", ["app1"], {"lb1": ["app1"]})


@pytest.mark.parametrize(
    "wrong", [{"healthy": False}, {"healthy": None}, {"version": "2.0.0"}, {"version": "1.0.0; reboot"}]
)
def test_a_host_that_is_not_healthy_on_a_proven_version_stays_drained(ledger, wrong):
    hosts = fleet(4)
    hosts[0].update(wrong)
    found = ledger.rollout("restorable", hosts=hosts, balancers=nodes(app1=DRAINED))
    # A health check that reports no version cannot contradict what no step has changed.
    assert found["restorable"] == ({"lb1": ["app1"]} if "reboot" in str(wrong) else {})


def test_a_host_that_may_be_half_updated_stays_drained():
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(4), balancers=nodes())
    ledger.admit("app1")
    ledger.host("changing", "app1", step="update", limit=60)
    ledger.host("failed", "app1", kind="start", error="x")
    ledger.host("stuck", "app1", kind="restore", error="x")
    assert ledger.rollout("restorable", hosts=fleet(4), balancers=nodes(app1=DRAINED))["restorable"] == {}


@pytest.mark.parametrize(("step", "left_out"), [("drain", []), ("update", ["app1"])])
def test_a_host_that_reports_no_version_counts_as_restored_only_where_nothing_was_changed(step, left_out):
    """Invariant 12: in rotation and healthy is no proof of the version."""
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(4), balancers=nodes())
    ledger.admit("app1")
    ledger.host("changing", "app1", step=step, limit=60, modifies=step == "update")
    ledger.host("failed", "app1", kind="start", error="x")
    ledger.host("stuck", "app1", kind="restore", error="x")
    hosts = fleet(4)
    hosts[0]["version"] = None
    assert ledger.rollout("concluded", hosts=hosts, balancers=nodes())["left_out"] == left_out


def test_nothing_counts_as_back_while_a_balancer_is_silent(ledger):
    """Invariant 12: it may still have the host drained."""
    ledger.rollout("reverting")
    silent = [pool(fleet(4)), {"host": "lb2", "unreachable": "no answer"}]
    assert ledger.rollout("concluded", hosts=fleet(4), balancers=silent)["left_out"] == ["app1"]


def test_what_an_operator_has_drained_is_not_ours_to_restore(ledger):
    """Invariant 12."""
    found = ledger.rollout("restorable", hosts=fleet(4), balancers=nodes(app1=DRAINED, app2=DRAINED))
    assert found["restorable"] == {"lb1": ["app1"]}


CLAIM = {"host": "lb1", "ledger": "5e1f", "coordinator": "keeper", "drained": ["app1", "app2"]}


def test_who_takes_over_from_another_ledger_gets_its_drained_hosts():
    """Its advice was once to lower the minimum: the hosts were taken for an operator's."""
    ledger = LedgerClient()
    ledger.open()
    policy = {"min_available": "75%", "max_unavailable": "1"}
    with pytest.raises(InputError, match="app1"):
        ledger.plan(fleet(4), balancers=nodes(app1=DRAINED), policy=policy)
    plan = ledger.plan(fleet(4), balancers=nodes(app1=DRAINED), policy=policy, taken_over=[CLAIM])
    assert plan["order"] == ["app1", "app2", "app3", "app4"]
    assert plan["text"][-1] == (
        "note: app1 was drained by another coordinator, keeper (ledger 5e1f); this run has taken over and returns it to "
        "service"
    )
    assert ledger.admit("app1")["drained_by_us"] is True
    assert [left["host"] for left in ledger.info()["left_out"]] == ["app1"]


def test_what_no_claim_names_was_drained_by_somebody_else():
    """Invariant 12."""
    ledger = LedgerClient()
    ledger.open()
    policy = {"min_available": "1", "max_unavailable": "2"}
    plan = ledger.plan(fleet(4), balancers=nodes(app3=DRAINED), policy=policy, taken_over=[CLAIM])
    assert plan["excluded"] == [{"host": "app3", "why": "drained on lb1 by somebody else"}]
    assert ledger.info()["left_out"] == []


def test_what_restore_timers_did_since_is_on_record_and_in_the_plan():
    ledger = LedgerClient()
    ledger.open()
    reports = [
        {"host": "lb1", "at": 5.0, "member": "app1", "outcome": "restored", "why": "no heartbeat"},
        {"host": "lb1", "at": 5.0, "member": "app2", "outcome": "left_changing", "why": "it was being changed"},
    ]
    plan = ledger.plan(fleet(4), timer_reports=reports)
    assert plan["text"][-2:] == [
        "note: app1: the restore timer on lb1 has put it back in service: no heartbeat",
        "note: app2: the restore timer on lb1 has not restored it: it was being changed",
    ]
    found = [event for event in ledger.info()["events"] if event["kind"] == "restore_timer"]
    assert [(event["host"], event["data"]["outcome"]) for event in found] == [
        ("app1", "restored"),
        ("app2", "left_changing"),
    ]
