# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts, patches and configurations in the ledger: what stays, what resumes, and what is never rolled back."""

from __future__ import annotations

import typing as t

import pytest
from support.ledger_client import DRAINED, LedgerClient, fleet, pool

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

RESTART = {"operation": "restart"}
PATCH = {"operation": "patch"}


@pytest.fixture
def ledger() -> LedgerClient:
    """Two hosts were rolled out to 1.0.0."""
    ledger = LedgerClient()
    ledger.open("1.0.0")
    ledger.plan(fleet(2, version="0.9.0"), balancers=[pool(fleet(2))])
    for name in ("app1", "app2"):
        ledger.go(name, "1.0.0")
    concluded(ledger)
    return ledger


def planned(ledger: LedgerClient, hosts: list[dict[str, t.Any]] | None = None, **changed: t.Any) -> dict[str, t.Any]:
    hosts = hosts or fleet(2)
    return ledger.plan(hosts, balancers=[pool(hosts, **changed)])


def concluded(ledger: LedgerClient, hosts: list[dict[str, t.Any]] | None = None) -> dict[str, t.Any]:
    hosts = hosts or fleet(2)
    return ledger.rollout("concluded", hosts=hosts, balancers=[pool(hosts)])


def test_a_restart_keeps_the_version_and_restarts_every_host_once(ledger: LedgerClient) -> None:
    ledger.open(None, name="november", **RESTART)
    plan = planned(ledger)
    assert plan["text"][0] == "shop: 2 of 2 hosts to restart november, stages 2"
    assert [(row["from"], row["to"]) for row in plan["plan"]] == [("1.0.0", "1.0.0")] * 2
    for name in plan["order"]:
        ledger.go(name, "1.0.0")
    end = concluded(ledger)
    assert (end["succeeded"], end["message"]) == (
        True,
        "shop: restart november done; all 2 hosts are in service on 1.0.0.",
    )
    ledger.open(None, name="november", **RESTART)
    assert planned(ledger)["text"][0] == "shop: nothing to do for restart november, 2 hosts are done already"


def test_a_restart_without_a_name_is_a_new_one_once_the_last_one_is_done(ledger: LedgerClient) -> None:
    for _time in range(2):
        ledger.fake.move(100)
        ledger.open(None, **RESTART)
        for name in planned(ledger)["order"]:
            ledger.go(name, "1.0.0")
        assert concluded(ledger)["report"][0]["outcome"] == "updated"


def test_an_interrupted_restart_goes_on_and_restarts_no_proven_host_again(ledger: LedgerClient) -> None:
    first = ledger.open(None, **RESTART)
    planned(ledger)
    ledger.go("app1", "1.0.0")
    ledger.admit("app2")
    ledger.host("changing", "app2", step="update", limit=10)
    ledger.fake.move(1000)
    again = ledger.open(None, **RESTART)
    assert (again["operation"], again["resumed"]) == (first["operation"], True)
    plan = planned(ledger, app2=DRAINED)
    assert (plan["up_to_date"], plan["order"]) == (["app1"], ["app2"])


def test_a_host_that_fails_in_a_restart_is_held_out_and_nothing_is_marked_bad(ledger: LedgerClient) -> None:
    ledger.open(None, **RESTART)
    planned(ledger)
    ledger.admit("app1")
    ledger.host("changing", "app1", step="update", limit=10)
    answer = ledger.host("failed", "app1", kind="health", error="HTTP 500")
    assert (answer["go_back"], answer["stop"]) == (False, True)
    assert ledger.rollout("reverting")["order"] == []
    end = concluded(ledger, [{**host, "healthy": host["name"] != "app1"} for host in fleet(2)])
    assert end["succeeded"] is False
    assert end["message"].endswith("Fix the cause and run again to resume.")
    assert ledger.info()["bad"] == []
    with pytest.raises(RolloutError, match="shop: a restart cannot be rolled back, as it keeps the version"):
        ledger.open(None, resume="revert")


def test_a_host_that_fails_in_a_restart_is_not_rolled_back_because_its_version_is_marked_bad(
    ledger: LedgerClient,
) -> None:
    with ledger.ledger.writing() as records:
        records.mark_bad("shop", "1.0.0", "an alert", 0.0)
    ledger.open(None, **RESTART)
    planned(ledger)
    ledger.admit("app1")
    ledger.host("changing", "app1", step="update", limit=10)
    assert ledger.host("failed", "app1", kind="health", error="HTTP 500")["go_back"] is False


def test_a_patch_goes_to_the_hosts_that_were_found_to_need_one(ledger: LedgerClient) -> None:
    ledger.open(None, **PATCH)
    plan = planned(ledger, [{**host, "outdated": host["name"] == "app2"} for host in fleet(2)])
    assert (plan["order"], plan["up_to_date"]) == (["app2"], ["app1"])
    ledger.go("app2", "1.0.0")
    end = concluded(ledger, [{**host, "outdated": True} for host in fleet(2)])
    assert end["message"] == "shop: patch done; all 2 hosts are in service on 1.0.0 (1 of them were before)."
    ledger.open(None, **PATCH)
    assert planned(ledger, [{**host, "outdated": False} for host in fleet(2)])["nothing_to_do"] is True
    concluded(ledger)
    # The next time there are new packages.
    ledger.open(None, **PATCH)
    assert planned(ledger, [{**host, "outdated": True} for host in fleet(2)])["order"] == ["app1", "app2"]


