# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invariant 8: what a run tries after another one has taken over is refused, and the history says so."""

from __future__ import annotations

import json

import pytest
from support.ledger_client import LedgerClient, fleet

from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import refused
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import LeaseLost


@pytest.fixture
def ledger() -> LedgerClient:
    """app1 is in flight in a run that was suspended; another run has taken over and finished."""
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(2), policy={"max_unavailable": "1"})
    ledger.admit("app1")
    old = ledger.run, ledger.token
    ledger.open(take_over=True)
    ledger.plan(fleet(2), policy={"max_unavailable": "1"})
    for host in ("app1", "app2"):
        ledger.go(host)
    ledger.rollout("concluded", hosts=fleet(2, version="2.0.0"), balancers=[])
    ledger.run, ledger.token = old
    return ledger


def attempts(ledger: LedgerClient) -> list[tuple[str | None, str]]:
    events = [event for event in ledger.info(limit=1000)["events"] if event["kind"] == refused.KIND]
    assert all(event["run"] == ledger.run for event in events)
    return [(event["host"], event["data"]["operation"]) for event in events]


def test_the_attempts_of_a_run_that_was_replaced_left_no_trace(ledger: LedgerClient) -> None:
    ledger.watch()
    for state, options in (("changing", {"step": "update"}), ("failed", {"kind": "step", "error": "exit 3"})):
        for dummy in range(3):
            with pytest.raises(LeaseLost):
                ledger.host(state, "app1", **options)
    assert attempts(ledger) == [(None, "watch"), ("app1", "changing"), ("app1", "failed")]
    newest = ledger.info()["events"][-1]["data"]
    assert newest == {"operation": "failed", "token": 1, "newest_token": 2, "kind": "step", "error": "exit 3"}
    assert ledger.info()["chain"]["intact"]


def test_a_run_that_has_ended_is_no_attempt(ledger: LedgerClient) -> None:
    ledger.token = 2
    ledger.watch()
    assert attempts(ledger) == []


def test_a_run_that_never_was_fills_no_history(ledger: LedgerClient) -> None:
    ledger.run = "made up"
    with pytest.raises(LeaseLost):
        ledger.host("changing", "app1", step="update")
    assert attempts(ledger) == []


def test_a_run_that_never_gives_up_fills_no_disk(ledger: LedgerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused, "MOST", 2)
    for host in ("app1", "app2", "app3", "app4"):
        with pytest.raises(LeaseLost):
            ledger.host("changing", host, step="update", error=json.dumps("x" * 5000))
    assert attempts(ledger) == [("app1", "changing"), ("app2", "changing")]
