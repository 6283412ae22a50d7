# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How admission waits: what wakes it, what ends it, and what it says it waited for."""

from __future__ import annotations

import pytest
from support.ledger_client import LedgerClient, fleet

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import LeaseLost


@pytest.fixture
def ledger():
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(4), policy={"stages": ["1", "100%"], "bake_time": 30})
    return ledger


def meanwhile(ledger, seconds, act):
    """Lets something happen when so many seconds were slept."""
    sleep, happened = ledger.ledger.clock.sleep, []
    begin = ledger.fake.time

    def sleeping(pause):
        sleep(pause)
        if not happened and ledger.fake.time >= begin + seconds:
            happened.append(act())

    ledger.ledger.clock.sleep = sleeping


def test_it_waits_for_time_and_says_how_long_and_why(ledger):
    ledger.go("app1")
    answer = ledger.admit("app2", timeout=None)
    assert answer["verdict"] == "go"
    assert answer["waited"] == pytest.approx(30, abs=4)
    (wait,) = answer["waits"]
    assert wait["waiting_for"] == "bake"
    assert wait["reason"].startswith("stage 1 bakes for")


def test_it_sees_what_others_write(ledger):
    ledger.admit("app1")
    meanwhile(ledger, 5, lambda: ledger.host("proven", "app1", version="2.0.0"))
    answer = ledger.admit("app2", timeout=None)
    assert answer["verdict"] == "go"
    assert [wait["waiting_for"] for wait in answer["waits"]] == ["max_unavailable", "bake"]


@pytest.mark.parametrize(("host", "pause"), [("app3", 0.1), ("app4", 0.2), ("app6", 0.4), ("app7", 0.4)])
def test_all_that_could_be_admitted_together_woke_up_as_often_as_the_next_one(host, pause):
    """One is admitted at a time; those behind it see that, and then another one is next."""
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(12), policy={"max_unavailable": 6, "min_available": 10})
    ledger.admit("app1")
    ledger.admit("app2")
    sleep, pauses = ledger.ledger.clock.sleep, []
    ledger.ledger.clock.sleep = lambda seconds: (pauses.append(seconds), sleep(seconds))
    ledger.admit(host, timeout=2)
    assert set(pauses) == {pause}


def test_it_answers_wait_when_its_time_is_over(ledger):
    ledger.admit("app1")
    answer = ledger.admit("app2", timeout=7)
    assert answer["verdict"] == "wait"
    assert answer["reason"] == "1 of at most 1 hosts are out of service"
    assert answer["waited"] == pytest.approx(7, abs=2)


def test_it_leaves_when_its_controller_is_gone_and_writes_nothing_more(ledger):
    ledger.admit("app1")
    events = ledger.info()["chain"]["events"]
    ledger.ledger.is_alive = lambda: False
    with pytest.raises(RolloutError) as caught:
        ledger.admit("app2", timeout=None)
    assert caught.value.message == (
        "app2: the controller that asked for admission is gone; left without changing anything."
    )
    assert ledger.info()["chain"]["events"] == events


def test_it_leaves_when_the_lease_is_lost(ledger):
    """Invariant 8."""
    ledger.admit("app1")
    run, token = ledger.run, ledger.token

    def take_over():
        ledger.open(take_over=True)

    meanwhile(ledger, 5, take_over)
    with pytest.raises(LeaseLost, match="lease lost: shop is now held by ops on laptop"):
        ledger.host("admitted", "app2", run=run, token=token, timeout=None)


def test_who_waits_keeps_the_lease(ledger):
    """One waiting call is heartbeat enough, and it does not write more often than it must."""
    ledger.admit("app1", limit=10_000)
    events = ledger.info()["chain"]["events"]
    ledger.admit("app2", timeout=300)
    assert ledger.info()["services"][0]["holder"]["heartbeat"] >= "2026-09-21 14:18:15"
    assert ledger.info()["chain"]["events"] == events


def test_a_declared_step_keeps_the_lease_while_no_host_waits(ledger):
    ledger.admit("app1", limit=100)
    ledger.host("changing", "app1", step="migrate", limit=1800)
    ledger.fake.move(1799)
    with pytest.raises(RolloutError, match="the lease expires at 2026-09-21 14:43:20 UTC unless renewed"):
        ledger.open()
    ledger.fake.move(2)
    assert ledger.open()["resumed"] is True


def test_a_pause_is_waited_out_however_long(ledger):
    """Invariant 6: and the progress deadline does not run meanwhile."""
    ledger.rollout("paused")
    meanwhile(ledger, 4000, lambda: ledger.rollout("resumed"))
    answer = ledger.admit("app1", timeout=None)
    assert answer["verdict"] == "go"
    assert answer["waits"][0]["waiting_for"] == "paused"


def test_a_host_that_is_not_heard_of_counts_as_failed_and_stops_the_others(ledger):
    ledger.admit("app1", limit=60)
    answer = ledger.admit("app2", timeout=None)
    assert answer["msg"] == (
        "app2: stop, the rollout of 2.0.0 is stopped: app1 failed (lost: no report within the declared 60 s)"
    )
    assert answer["waited"] == pytest.approx(60, abs=4)
    assert ledger.phases()["app1"] == "failed"
    assert [left["host"] for left in ledger.info()["left_out"]] == ["app1"]


def test_asking_twice_is_answered_twice(ledger):
    first, second = ledger.admit("app1"), ledger.admit("app1")
    assert (first["changed"], second["changed"]) == (True, False)
    assert second["msg"] == "app1: go, app1 was admitted already"
    assert second["target"] == first["target"]


def test_a_host_that_cannot_be_taken_out_is_passed_over_and_the_others_go():
    ledger = LedgerClient()
    ledger.open()
    hosts = fleet(6, zones=("a", "b"))
    ledger.plan(hosts, policy={"max_unavailable": "2", "zone_min_available": "2", "max_failures": "2"})
    ledger.admit("app1", limit=10)
    ledger.fake.move(11)
    answer = ledger.admit("app3")
    assert answer["msg"] == ("app3: stop, 2 in service in zone a, minimum is 2, and no recovery is in progress")
    assert ledger.phases()["app3"] == "excluded"
    for name in ("app2", "app4", "app6"):
        ledger.go(name)


def test_check_mode_looks_once_and_writes_nothing(ledger):
    ledger.ledger.check_mode = True
    assert ledger.admit("app1")["verdict"] == "go"
    assert ledger.phases()["app1"] == "waiting"


def test_an_unknown_host_is_named(ledger):
    with pytest.raises(RolloutError) as caught:
        ledger.admit("app9")
    assert caught.value.message == (
        "app9: not part of the planned rollout of 2.0.0 for shop; plan again with this host in the inventory."
    )


def test_without_a_plan_no_host_is_admitted():
    ledger = LedgerClient()
    ledger.open()
    with pytest.raises(RolloutError, match="app1: not part of the planned rollout"):
        ledger.admit("app1")