def test_a_host_that_could_not_be_read_is_not_taken_for_patched(ledger: LedgerClient) -> None:
    """Its last patch, of months ago, says nothing."""
    for looked in (True, None):
        ledger.open(None, **PATCH)
        plan = planned(ledger, [{**host, "outdated": looked} for host in fleet(2)])
        assert plan["order"] == ["app1", "app2"]
        for name in plan["order"]:
            ledger.go(name, "1.0.0")
        concluded(ledger)


def test_a_patch_of_hosts_on_two_versions_keeps_both(ledger: LedgerClient) -> None:
    ledger.open("5.0.0", **PATCH)
    hosts = [{**host, "outdated": True, "version": f"{number}.0.0"} for number, host in enumerate(fleet(2), start=1)]
    assert [row["to"] for row in planned(ledger, hosts)["plan"]] == ["1.0.0", "2.0.0"]


def test_a_host_of_no_known_version_is_restarted_on_the_one_that_is_named() -> None:
    hosts = [{**host, "version": None} for host in fleet(2)]
    ledger = LedgerClient()
    ledger.open(None, **RESTART)
    with pytest.raises(
        InputError, match="app1: the version that it runs is not known, and a restart does not change it"
    ):
        planned(ledger, hosts)
    ledger = LedgerClient()
    ledger.open("1.0.0", **RESTART)
    assert [row["to"] for row in planned(ledger, hosts)["plan"]] == ["1.0.0", "1.0.0"]


def test_an_interrupted_rollout_is_finished_before_anything_is_restarted(ledger: LedgerClient) -> None:
    ledger.open("2.0.0")
    planned(ledger)
    ledger.fake.move(1000)
    with pytest.raises(RolloutError, match=r"shop: the rollout of 2\.0\.0 was interrupted or is paused"):
        ledger.open(None, **RESTART)


def reconfigured(ledger: LedgerClient, revision: str) -> dict[str, t.Any]:
    ledger.open(None, operation="reconfigure", revision=revision)
    plan = planned(ledger, [{**host, "outdated": True} for host in fleet(2)])
    for name in plan["order"]:
        ledger.admit(name)
        ledger.host("proven", name, version="1.0.0", revision=revision)
    return concluded(ledger)


def test_a_configuration_is_a_revision_of_the_version_in_service(ledger: LedgerClient) -> None:
    assert reconfigured(ledger, "aaaa")["message"] == "shop: all 2 hosts are in service on 1.0.0 revision aaaa."
    ledger.open(None, operation="reconfigure", revision="aaaa")
    assert planned(ledger, [{**host, "outdated": False} for host in fleet(2)])["nothing_to_do"] is True
    concluded(ledger)
    # Somebody has edited it on one host.
    ledger.open(None, operation="reconfigure", revision="aaaa")
    assert planned(ledger, [{**host, "outdated": host["name"] == "app2"} for host in fleet(2)])["order"] == ["app2"]


def test_a_configuration_that_is_there_already_is_proven_whoever_wrote_it(ledger: LedgerClient) -> None:
    ledger.open(None, operation="reconfigure", revision="aaaa")
    planned(ledger, [{**host, "outdated": host["name"] == "app2"} for host in fleet(2)])
    ledger.admit("app2")
    ledger.host("proven", "app2", version="1.0.0", revision="aaaa")
    assert concluded(ledger)["succeeded"] is True


def test_a_rollback_of_a_configuration_says_that_it_is_one(ledger: LedgerClient) -> None:
    reconfigured(ledger, "aaaa")
    reconfigured(ledger, "bbbb")
    back = ledger.open(None, direction="back")
    assert back["operation"] == "reconfigure"
    assert [(row["from"], row["to"]) for row in planned(ledger)["plan"]] == [
        ("1.0.0 revision bbbb", "1.0.0 revision aaaa")
    ] * 2
    assert ledger.open(None, direction="back", take_over=True)["resumed"] is True


def test_a_rollback_passes_over_restarts(ledger: LedgerClient) -> None:
    ledger.open(None, **RESTART)
    for name in planned(ledger)["order"]:
        ledger.go(name, "1.0.0")
    concluded(ledger)
    ledger.open(None, direction="back")
    assert planned(ledger)["text"][0] == "shop: 2 of 2 hosts back from 1.0.0 to 0.9.0"


def test_a_configuration_of_a_service_without_history_needs_the_version() -> None:
    with pytest.raises(InputError, match="shop: the version that its hosts run is not known"):
        LedgerClient().open(None, operation="reconfigure", revision="aaaa")


def test_the_name_of_a_restart_is_checked() -> None:
    with pytest.raises(InputError, match=r"name: '\$\(id\)' cannot name a release"):
        LedgerClient().open(None, name="$(id)", **RESTART)
