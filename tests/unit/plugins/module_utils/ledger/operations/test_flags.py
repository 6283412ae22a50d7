# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feature flags in the ledger: off first, on last, and a kill that stands."""

from __future__ import annotations

import typing as t

import pytest
from support.ledger_client import DRAINED, LedgerClient, fleet, pool

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger import dispatch

OUTSIDE = {"name": "old1", "healthy": True, "version": "1.0.0", "in_scope": False}


def flag(client: LedgerClient, state: str, **options: t.Any) -> dict[str, t.Any]:
    params = {"flag": "checkout", "place": "redis 10.0.0.5:6379", **options}
    given = {"service": client.service, "run": client.run, "token": client.token, "state": state, **params}
    return dispatch.performed(client.ledger, dispatch.OF_FLAG[state], given)


def seen(version: str = "2.0.0", **others: t.Any) -> dict[str, t.Any]:
    hosts = fleet(2, version=version)
    return {"hosts": hosts, "balancers": [pool(hosts, **others)]}


def planned(client: LedgerClient, **options: t.Any) -> None:
    client.open("2.0.0", **options)
    client.plan(fleet(2), balancers=[pool(fleet(2))])


def rolled(client: LedgerClient) -> None:
    planned(client)
    turned_off(client)
    for name in ("app1", "app2"):
        client.go(name)


def turned_off(client: LedgerClient) -> None:
    flag(client, "begun", goal="off", found="off")
    flag(client, "done", goal="off")


def shown(client: LedgerClient) -> list[tuple[str, str, str]]:
    return [(one["goal"], one["status"], one["error"]) for one in client.info()["flags"]]


@pytest.fixture
def client() -> LedgerClient:
    return LedgerClient()


def test_a_rollout_is_refused_while_the_flag_is_on(client: LedgerClient) -> None:
    planned(client)
    answer = flag(client, "begun", goal="off", found="on", refuse=True)
    assert (answer["go"], answer["why"]) == (False, "it is on")
    assert shown(client) == []


def test_or_turns_it_off_if_so_set(client: LedgerClient) -> None:
    planned(client)
    assert flag(client, "begun", goal="off", found="on", refuse=False)["go"] is True
    assert shown(client) == [("off", "intended", "")]
    flag(client, "done", goal="off")
    assert shown(client) == [("off", "done", "")]
    assert client.info()["flags"][0]["text"] == (
        "flag checkout at redis 10.0.0.5:6379: off, done at 2026-09-21 14:13:20 UTC"
    )


def test_what_somebody_turned_on_halfway_is_turned_off_again_and_not_refused(client: LedgerClient) -> None:
    planned(client)
    flag(client, "begun", goal="off", found="off", refuse=True)
    client.go("app1")
    assert flag(client, "begun", goal="off", found="on", refuse=True)["go"] is True


def test_a_rollback_is_never_refused(client: LedgerClient) -> None:
    planned(client)
    client.admit("app1")
    client.host("failed", "app1", kind="health", error="503")
    client.rollout("reverting")
    assert flag(client, "begun", goal="off", found="on", refuse=True)["go"] is True


def test_it_goes_on_once_all_hosts_are_proven(client: LedgerClient) -> None:
    rolled(client)
    assert flag(client, "begun", goal="on", **seen())["go"] is True
    assert shown(client) == [("on", "intended", "")]


@pytest.mark.parametrize(
    ("view", "why"),
    [
        (seen("1.0.0"), "the rollout is not complete (incomplete)"),
        (seen(app2=DRAINED), "the rollout is not complete (incomplete)"),
        (
            {"hosts": [*fleet(2, version="2.0.0"), OUTSIDE], "balancers": [pool([*fleet(2), OUTSIDE])]},
            "old1 is on 1.0.0",
        ),
        (
            {"hosts": fleet(2, version="2.0.0"), "balancers": [pool([*fleet(2), {"name": "stranger"}])]},
            "stranger is on an unknown version",
        ),
    ],
)
def test_it_stays_off_while_any_host_may_serve_the_old_version(
    client: LedgerClient, view: dict[str, t.Any], why: str
) -> None:
    rolled(client)
    answer = flag(client, "begun", goal="on", **view)
    assert (answer["go"], answer["why"]) == (False, why)
    assert shown(client) == [("off", "done", "")]


