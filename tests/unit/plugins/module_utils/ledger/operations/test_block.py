# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A block: who sets and lifts it, what it stops, and what it lets finish."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.ledger_client import START, LedgerClient, fleet, pool

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

ANA = {"user": "ana", "controller": "laptop7"}
BEN = {"user": "ben", "given_by": "AWX", "job": "42"}
EVE = {"user": "eve"}
POLICY = {"max_unavailable": "1", "min_available": "1"}
TEXT = "shop is blocked by ana since 2026-09-21 14:13:20 UTC until 2026-09-21 16:13:20 UTC: the database moves"


@pytest.fixture
def ledger() -> LedgerClient:
    return LedgerClient()


def block(ledger: LedgerClient, **options: t.Any) -> dict[str, t.Any]:
    given_options = {"owner": ANA, "reason": "the database\n moves.", "until": "2h", "lifters": ["ben"], **options}
    return ledger.rollout("blocked", **given_options)


def test_a_blocked_service_is_not_released_and_everybody_reads_who_why_and_until_when(ledger):
    assert block(ledger)["msg"] == TEXT
    for direction in ("forward", "back", "recover"):
        with pytest.raises(RolloutError) as refused:
            ledger.open(direction=direction)
        assert (
            refused.value.message == f"{TEXT}. Nothing was started. ana, ben may lift it before that with unblock.yml."
        )
        assert refused.value.result["kind"] == "blocked"
    assert ledger.info()["text"][0] == TEXT


def test_time_lifts_it(ledger):
    block(ledger)
    ledger.fake.move(2 * 3600)
    assert ledger.open()["run"]
    assert ledger.info()["blocks"] == []


def test_only_who_may_lift_it_lifts_it(ledger):
    block(ledger)
    with pytest.raises(RolloutError) as refused:
        ledger.rollout("unblocked", owner=EVE)
    assert refused.value.message == f"{TEXT}. eve may not change that; ana, ben may."
    with pytest.raises(RolloutError):
        block(ledger, owner=EVE, until="1s")
    with pytest.raises(RolloutError):
        ledger.rollout("unblocked", owner={})
    assert ledger.rollout("unblocked", owner=BEN)["msg"] == "shop: the block (the database moves) is lifted"
    assert not ledger.rollout("unblocked", owner=EVE)["changed"]
    assert ledger.open()["run"]
    kinds = [(event["kind"], event["data"].get("by")) for event in ledger.info()["events"]]
    assert kinds[:2] == [("blocked", ANA), ("unblocked", BEN)]


def test_who_set_it_may_change_it(ledger):
    block(ledger)
    again = block(ledger, reason="it takes longer", until="")
    assert again["msg"] == "shop is blocked by ana since 2026-09-21 14:13:20 UTC until it is lifted: it takes longer"


def test_a_block_of_all_services_is_not_lifted_by_that_of_one(ledger):
    ledger.service = "*"
    block(ledger, owner=BEN, until="2026-09-22 06:00")
    ledger.service = "shop"
    block(ledger)
    lifted = ledger.rollout("unblocked", owner=ANA)
    everything = (
        "all services are blocked by ben (given by AWX) since 2026-09-21 14:13:20 UTC until 2026-09-22 06:00:00 UTC: "
        "the database moves"
    )
    assert lifted["msg"] == f"shop: the block (the database moves) is lifted; still, {everything}"
    with pytest.raises(RolloutError, match="all services are blocked by ben"):
        ledger.open()


def test_a_block_set_while_a_rollout_runs_starts_no_further_host_and_the_next_run_goes_on(ledger):
    """Invariants 6 and 14."""
    ledger.open()
    ledger.plan(fleet(4), policy=POLICY)
    ledger.go("app1")
    ledger.admit("app2")
    block(ledger)
    ledger.host("changing", "app2", step="update")
    ledger.host("proven", "app2", version="2.0.0")
    assert ledger.admit("app3")["reason"] == TEXT
    now = [{**host, "version": "2.0.0" if host["name"] in ("app1", "app2") else "1.0.0"} for host in fleet(4)]
    ended = ledger.rollout("concluded", hosts=now, balancers=[pool(now)])
    assert (ended["outcome"], ended["reason_kind"]) == ("incomplete", "blocked")
    assert ended["message"] == (
        f"shop: 2.0.0 is not complete ({TEXT}); 2 of 4 hosts are in service on 2.0.0. Run the same command again when the "
        "block is lifted or over."
    )
    ledger.rollout("unblocked", owner=ANA)
    assert ledger.open()["resumed"]
    assert ledger.plan(now, policy=POLICY)["order"] == ["app3", "app4"]


def test_what_failed_is_rolled_back_in_spite_of_a_block(ledger):
    ledger.open()
    ledger.plan(fleet(3), policy=POLICY)
    ledger.go("app1")
    ledger.admit("app2")
    ledger.host("changing", "app2", step="update")
    block(ledger)
    assert ledger.host("failed", "app2", kind="health", error="no")["go_back"]
    ledger.host("reverted", "app2", version="1.0.0")
    assert ledger.rollout("reverting")["order"] == ["app1"]
    assert ledger.admit("app1")["verdict"] == "go"


def test_check_mode_sets_and_lifts_nothing(ledger):
    ledger.ledger.check_mode = True
    assert block(ledger)["changed"]
    ledger.ledger.check_mode = False
    assert ledger.info()["blocks"] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reason": " "}, "reason: expected a sentence of at most 300 characters that says why, found 0 characters."),
        ({"until": "2026-09-21 14:00"}, "until: 2026-09-21 14:00:00 UTC is over; expected a time within the next year."),
        ({"until": "2030-01-01"}, "until: 2030-01-01 00:00:00 UTC is more than a year away; expected a time within the next year."),
        ({"until": "tomorrow"}, "until: 'tomorrow' is not a duration; expected seconds, or for example 30s, 5m or 1h30m."),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(ledger, options, message):
    with pytest.raises(InputError) as refused:
        block(ledger, **options)
    assert refused.value.message == message


@given(st.lists(st.tuples(st.sampled_from(["blocked", "unblocked", "move"]), st.sampled_from(["ana", "ben", "eve"]))))
def test_a_service_is_open_exactly_while_nobody_who_may_has_blocked_it(acts: list[tuple[str, str]]) -> None:
    """Against a record of the test's own: who set the block that is in force, and until when."""
    ledger, holder, until = LedgerClient(), "", 0.0
    for act, user in acts:
        if act == "move":
            ledger.fake.move(1800)
            continue
        is_in_force = ledger.fake.time < until
        may = not is_in_force or user in (holder, "ben")
        try:
            block(ledger, owner={"user": user}, until="1h") if act == "blocked" else ledger.rollout(
                act, owner={"user": user}
            )
            assert may or (act == "unblocked" and not is_in_force)
        except RolloutError:
            assert not may
            continue
        holder, until = (user, ledger.fake.time + 3600) if act == "blocked" else ("", 0.0)
    assert bool(ledger.info()["blocks"]) == (ledger.fake.time < until)
    assert ledger.fake.time >= START
