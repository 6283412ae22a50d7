# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout in a maintenance window: it stops admitting in time, ends incomplete, and the same call goes on in the next."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ledger_client import START, LedgerClient, fleet, pool

NEXT = "the next window opens at 2026-11-26 02:00 CET"
POLICY = {"max_unavailable": "1", "min_available": "1"}


@pytest.fixture
def ledger() -> LedgerClient:
    return LedgerClient()


def planned(ledger, hosts, closes, host_seconds="40", policy=None, **options):
    ledger.open()
    return ledger.plan(
        hosts, policy={**POLICY, **(policy or {})}, window={"closes": closes, "host_seconds": host_seconds, "next": NEXT}, **options
    )  # fmt: skip


def conclude(ledger, hosts):
    return ledger.rollout("concluded", hosts=hosts, balancers=[pool(hosts)])


def go_slowly(ledger, name, seconds):
    if ledger.admit(name)["verdict"] != "go":
        return False
    ledger.fake.move(seconds)
    ledger.host("proven", name, version="2.0.0")
    return True


def seen(done, count):
    return [{**host, "version": "2.0.0" if host["name"] in done else "1.0.0"} for host in fleet(count)]


def test_a_window_that_closes_midway_leaves_an_incomplete_rollout_that_the_next_run_goes_on_with(ledger):
    """Invariants 6 and 14."""
    planned(ledger, fleet(4), {"": START + 100})
    done = [name for name in ("app1", "app2", "app3", "app4") if go_slowly(ledger, name, 30)]
    assert done == ["app1", "app2", "app3"]
    ended = conclude(ledger, seen(done, 4))
    assert (ended["succeeded"], ended["outcome"], ended["reason_kind"]) == (False, "incomplete", "window")
    again = ledger.open()
    assert again["resumed"]
    plan = ledger.plan(seen(done, 4), policy=POLICY, window={"closes": {"": ledger.fake.time + 1000}})
    assert plan["order"] == ["app4"]
    assert all(go_slowly(ledger, name, 30) for name in plan["order"])
    assert conclude(ledger, seen(["app1", "app2", "app3", "app4"], 4))["succeeded"]


def test_the_last_line_says_why_it_stopped_and_when_to_go_on(ledger):
    planned(ledger, fleet(3), {"": START + 60})
    assert go_slowly(ledger, "app1", 30)
    answer = ledger.admit("app2")
    assert (answer["verdict"], answer["waiting_for"]) == ("stop", "window")
    assert (
        answer["reason"] == "the maintenance window closes at 2026-09-21 14:14:20 UTC, in 30 s, and a host takes 40 s"
    )
    assert conclude(ledger, seen(["app1"], 3))["message"] == (
        f"shop: 2.0.0 is not complete ({answer['reason']}); 1 of 3 hosts are in service on 2.0.0. Run the same command "
        f"again in the next maintenance window: {NEXT}."
    )


def test_it_does_not_wait_for_a_bake_that_ends_after_the_window(ledger):
    planned(ledger, fleet(3), {"": START + 100}, policy={"stages": ["1", "100%"], "bake_time": 90})
    assert go_slowly(ledger, "app1", 10)
    answer = ledger.admit("app2", timeout=None)
    assert answer["verdict"] == "stop"
    assert answer["reason"] == (
        "stage 1 bakes until 2026-09-21 14:15:00 UTC: the maintenance window closed at 2026-09-21 14:15:00 UTC"
    )


def test_a_rollback_continues_after_the_window(ledger):
    planned(ledger, fleet(3), {"": START + 60})
    assert go_slowly(ledger, "app1", 10)
    ledger.admit("app2")
    ledger.host("changing", "app2", step="update")
    ledger.fake.move(100)
    assert ledger.host("failed", "app2", kind="health", error="no")["go_back"]
    ledger.host("reverted", "app2", version="1.0.0")
    assert ledger.rollout("reverting")["order"] == ["app1"]
    assert ledger.admit("app1")["verdict"] == "go"


def test_hosts_of_a_closed_site_are_left_for_a_later_run_and_hold_up_no_host(ledger):
    hosts = fleet(4, zones=("eu", "us"))
    plan = planned(ledger, hosts, {"eu": START + 1000, "us": 0, "": 0})
    assert plan["order"] == ["app1", "app3"]
    assert plan["excluded"] == [
        {"host": name, "why": "outside the maintenance window of us"} for name in ("app2", "app4")
    ]
    assert go_slowly(ledger, "app1", 10)
    assert go_slowly(ledger, "app3", 10)
    now = [{**host, "version": "2.0.0" if host["zone"] == "eu" else "1.0.0"} for host in hosts]
    ended = conclude(ledger, now)
    assert (ended["outcome"], ended["reason_kind"]) == ("incomplete", "window")
    ledger.open()
    later = ledger.plan(now, policy=POLICY, window={"closes": {"eu": 0, "us": ledger.fake.time + 1000, "": 0}})
    assert later["order"] == ["app2", "app4"]


def test_the_time_of_a_host_is_taken_from_the_history(ledger):
    ledger.open(version="1.0.0")
    ledger.plan(fleet(4, version="0.9.0"), policy=POLICY)
    for name, seconds in {"app1": 10, "app2": 20, "app3": 30, "app4": 90}.items():
        ledger.admit(name)
        ledger.fake.move(seconds)
        ledger.host("proven", name, version="1.0.0")
    conclude(ledger, fleet(4))
    assert ledger.info()["host_seconds"] == {"hosts": 4, "median": 20.0, "p95": 90.0}
    plan = planned(ledger, fleet(4), {"": ledger.fake.time + 89}, host_seconds="")
    assert plan["notes"] == [
        "the maintenance window closes in 89 s; a host takes at most about 90 s, all of them about 150 s: what does not "
        "fit is left for the next window"
    ]
    assert ledger.admit("app1")["verdict"] == "stop"


def test_an_override_is_in_the_history(ledger):
    ledger.open()
    ledger.plan(fleet(2), policy=POLICY, window={"closes": {}, "override": "INC-4711"})
    assert ledger.admit("app1")["verdict"] == "go"
    events = [event for event in ledger.info()["events"] if event["kind"] == "window_overridden"]
    assert [event["data"] for event in events] == [{"reason": "INC-4711"}]


@settings(max_examples=60)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=8), st.integers(0, 200), st.integers(0, 60))
def test_no_host_starts_that_would_not_be_done_in_time_and_none_is_left_out_that_would(
    takes: list[int], closes_in: int, host_seconds: int
) -> None:
    """Invariant 6: a rollout that ran out of its window starts no new host."""
    ledger = LedgerClient()
    planned(ledger, fleet(len(takes)), {"": START + closes_in}, host_seconds=str(host_seconds))
    begun_at = START
    for number, seconds in enumerate(takes, start=1):
        begun_at = ledger.fake.time
        fits = closes_in > 0 and begun_at + host_seconds <= START + closes_in and begun_at < START + closes_in
        assert go_slowly(ledger, f"app{number}", seconds) == fits
