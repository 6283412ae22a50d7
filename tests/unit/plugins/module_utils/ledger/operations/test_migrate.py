# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations in the ledger: one run a database, contracts that wait, and points of no return."""

from __future__ import annotations

import typing as t

import pytest
from support.ledger_client import LedgerClient

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger import dispatch

DATABASE = "database 'shop' on db1"


def hosts(*versions: str, **change: t.Any) -> list[dict[str, t.Any]]:
    return [
        {"name": f"app{number}", "healthy": True, "version": version, "in_scope": True, **change}
        for number, version in enumerate(versions, start=1)
    ]


def migration(client: LedgerClient, state: str, **options: t.Any) -> dict[str, t.Any]:
    params = {"phase": "expand", "database": DATABASE, **options}
    given = {"service": client.service, "run": client.run, "token": client.token, "state": state, **params}
    return dispatch.OF_MIGRATION[state](client.ledger, given)


def rolled_out(client: LedgerClient, version: str, before: str) -> None:
    """Opened, planned and proven, but not concluded: where a contract is asked for."""
    client.open(version)
    client.plan(hosts(before, before))
    for name in ("app1", "app2"):
        client.go(name, version)


def conclude(client: LedgerClient, *versions: str) -> None:
    client.rollout("concluded", hosts=hosts(*versions))


@pytest.fixture
def client() -> LedgerClient:
    return LedgerClient()


def test_a_database_is_claimed_by_one_run_whichever_its_service(client: LedgerClient) -> None:
    client.open("2.0.0")
    migration(client, "begun")
    other = LedgerClient("reports", client.store)
    other.open("7.0.0")
    with pytest.raises(RolloutError) as caught:
        migration(other, "begun")
    assert caught.value.message == (
        f"reports: {DATABASE} is being migrated by a rollout of shop since 2026-09-21 14:13:20 UTC. Wait until that is over, "
        "then run again."
    )
    migration(client, "done", version="b")
    assert migration(other, "begun")["go"]


def test_the_claim_of_a_run_that_is_gone_does_not_hold_a_database(client: LedgerClient) -> None:
    client.open("2.0.0")
    migration(client, "begun")
    other = LedgerClient("reports", client.store)
    other.fake.time = client.fake.time + 3600
    other.open("7.0.0")
    assert migration(other, "begun")["go"]


def test_an_interrupted_migration_is_known_as_such(client: LedgerClient) -> None:
    client.open("2.0.0")
    assert not migration(client, "begun")["interrupted"]
    assert migration(client, "begun")["interrupted"]
    migration(client, "failed", error="the power went")
    assert not migration(client, "begun")["interrupted"]


def test_a_contract_waits_for_every_host(client: LedgerClient) -> None:
    client.open("2.0.0")
    client.plan(hosts("1.0.0", "1.0.0"))
    client.go("app1")
    answer = migration(client, "begun", phase="contract", hosts=hosts("2.0.0", "1.0.0"))
    assert (answer["go"], answer["msg"]) == (
        False,
        "shop: the contract phase waits: app2 is on 1.0.0; it needs every host on 2.0.0",
    )


def test_a_contract_waits_for_a_host_that_is_not_in_scope_not_seen_or_gone(client: LedgerClient) -> None:
    rolled_out(client, "1.0.0", "0.9.0")
    conclude(client, "1.0.0", "1.0.0")
    client.open("2.0.0")
    limited = hosts("1.0.0", "1.0.0")
    limited[1]["in_scope"] = False
    client.plan(limited)
    client.go("app1")
    unseen = [hosts("2.0.0")[0], {"name": "app2", "healthy": None, "version": None}]
    assert migration(client, "begun", phase="contract", hosts=unseen)["msg"] == (
        "shop: the contract phase waits: app2 (not in scope) is on 1.0.0; it needs every host on 2.0.0"
    )
    client.plan(hosts("2.0.0"))
    assert migration(client, "begun", phase="contract", hosts=hosts("2.0.0"))["msg"] == (
        "shop: the contract phase waits: app2 (not in the inventory) is on 1.0.0; it needs every host on 2.0.0"
    )


def test_a_contract_waits_for_a_host_that_a_rollout_of_its_own_has_pinned_to_an_older_version(
    client: LedgerClient,
) -> None:
    """Whichever came last: the rollout that put one host back on the old version, or that of all the others."""
    rolled_out(client, "2.0.0", "1.0.0")
    conclude(client, "2.0.0", "2.0.0")
    client.open("1.0.0", allow_bad=True)
    pinned = hosts("2.0.0", "2.0.0")
    pinned[0]["in_scope"] = False
    client.plan(pinned)
    client.go("app2", "1.0.0")
    client.rollout("concluded", hosts=hosts("2.0.0", "1.0.0"))
    client.open("3.0.0")
    others = hosts("2.0.0", "1.0.0")
    others[1]["in_scope"] = False
    client.plan(others)
    client.go("app1", "3.0.0")
    answer = migration(client, "begun", phase="contract", hosts=hosts("3.0.0", "1.0.0"), versions=["2.0.0", "3.0.0"])
    assert (answer["go"], answer["msg"]) == (
        False,
        "shop: the contract phase waits: app2 (not in scope) is on 1.0.0; it needs every host on 2.0.0 or 3.0.0",
    )


def test_a_contract_may_name_older_versions_that_can_do_without(client: LedgerClient) -> None:
    client.open("2.1.0")
    client.plan(hosts("2.0.0", "2.0.0"))
    client.go("app1", "2.1.0")
    seen = hosts("2.1.0", "2.0.0")
    assert migration(client, "begun", phase="contract", hosts=seen, versions=["2.0.0", "2.1.0"])["go"]


