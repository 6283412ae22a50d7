# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout that stops everything, in the ledger: what a later run goes on with, and what may still be restored."""

from __future__ import annotations

import typing as t

import pytest
from support.ledger_client import LedgerClient

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger import dispatch

AT_ONCE = {"all_at_once": True}
BACKUP = {"backup": {"path": "/b/1.dump"}, "migrated": True, "database_version": "a"}


def hosts(*versions: str, **change: t.Any) -> list[dict[str, t.Any]]:
    return [
        {"name": f"app{number}", "healthy": True, "version": version, "in_scope": True, **change}
        for number, version in enumerate(versions, start=1)
    ]


def recreate(client: LedgerClient, state: str, **options: t.Any) -> dict[str, t.Any]:
    given = {"service": client.service, "run": client.run, "token": client.token, "state": state, **options}
    return dispatch.OF_RECREATE[state](client.ledger, given)


def begun(client: LedgerClient, version: str = "2.0.0", **options: t.Any) -> dict[str, t.Any]:
    client.open(version, **options)
    client.plan(hosts("1.0.0", "1.0.0"), policy=AT_ONCE)
    return recreate(client, "begun")


@pytest.fixture
def client() -> LedgerClient:
    client = LedgerClient()
    client.open("1.0.0")
    client.plan(hosts("0.9.0", "0.9.0"))
    for name in ("app1", "app2"):
        client.go(name, "1.0.0")
    client.rollout("concluded", hosts=hosts("1.0.0", "1.0.0"))
    return client


def test_all_hosts_are_proven_together(client: LedgerClient) -> None:
    answer = begun(client)
    assert (answer["targets"], answer["previous"]) == (
        {"app1": "2.0.0", "app2": "2.0.0"},
        {"app1": "1.0.0", "app2": "1.0.0"},
    )
    recreate(client, "noted", step="drain", limit="10m")
    recreate(client, "done", facts={"downtime": 12.5}, restore="none")
    ended = client.rollout("concluded", hosts=hosts("2.0.0", "2.0.0"))
    assert (ended["succeeded"], ended["message"]) == (True, "shop: all 2 hosts are in service on 2.0.0.")
    client.open("3.0.0")
    client.plan(hosts("2.0.0", "2.0.0"), policy=AT_ONCE)
    assert recreate(client, "begun")["estimate"] == 12.5


def test_a_failure_is_rolled_back_and_marks_the_version_bad(client: LedgerClient) -> None:
    begun(client)
    recreate(client, "noted", step="drain")
    assert recreate(client, "failed", kind="health", error="app1 is ill.")["go_back"]
    recreate(client, "noted", step="drain")
    recreate(client, "restored")
    ended = client.rollout("concluded", hosts=hosts("1.0.0", "1.0.0"))
    assert ended["message"] == (
        "shop: 2.0.0 rolled back: health: app1 is ill. The 2 changed hosts serve 1.0.0 again and 2.0.0 is marked bad. "
        "Roll out a corrected version."
    )


def test_a_way_back_that_fails_names_every_host(client: LedgerClient) -> None:
    begun(client)
    recreate(client, "noted", step="drain")
    recreate(client, "failed", kind="migration", error="no")
    recreate(client, "stuck", error="app1 will not start; the maintenance page is still up")
    ended = client.rollout("concluded", hosts=hosts("1.0.0", "1.0.0", healthy=False))
    assert not ended["succeeded"]
    assert ended["message"] == (
        "shop: 2.0.0 failed (migration: no); 0 of 2 hosts are in service on 2.0.0, app1, app2 stuck (restore: app1 will "
        "not start; the maintenance page is still up). Fix the cause and run again to resume, or roll back with -e "
        "rollout_resume=revert."
    )


def test_a_killed_run_keeps_the_backup_from_before_its_migration(client: LedgerClient) -> None:
    begun(client)
    recreate(client, "noted", step="migrate", facts=BACKUP)
    assert begun(client, take_over=True)["facts"] == BACKUP
    assert client.plan(hosts("2.0.0", "2.0.0"), policy=AT_ONCE)["recreate_unfinished"]


def test_another_version_inherits_the_backup_from_before_both(client: LedgerClient) -> None:
    begun(client)
    recreate(client, "noted", step="migrate", facts={**BACKUP, "downtime": 3})
    assert begun(client, "2.1.0", take_over=True)["facts"] == BACKUP


def test_once_users_were_let_in_nothing_is_restored_any_more(client: LedgerClient) -> None:
    begun(client)
    recreate(client, "noted", step="page off", facts=BACKUP)
    assert not recreate(client, "failed", kind="balancer", error="lb2 does not answer")["go_back"]
    assert begun(client, take_over=True)["facts"] == {}


def test_no_other_strategy_runs_while_the_page_may_be_up(client: LedgerClient) -> None:
    begun(client)
    recreate(client, "noted", step="drain")
    client.open("2.1.0", take_over=True)
    with pytest.raises(InputError) as caught:
        client.plan(hosts("1.0.0", "1.0.0"))
    assert caught.value.message == (
        "shop: the recreate of 2.0.0 is not finished (it is at the step 'drain'), so the maintenance page may be up. Run "
        "recreate.yml again to resume, or to go back with -e rollout_resume=revert."
    )


@pytest.mark.parametrize(("restore", "is_refused"), [("backup", True), ("down", True), ("none", False)])
def test_no_rollback_to_a_version_that_would_need_the_backup(
    client: LedgerClient, restore: str, is_refused: bool
) -> None:
    begun(client)
    recreate(client, "noted", step="migrate", facts=BACKUP)
    recreate(client, "done", restore=restore, database="database 'shop'", lost="drops column t.a")
    client.rollout("concluded", hosts=hosts("2.0.0", "2.0.0"))
    client.open(None, direction="back")
    if is_refused:
        with pytest.raises(InputError, match=r"1\.0\.0 on app1, app2 needs what the contract of 2\.0\.0 removed"):
            client.plan(hosts("2.0.0", "2.0.0"))
    else:
        assert client.plan(hosts("2.0.0", "2.0.0"))["targets"] == {"app1": "1.0.0", "app2": "1.0.0"}
