# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Approvals of a plan: whose count, for what, how long, and once."""

from __future__ import annotations

import re
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ledger_client import START, LedgerClient, fleet, pool

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.approve import give, show_requests

POLICY = {"max_unavailable": "1", "min_available": "1"}
APPROVALS = {"required": 2, "approvers": ["ana", "ben", "cem"], "valid_for": "1h", "content": {"artifact": "sha256:1"}}
PLAN = re.compile(r"plan ([0-9a-f]{12}) ")


@pytest.fixture
def ledger() -> LedgerClient:
    return LedgerClient()


def start(
    ledger: LedgerClient, user: str = "ops", hosts: list[dict[str, t.Any]] | None = None, **options: t.Any
) -> dict[str, t.Any]:
    """As the playbook does: a plan that is refused releases the lease."""
    ledger.open(owner={"user": user}, version=options.pop("version", "2.0.0"))
    wanted = {"policy": POLICY, "approvals": {**APPROVALS, **options.pop("approvals", {})}, **options}
    try:
        return ledger.plan(hosts or fleet(3), **wanted)
    except RolloutError as refused:
        ledger.rollout("concluded", refused=refused.message)
        raise


def refused(ledger: LedgerClient, **options: t.Any) -> str:
    with pytest.raises(RolloutError) as error:
        start(ledger, **options)
    assert error.value.result["kind"] == "not_approved"
    return error.value.message


def plan_of(message: str) -> str:
    found = PLAN.search(message)
    assert found is not None, message
    return found[1]


def approve(ledger: LedgerClient, plan: str, user: str, **owner: str) -> dict[str, t.Any]:
    return give(ledger.ledger, {"service": "shop", "plan": plan, "owner": {"user": user, **owner}})


def not_given(ledger: LedgerClient, plan: str, user: str) -> str:
    with pytest.raises(RolloutError) as error:
        approve(ledger, plan, user)
    return error.value.message


def test_two_others_approve_and_the_rollout_starts(ledger):
    message = refused(ledger)
    plan = plan_of(message)
    assert message == (
        f"shop: 2 approvals of plan {plan} (2.0.0) are needed, 0 given. Others approve it with approve.yml -e "
        f"rollout_plan={plan}; then run the same command again."
    )
    approve(ledger, plan, "ana")
    assert "are needed, 1 given (ana). Others approve" in refused(ledger)
    given_by_awx = approve(ledger, plan, "ben", given_by="AWX", job="42")
    assert given_by_awx["msg"] == f"shop: plan {plan} is approved by ben (given by AWX) until 2026-09-21 15:13:20 UTC"
    answer = start(ledger)
    assert answer["notes"] == [f"plan {plan} is approved by ana, ben"]
    assert ledger.admit("app1")["verdict"] == "go"
    events = {event["kind"]: event["data"] for event in ledger.info()["events"]}
    assert events["approved"]["by"] == {"user": "ben", "given_by": "AWX", "job": "42"}


def test_what_waits_is_shown_with_what_it_does(ledger):
    plan = plan_of(refused(ledger))
    shown = show_requests(ledger.ledger, {"service": "shop"})
    assert shown["text"][:2] == [
        f"shop: plan {plan} was asked for by ops at 2026-09-21 14:13:20 UTC; 2 approvals needed, given by nobody yet",
        "  shop: 3 of 3 hosts to 2.0.0, stages 3",
    ]
    for user in ("ana", "ben"):
        approve(ledger, plan, user)
    start(ledger)
    assert show_requests(ledger.ledger, {"service": "shop"})["text"] == ["shop: no plan waits for approvals"]


def test_the_requesters_own_does_not_count(ledger):
    plan = plan_of(refused(ledger, user="ana"))
    assert (
        not_given(ledger, plan, "ana")
        == f"shop: ana asked for plan {plan} and cannot approve it; somebody else has to."
    )


def test_nor_does_that_of_who_runs_it_after_somebody_else_asked(ledger):
    plan = plan_of(refused(ledger, user="ops"))
    for user in ("ana", "ben"):
        approve(ledger, plan, user)
    assert "1 given (ben). Not counted: ana (asked for it)." in refused(ledger, user="ana")


def test_only_approvers_approve(ledger):
    plan = plan_of(refused(ledger))
    assert not_given(ledger, plan, "eve") == f"shop: eve may not approve plan {plan}; ana, ben, cem may."
    assert not_given(ledger, plan, "") == "shop: nobody is named who approves."
    approve(ledger, plan, "ana")
    approve(ledger, plan, "ben")
    assert "1 given (ana). Not counted: ben (may not approve it)." in refused(
        ledger, approvals={"approvers": ["ana", "cem"]}
    )


def test_an_approval_expires(ledger):
    plan = plan_of(refused(ledger))
    approve(ledger, plan, "ana")
    ledger.fake.move(3000)
    approve(ledger, plan, "ben")
    ledger.fake.move(600)
    assert "1 given (ben). Not counted: ana (expired at 2026-09-21 15:13:20 UTC)." in refused(ledger)
    assert approve(ledger, plan, "ana")["changed"]
    assert start(ledger)["order"]


