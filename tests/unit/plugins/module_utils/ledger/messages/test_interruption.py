# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message to an operator who has interrupted a run."""

from __future__ import annotations

import pytest
from support.ledger_client import DRAINED, LedgerClient, fleet, pool


@pytest.fixture
def ledger() -> LedgerClient:
    client = LedgerClient()
    client.open()
    client.plan(fleet(6), balancers=[pool(fleet(6))], policy={"max_unavailable": "3", "min_available": "0"})
    return client


def lines_of(ledger: LedgerClient, **drained: dict[str, str]) -> list[str]:
    return list(ledger.watch(balancers=[pool(fleet(6), **drained)])["if_interrupted"])


def test_with_no_host_in_flight_only_the_rerun_is_explained(ledger: LedgerClient) -> None:
    assert lines_of(ledger) == [
        "Run the same command again to resume the rollout of 2.0.0; to roll back, add -e rollout_resume=revert."
    ]


def test_hosts_are_named_with_what_was_done_to_them(ledger: LedgerClient) -> None:
    for app in ("app1", "app2", "app3"):
        ledger.admit(app)
    ledger.host("changing", "app1", step="update")
    ledger.host("changing", "app2", step="drain", modifies=False)
    assert lines_of(ledger, app1=DRAINED, app2=DRAINED) == [
        "app1: drained on lb1; may be half-updated to 2.0.0 at the step 'update'",
        "app2: drained on lb1; not changed yet, still on 1.0.0 at the step 'drain'",
        "app3: not drained when the balancers were last read; not changed yet, still on 1.0.0",
        "Run the same command again to repair these hosts first and then resume the rollout of 2.0.0; to roll back, add "
        "-e rollout_resume=revert; to only put drained hosts back in service, run recover.yml.",
    ]


def test_a_host_that_failed_and_stays_drained_is_named_too(ledger: LedgerClient) -> None:
    ledger.admit("app1")
    ledger.host("stuck", "app1", kind="restore", error="lb1 does not answer")
    ledger.rollout("reverting")
    assert lines_of(ledger, app1=DRAINED)[0] == "app1: drained earlier by this rollout"


def test_a_rollback_is_finished_by_the_same_command(ledger: LedgerClient) -> None:
    ledger.go("app1")
    ledger.admit("app2")
    ledger.host("failed", "app2", kind="health", error="HTTP 500")
    ledger.host("reverted", "app2", version="1.0.0")
    ledger.rollout("reverting")
    assert lines_of(ledger) == ["Run the same command again to finish the rollback of 2.0.0."]
