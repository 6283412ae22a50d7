# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may stage: the hosts that are about to be admitted."""

from __future__ import annotations

import pytest
from support.ledger_client import LedgerClient, fleet

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import due as due_of_hosts
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import read_session


@pytest.fixture
def ledger():
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(6), policy={"max_unavailable": 1})
    return ledger


def due(ledger, host, timeout=0):
    return ledger.host("due", host, timeout=timeout)["verdict"]


def test_only_the_next_hosts_are_due(ledger):
    assert [due(ledger, f"app{number}") for number in range(1, 7)] == ["go", *["wait"] * 5]


def test_admissions_bring_the_next_ones_forward(ledger):
    ledger.go("app1")
    assert [due(ledger, "app2"), due(ledger, "app3")] == ["go", "wait"]


def test_it_waits_for_its_turn(ledger):
    sleep = ledger.ledger.clock.sleep

    def sleeping(pause):
        sleep(pause)
        ledger.ledger.clock.sleep = sleep
        ledger.go("app1")

    ledger.ledger.clock.sleep = sleeping
    assert due(ledger, "app2", timeout=None) == "go"


def test_each_step_of_another_host_had_all_that_wait_decide_again(ledger, monkeypatch):
    seen = iter(range(100))
    ledger.ledger.store.changes = lambda: next(seen)
    decisions = []
    monkeypatch.setattr(due_of_hosts, "read_session", lambda *of: (decisions.append(1), read_session(*of))[1])
    assert due(ledger, "app2", timeout=4) == "wait"
    assert len(decisions) == 1


def test_a_rollout_that_stops_is_noticed_by_hosts_that_wait(ledger):
    ledger.go("app1")
    sleep = ledger.ledger.clock.sleep

    def sleeping(pause):
        sleep(pause)
        ledger.ledger.clock.sleep = sleep
        ledger.host("failed", "app1", kind="health", error="no")

    ledger.ledger.clock.sleep = sleeping
    seen = iter(range(100))
    ledger.ledger.store.changes = lambda: next(seen)
    began = ledger.fake.time
    assert due(ledger, "app3", timeout=None) == "stop"
    assert ledger.fake.time - began < 2


@pytest.mark.parametrize(("host", "looks"), [("app2", 5), ("app3", 2)])
def test_a_host_at_the_end_of_the_plan_looked_as_often_as_the_next_one(ledger, host, looks):
    """Steps are noted all the time, and each woke every host that waits."""
    seen = iter(range(100))
    ledger.ledger.store.changes = lambda: next(seen)
    read = ledger.ledger.store.reading
    readings = []
    ledger.ledger.store.reading = lambda: (readings.append(1), read())[1]
    assert due(ledger, host, timeout=2) == "wait"
    assert len(readings) == looks


def test_no_host_stages_for_a_rollout_that_has_stopped(ledger):
    ledger.admit("app1")
    ledger.host("failed", "app1", kind="health", error="no")
    assert due(ledger, "app6") == "stop"


def test_hosts_waited_for_ever_behind_those_that_a_block_had_turned_away(ledger):
    """The first in the plan leave without being admitted, so the others would never be among the next."""
    ledger.go("app1")
    ledger.rollout(
        "blocked",
        service="shop",
        reason="the database moves",
        until="100s",
        owner={"user": "ana", "asserted_by": "login"},
    )
    assert ledger.admit("app2")["verdict"] == "stop"
    assert due(ledger, "app6") == "stop"


def test_a_slot_that_is_not_taken_is_not_left_free_for_ever(ledger):
    """Whoever is before it in the plan may have left without being admitted, such as hosts that serve traffic."""
    began = ledger.fake.time
    assert due(ledger, "app6", timeout=None) == "go"
    assert 10 <= ledger.fake.time - began <= 20


def test_it_leaves_when_its_controller_is_gone(ledger):
    ledger.ledger.is_alive = lambda: False
    with pytest.raises(RolloutError) as caught:
        due(ledger, "app6", timeout=None)
    assert caught.value.message == "app6: the controller is gone; left without changing anything."