def test_a_forged_row_is_not_in_the_history(ledger):
    plan = plan_of(refused(ledger))
    approve(ledger, plan, "ana")
    ledger.store.connection.execute(
        "INSERT INTO approval SELECT service, plan, 'ben', replace(by, 'ana', 'ben'), at, until, event, used_by FROM approval"
    )
    assert "1 given (ana). Not counted: ben (not in the history)." in refused(ledger)


def test_a_forged_history_approves_nothing(ledger):
    plan = plan_of(refused(ledger))
    approve(ledger, plan, "ana")
    approve(ledger, plan, "ben")
    ledger.store.connection.execute("DROP TRIGGER event_is_not_changed")
    ledger.store.connection.execute("UPDATE event SET data = replace(data, 'ben', 'cem') WHERE kind = 'approved'")
    assert "0 given. Not counted: ana (not in the history), ben (not in the history)." in refused(ledger)


def test_an_approval_is_used_once(ledger):
    plan = plan_of(refused(ledger))
    for user in ("ana", "ben"):
        approve(ledger, plan, user)
    start(ledger)
    ledger.admit("app1")
    ledger.host("failed", "app1", kind="health", error="no")
    ledger.rollout("reverting")
    ledger.host("reverted", "app1", version="1.0.0")
    ledger.rollout("concluded", hosts=fleet(3), balancers=[pool(fleet(3))])
    ledger.open(owner={"user": "ops"}, allow_bad=True)
    with pytest.raises(RolloutError) as error:
        ledger.plan(fleet(3), policy=POLICY, approvals=APPROVALS)
    assert "0 given. Not counted: ana (used by rollout" in error.value.message


def test_an_interrupted_rollout_goes_on_with_its_approvals_also_when_they_are_over(ledger):
    """Invariant 14."""
    plan = plan_of(refused(ledger))
    for user in ("ana", "ben"):
        approve(ledger, plan, user)
    start(ledger)
    ledger.go("app1")
    ledger.fake.move(10 * 3600)
    now = [{**host, "version": "2.0.0" if host["name"] == "app1" else "1.0.0"} for host in fleet(3)]
    assert start(ledger, hosts=now)["order"] == ["app2", "app3"]


@pytest.mark.parametrize(
    "change",
    [
        {"hosts": fleet(4)},
        {"policy": {**POLICY, "max_unavailable": "2"}},
        {"approvals": {"content": {"artifact": "sha256:2"}}},
        {"version": "2.0.1"},
    ],
)
def test_a_changed_plan_is_another_plan(ledger, change):
    plan = plan_of(refused(ledger))
    for user in ("ana", "ben"):
        approve(ledger, plan, user)
    message = refused(ledger, **change)
    assert plan_of(message) != plan
    assert "Approvals of another plan do not count: this one is not what was approved." in message
    assert start(ledger)["order"]


def test_a_plan_that_nobody_asked_for_cannot_be_approved(ledger):
    refused(ledger)
    for plan in ("0123456789ab", "", "01"):
        assert not_given(ledger, plan, "ana").startswith(f"shop: no plan '{plan}' was asked for;")


def test_a_run_without_changes_and_a_rollback_need_no_approval(ledger):
    """Invariant 18."""
    on_it = [{**host, "version": "2.0.0"} for host in fleet(3)]
    assert start(ledger, hosts=on_it)["nothing_to_do"]


def test_check_mode_says_what_is_missing_and_asks_for_nothing(ledger):
    ledger.ledger.check_mode = True
    ledger.open(owner={"user": "ops"})
    ledger.run = None
    answer = ledger.plan(fleet(3), version="2.0.0", policy=POLICY, approvals=APPROVALS)
    assert "2 approvals of plan" in answer["notes"][0]
    assert show_requests(ledger.ledger, {"service": "shop"})["requests"] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"required": -1}, "approvals.required: -1 is out of range; expected from 0 to 100."),
        (
            {"approvers": ["ana"]},
            "approvals.required: 2 approvals are needed and only 1 users may give one (ana); name more in approvers.",
        ),
        ({"valid_for": "0"}, "approvals.valid_for: expected more than 0 s, found 0."),
    ],
)
def test_settings_that_cannot_be_met_are_refused(ledger, change, message):
    with pytest.raises(InputError) as error:
        start(ledger, approvals=change)
    assert error.value.message == message


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from(["ana", "ben", "cem", "ops", "eve", "wait"]), st.integers(0, 1))),
    st.sampled_from(["ops", "ana"]),
)
def test_it_starts_exactly_with_enough_valid_approvals_of_others(acts: list[tuple[str, int]], runner: str) -> None:
    """Against a record of the test's own."""
    ledger, approved_until = LedgerClient(), {}
    plan = plan_of(refused(ledger))
    for user, dummy in acts:
        if user == "wait":
            ledger.fake.move(1700)
            continue
        try:
            approve(ledger, plan, user)
        except RolloutError:
            assert user in ("ops", "eve")
            continue
        if approved_until.get(user, 0.0) <= ledger.fake.time:
            approved_until[user] = ledger.fake.time + 3600
    valid = [user for user, until in approved_until.items() if until > ledger.fake.time and user not in ("ops", runner)]
    if len(valid) >= 2:
        assert start(ledger, user=runner)["order"]
    else:
        refused(ledger, user=runner)
    assert ledger.fake.time >= START
