# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that may touch only a part of the fleet, and what the ledger keeps on the rest."""

from __future__ import annotations

import pytest
from support.ledger_client import DRAINED, LedgerClient, fleet, pool

POLICY = {"max_unavailable": "2", "min_available": "1"}


@pytest.fixture
def ledger() -> LedgerClient:
    return LedgerClient()


def limited(hosts, *names):
    """What a run under --limit reports: the others are not probed."""
    return [h if h["name"] in names else {**h, "in_scope": False, "healthy": None, "version": None} for h in hosts]


def serving(count, **versions):
    return [{**host, "version": versions.get(host["name"], "1.0.0")} for host in fleet(count)]


def killed(ledger):
    """Three of six hosts are on the new version and app4 is left drained in the middle of its update."""
    ledger.open()
    ledger.plan(fleet(6), balancers=[pool(fleet(6))], policy=POLICY)
    for name in ("app1", "app2", "app3"):
        ledger.go(name)
    ledger.admit("app4")
    ledger.host("changing", "app4", step="update")
    return serving(6, app1="2.0.0", app2="2.0.0", app3="2.0.0", app4="2.0.0")


def run_again(ledger, hosts, seen, **options):
    ledger.open(take_over=True, **options)
    return ledger.plan(hosts, balancers=[pool(seen, app4=DRAINED)], policy=POLICY)


def test_a_limited_revert_does_not_forget_what_the_rollout_did_to_the_other_hosts(ledger):
    """Invariant 14."""
    hosts = killed(ledger)
    run_again(ledger, limited(hosts, "app1"), hosts, resume="revert")
    assert ledger.rollout("reverting")["order"] == ["app1"]
    assert ledger.admit("app2")["reason"] == "app2 has nothing to do: it is not in scope"
    ledger.admit("app1")
    ledger.host("reverted", "app1", version="1.0.0")
    hosts[0]["version"] = "1.0.0"
    ledger.rollout("concluded", hosts=limited(hosts, "app1"), balancers=[pool(hosts, app4=DRAINED)])
    assert ledger.phases()["app4"] == "changing"
    run_again(ledger, hosts, hosts, resume="revert")
    assert ledger.rollout("reverting")["order"] == ["app4", "app2", "app3"]


def test_a_limited_rerun_keeps_what_a_later_revert_rolls_back(ledger):
    """Invariant 14."""
    hosts = killed(ledger)
    plan = run_again(ledger, limited(hosts, "app5"), hosts)
    assert (plan["order"], plan["up_to_date"], plan["stages"]) == (["app5"], [], [1])
    ledger.fake.move(1000)
    ledger.go("app5")
    hosts[4]["version"] = "2.0.0"
    run_again(ledger, hosts, hosts, resume="revert")
    assert ledger.rollout("reverting")["order"] == ["app4", "app1", "app2", "app3", "app5"]


def test_a_host_outside_of_a_limited_run_is_rolled_by_the_full_one(ledger):
    ledger.open()
    hosts = fleet(4)
    ledger.plan(limited(hosts, "app1"), balancers=[pool(hosts)], policy=POLICY)
    ledger.go("app1")
    hosts[0]["version"] = "2.0.0"
    ledger.open(take_over=True)
    plan = ledger.plan(hosts, balancers=[pool(hosts)], policy=POLICY)
    assert plan["order"] == ["app2", "app3", "app4"]
    assert [row["from"] for row in plan["plan"]] == ["1.0.0"] * 3


def test_what_failed_out_of_scope_does_not_use_up_the_budget_of_a_limited_run(ledger):
    policy = {**POLICY, "max_failures": "1"}
    ledger.open()
    hosts = fleet(4)
    ledger.plan(hosts, balancers=[pool(hosts)], policy=policy)
    ledger.admit("app1")
    ledger.host("failed", "app1", kind="unreachable", error="no route to host")
    ledger.open(take_over=True)
    ledger.plan(limited(hosts, "app2", "app3", "app4"), balancers=[pool(hosts, app1=DRAINED)], policy=policy)
    assert ledger.phases()["app1"] == "failed"
    ledger.admit("app2")
    assert ledger.host("failed", "app2", kind="unreachable", error="no route to host")["stop"] is False


def test_a_limited_success_names_whom_we_left_out_elsewhere(ledger):
    """Invariants 14 and 15."""
    ledger.open()
    hosts = fleet(4)
    ledger.plan(hosts, balancers=[pool(hosts)], policy=POLICY)
    ledger.admit("app4")
    run_again(ledger, limited(hosts, "app1"), hosts)
    ledger.go("app1")
    hosts[0]["version"] = "2.0.0"
    end = ledger.rollout("concluded", hosts=limited(hosts, "app1"), balancers=[pool(hosts, app4=DRAINED)])
    assert end["message"] == "shop: the one host is in service on 2.0.0. Still drained by this rollout: app4."


def test_a_limited_revert_names_whom_we_left_out_elsewhere(ledger):
    """Invariants 14 and 15."""
    hosts = killed(ledger)
    run_again(ledger, limited(hosts, "app1"), hosts, resume="revert")
    ledger.rollout("reverting")
    ledger.admit("app1")
    ledger.host("reverted", "app1", version="1.0.0")
    hosts[0]["version"] = "1.0.0"
    end = ledger.rollout("concluded", hosts=limited(hosts, "app1"), balancers=[pool(hosts, app4=DRAINED)])
    assert end["message"] == (
        "shop: 2.0.0 rolled back: the operator asked for a rollback. The one changed host, app1, serves 1.0.0 "
        "again. Still drained by this rollout: app4. Fix the cause, then run again."
    )


def test_a_success_under_limit_is_no_proof_on_the_whole_fleet(ledger):
    """Invariant 15: the version is marked bad once the rest of the fleet fails on it."""
    ledger.open()
    hosts = fleet(4)
    ledger.plan(limited(hosts, "app1"), balancers=[pool(hosts)], policy=POLICY)
    ledger.go("app1")
    hosts[0]["version"] = "2.0.0"
    assert ledger.rollout("concluded", hosts=limited(hosts, "app1"), balancers=[pool(hosts)])["outcome"] == "done"
    ledger.open()
    ledger.plan(hosts, balancers=[pool(hosts)], policy=POLICY)
    ledger.admit("app2")
    ledger.host("failed", "app2", kind="health", error="HTTP 500")
    assert [bad["version"] for bad in ledger.info()["bad"]] == ["2.0.0"]