def test_a_contract_waits_for_another_service_of_the_database(client: LedgerClient) -> None:
    other = LedgerClient("reports", client.store)
    rolled_out(other, "7.0.0", "6.0.0")
    migration(other, "begun")
    migration(other, "done")
    conclude(other, "7.0.0", "7.0.0")
    rolled_out(client, "2.0.0", "1.0.0")
    asked = {"phase": "contract", "hosts": hosts("2.0.0", "2.0.0")}
    assert migration(client, "begun", **asked)["msg"] == (
        f"shop: the contract phase waits: reports uses {DATABASE} too, and it is not set which of its versions can do without what "
        "is removed; name them in rollout_migrations.contract.services.reports"
    )
    assert migration(client, "begun", services={"reports": ["8.0.0"]}, **asked)["msg"] == (
        "shop: the contract phase waits: reports: app1 (not in the inventory) is on 7.0.0, app2 (not in the inventory) is on 7.0.0; "
        "it needs every host on 8.0.0"
    )
    assert migration(client, "begun", services={"reports": ["7.0.0"]}, **asked)["go"]


def test_a_backfill_waits_until_every_host_writes_for_both(client: LedgerClient) -> None:
    client.open("2.0.0")
    client.plan(hosts("1.0.0", "1.0.0"))
    client.go("app1")
    assert migration(client, "begun", phase="migrate", hosts=hosts("2.0.0", "1.0.0"))["msg"] == (
        "shop: the migrate phase waits: app2 is on 1.0.0; it needs every host on 2.0.0"
    )
    client.go("app2")
    assert migration(client, "begun", phase="migrate", hosts=hosts("2.0.0", "2.0.0"))["go"]


def test_nothing_is_removed_while_the_rollout_fails(client: LedgerClient) -> None:
    client.open("2.0.0")
    client.plan(hosts("1.0.0", "1.0.0"))
    client.admit("app1")
    client.host("failed", "app1", kind="health", error="no")
    answer = migration(client, "begun", phase="contract", hosts=hosts("2.0.0", "2.0.0"))
    assert answer["msg"] == "shop: the contract phase waits: the rollout is failing"


def test_old_things_are_kept_for_a_time(client: LedgerClient) -> None:
    rolled_out(client, "2.0.0", "1.0.0")
    asked = {"phase": "contract", "hosts": hosts("2.0.0", "2.0.0"), "keep_for": "7d"}
    assert migration(client, "begun", **asked)["msg"] == (
        "shop: the contract phase waits: what it removes is kept until 2026-09-28 14:13:20 UTC; run the playbook again after that"
    )
    client.fake.time += 7 * 86400
    assert migration(client, "begun", **asked)["go"]


def contracted(client: LedgerClient) -> None:
    rolled_out(client, "1.0.0", "0.9.0")
    conclude(client, "1.0.0", "1.0.0")
    rolled_out(client, "2.0.0", "1.0.0")
    migration(client, "begun", phase="contract", hosts=hosts("2.0.0", "2.0.0"))
    migration(client, "done", phase="contract", version="c", applied=True, lost="drops column orders.note")


def test_no_rollback_crosses_a_contract(client: LedgerClient) -> None:
    contracted(client)
    conclude(client, "2.0.0", "2.0.0")
    client.open(None, direction="back")
    with pytest.raises(InputError) as caught:
        client.plan(hosts("2.0.0", "2.0.0"))
    assert caught.value.message == (
        f"shop: 1.0.0 on app1, app2 needs what the contract of 2.0.0 removed from {DATABASE} at 2026-09-21 14:13:20 UTC "
        "(drops column orders.note), and it is not there any more. Nothing was touched. Roll a corrected version forward; to "
        "go back anyway, restore a backup from before, which loses what was written since."
    )


def test_neither_does_a_rollout_of_an_old_version_nor_a_killed_run_that_is_reverted(client: LedgerClient) -> None:
    contracted(client)
    with pytest.raises(InputError, match=r"1\.0\.0 on app1, app2 needs what the contract of 2\.0\.0 removed"):
        client.open("2.0.0", resume="revert", take_over=True)
    client.open("2.0.0", take_over=True)
    client.plan(hosts("2.0.0", "2.0.0"))
    conclude(client, "2.0.0", "2.0.0")
    client.open("1.0.0")
    with pytest.raises(InputError, match=r"1\.0\.0 on app1, app2 needs what the contract of 2\.0\.0 removed"):
        client.plan(hosts("2.0.0", "2.0.0"))


def test_later_versions_are_free_to_come_and_to_go_back(client: LedgerClient) -> None:
    contracted(client)
    conclude(client, "2.0.0", "2.0.0")
    rolled_out(client, "3.0.0", "2.0.0")
    conclude(client, "3.0.0", "3.0.0")
    client.open(None, direction="back")
    assert client.plan(hosts("3.0.0", "3.0.0"))["targets"] == {"app1": "2.0.0", "app2": "2.0.0"}


@pytest.mark.parametrize("options", [{"phase": "contract", "applied": False}, {"phase": "expand", "applied": True}])
def test_what_removed_nothing_is_no_point_of_no_return(client: LedgerClient, options: dict[str, t.Any]) -> None:
    rolled_out(client, "1.0.0", "0.9.0")
    conclude(client, "1.0.0", "1.0.0")
    rolled_out(client, "2.0.0", "1.0.0")
    migration(client, "begun", phase=options["phase"], hosts=hosts("2.0.0", "2.0.0"))
    migration(client, "done", **options)
    conclude(client, "2.0.0", "2.0.0")
    client.open(None, direction="back")
    assert client.plan(hosts("2.0.0", "2.0.0"))["targets"] == {"app1": "1.0.0", "app2": "1.0.0"}