def test_it_stays_off_while_half_of_the_fleet_is_updated(client: LedgerClient) -> None:
    planned(client)
    turned_off(client)
    client.go("app1")
    hosts = [fleet(1, version="2.0.0")[0], fleet(2)[1]]
    answer = flag(client, "begun", goal="on", hosts=hosts, balancers=[pool(hosts)])
    assert (answer["go"], answer["why"]) == (False, "the rollout is not complete (incomplete)")


def test_nothing_goes_on_where_a_balancer_does_not_answer(client: LedgerClient) -> None:
    rolled(client)
    silent = {"host": "lb2", "unreachable": True}
    with pytest.raises(RolloutError) as failed:
        flag(client, "begun", goal="on", hosts=fleet(2, version="2.0.0"), balancers=[pool(fleet(2)), silent])
    assert failed.value.message == "shop: not every host and load balancer could be read, so no flag is turned on."


def test_a_rerun_with_nothing_to_do_turned_on_what_somebody_had_turned_off_since(client: LedgerClient) -> None:
    rolled(client)
    flag(client, "begun", goal="on", **seen())
    flag(client, "done", goal="on")
    client.rollout("concluded", **seen())
    client.open("2.0.0")
    client.plan(fleet(2, version="2.0.0"), balancers=[pool(fleet(2))])
    answer = flag(client, "begun", goal="on", **seen())
    assert (answer["go"], answer["why"]) == (False, "no rollout has turned it off")


def test_a_rollout_without_hosts_to_touch_turned_on_what_was_killed_before_it(client: LedgerClient) -> None:
    rolled(client)
    flag(client, "killed", reason="orders twice")
    client.rollout("resumed")
    client.rollout("concluded", **seen())
    client.open("2.0.0")
    client.plan(fleet(2, version="2.0.0"), balancers=[pool(fleet(2))])
    assert flag(client, "begun", goal="on", **seen())["go"] is False


def test_it_goes_on_where_an_earlier_run_ended_in_between(client: LedgerClient) -> None:
    rolled(client)
    flag(client, "begun", goal="on", **seen())
    assert flag(client, "begun", goal="on", **seen())["go"] is True


def test_a_resumed_run_refused_a_flag_that_the_rollout_itself_had_turned_on(client: LedgerClient) -> None:
    rolled(client)
    flag(client, "begun", goal="on", **seen())
    flag(client, "done", goal="on")
    assert flag(client, "begun", goal="off", found="on", refuse=True)["go"] is True


def test_a_paused_rollout_turns_nothing_on(client: LedgerClient) -> None:
    rolled(client)
    client.rollout("paused")
    assert flag(client, "begun", goal="on", **seen())["why"] == "the rollout is paused"


def test_a_kill_pauses_the_rollout_and_keeps_the_flag_off_to_its_end(client: LedgerClient) -> None:
    planned(client)
    flag(client, "begun", goal="off", found="off")
    flag(client, "done", goal="off")
    killed = flag(client, "killed", reason="orders twice", run=None, token=None)
    assert killed["msg"].startswith(
        "shop: the rollout of 2.0.0 is paused; no further host starts, and the rollout leaves "
    )
    assert client.admit("app1")["verdict"] == "wait"
    event = next(one for one in client.info()["events"] if one["kind"] == "paused")
    assert event["data"]["reason"] == "checkout was killed: orders twice"
    client.rollout("resumed")
    # A run that is resumed turns it off once more, which does not make the kill forgotten.
    flag(client, "begun", goal="off", found="off")
    flag(client, "done", goal="off")
    for name in ("app1", "app2"):
        client.go(name)
    answer = flag(client, "begun", goal="on", **seen())
    assert (answer["go"], answer["why"]) == (False, "it was killed during this rollout: orders twice")
    assert shown(client) == [("killed", "done", "orders twice")]


def test_a_kill_between_the_intent_and_the_change_is_answered_to_who_made_the_change(client: LedgerClient) -> None:
    rolled(client)
    assert flag(client, "begun", goal="on", **seen())["go"] is True
    flag(client, "killed", reason="orders twice")
    assert flag(client, "done", goal="on")["why"] == "it was killed during this rollout: orders twice"
    assert flag(client, "done", goal="off")["why"] == ""
    assert shown(client) == [("killed", "done", "orders twice")]


def test_a_kill_counts_for_the_rollout_that_it_paused_only(client: LedgerClient) -> None:
    planned(client)
    flag(client, "killed", reason="orders twice")
    client.rollout("aborted")
    client.rollout("concluded", **seen("1.0.0"))
    client.open("3.0.0")
    client.plan(fleet(2), balancers=[pool(fleet(2))])
    turned_off(client)
    for name in ("app1", "app2"):
        client.go(name, "3.0.0")
    assert flag(client, "begun", goal="on", **seen("3.0.0"))["go"] is True


def test_without_a_rollout_under_way_there_is_nothing_to_pause(client: LedgerClient) -> None:
    with pytest.raises(RolloutError) as refused:
        flag(client, "killed", reason="orders twice")
    assert refused.value.message == "shop: no rollout is under way that could be paused."


def test_what_was_tried_in_vain_is_not_tried_again_by_the_same_run(client: LedgerClient) -> None:
    planned(client)
    assert flag(client, "begun", goal="off")["tried"] is False
    flag(client, "failed", goal="off", error="redis does not answer")
    assert shown(client) == [("off", "failed", "redis does not answer")]
    assert flag(client, "begun", goal="off")["tried"] is True
    assert flag(client, "begun", goal="off")["tried"] is False


def test_a_run_without_the_lease_changes_nothing(client: LedgerClient) -> None:
    planned(client)
    with pytest.raises(RolloutError):
        flag(client, "begun", goal="off", token=0)
    assert shown(client) == []


def left_on(client: LedgerClient) -> None:
    """By a rollback whose flag system is down."""
    planned(client)
    client.admit("app1")
    client.host("failed", "app1", kind="health", error="503")
    client.rollout("reverting")
    flag(client, "begun", goal="off")
    flag(client, "failed", goal="off", error="redis does not answer")


def test_a_flag_that_a_rollback_left_on_was_forgotten(client: LedgerClient) -> None:
    left_on(client)
    answer = flag(client, "begun", goal="off", left=True)
    assert (answer["go"], answer["tried"]) == (True, True)
    flag(client, "done", goal="off")
    answer = flag(client, "begun", goal="off", left=True)
    assert (answer["go"], answer["why"]) == (False, "no rollback has left it on")


def test_the_next_rollout_was_refused_for_a_flag_that_a_rollback_had_left_on(client: LedgerClient) -> None:
    left_on(client)
    client.rollout("concluded", **seen("1.0.0"))
    client.open("3.0.0")
    client.plan(fleet(2), balancers=[pool(fleet(2))])
    assert flag(client, "begun", goal="off", found="on", refuse=True)["go"] is True


def test_a_flag_that_a_rollout_could_not_turn_off_at_its_beginning_is_nobody_s_rest(client: LedgerClient) -> None:
    planned(client)
    flag(client, "begun", goal="off", found="on")
    flag(client, "failed", goal="off", error="redis does not answer")
    assert flag(client, "begun", goal="off", left=True)["go"] is False


def test_a_flag_that_a_rollback_left_on_was_forgotten_once_another_run_had_failed_too(client: LedgerClient) -> None:
    left_on(client)
    client.rollout("concluded", **seen("1.0.0"))
    client.open("3.0.0")
    client.plan(fleet(2), balancers=[pool(fleet(2))])
    flag(client, "begun", goal="off", left=True)
    assert flag(client, "begun", goal="off", left=True)["go"] is True
    flag(client, "failed", goal="off", error="redis does not answer")
    assert flag(client, "begun", goal="off", left=True)["go"] is True
    flag(client, "done", goal="off")
    assert flag(client, "begun", goal="off", left=True)["go"] is False
