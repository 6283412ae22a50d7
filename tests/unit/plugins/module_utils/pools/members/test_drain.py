"""When a member is where it is wanted, and the sentence for one that is not."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from support.pools import FakePool, ManualClock, member

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    DRAINED,
    IN_SERVICE,
    MAINTENANCE,
    Snapshot,
    Unreachable,
)
from ansible_collections.steady.rollout.plugins.module_utils.pools.members import drain
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Verdict

REACHED, NOT_YET, IMPOSSIBLE = Verdict.REACHED, Verdict.NOT_YET, Verdict.IMPOSSIBLE
SOMEBODY = "Find out what changes it besides this call, then run again."
LOOK = "Check its service and its health check."


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, REACHED),
        ({"sessions": 1}, NOT_YET),
        ({"queue": 1}, NOT_YET),
        ({"old_sessions": 1}, NOT_YET),
        ({"old_sessions": None}, REACHED),
        ({"operational": "down"}, REACHED),
        ({"own": MAINTENANCE}, REACHED),
        ({"own": IN_SERVICE}, IMPOSSIBLE),
        # The member it tracks is drained, its own drain is gone.
        ({"own": IN_SERVICE, "admin": DRAINED}, IMPOSSIBLE),
    ],
)
def test_drained(changes: dict[str, t.Any], expected: Verdict) -> None:
    assert drain.verdict(DRAINED, member("a", **{"own": DRAINED, **changes})) is expected


OUT = {"usable": False, "in_rotation": False}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, REACHED),
        ({"sessions": 5}, REACHED),
        ({"operational": "no_check"}, REACHED),
        ({"backup": True, "in_rotation": False}, REACHED),
        ({"operational": "down", **OUT}, NOT_YET),
        ({"operational": "going_down"}, NOT_YET),
        ({"operational": "starting"}, NOT_YET),
        ({"operational": "stopping", **OUT}, NOT_YET),
        ({"admin": MAINTENANCE, **OUT}, NOT_YET),
        ({"weight": 0, **OUT}, IMPOSSIBLE),
        ({"weight": 0, "agent": True, **OUT}, NOT_YET),
        ({"own": DRAINED, "admin": DRAINED, **OUT}, IMPOSSIBLE),
    ],
)
def test_in_service(changes: dict[str, t.Any], expected: Verdict) -> None:
    assert drain.verdict(IN_SERVICE, member("a", **changes)) is expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, REACHED),
        ({"operational": "no_check"}, REACHED),
        ({"operational": "down"}, NOT_YET),
        ({"operational": "going_down"}, NOT_YET),
        ({"admin": MAINTENANCE}, NOT_YET),
        ({"own": DRAINED, "admin": DRAINED}, IMPOSSIBLE),
    ],
)
def test_in_service_without_a_weight(changes: dict[str, t.Any], expected: Verdict) -> None:
    idle = member("a", **{"weight": 0, **OUT, **changes})
    assert drain.verdict(IN_SERVICE, idle, require_weight=False) is expected


def test_a_member_that_vanished() -> None:
    for state in (DRAINED, IN_SERVICE):
        assert drain.verdict(state, None) is IMPOSSIBLE
        assert drain.shortfall(state, None) == ("is gone from the pool", SOMEBODY)


@pytest.mark.parametrize(
    ("state", "changes", "forced", "what", "advice"),
    [
        (
            DRAINED,
            {"own": DRAINED, "sessions": 2, "queue": 1, "old_sessions": 3},
            False,
            "still has sessions: 2 in flight, 1 queued, 3 in processes that a reload left behind",
            "It stays out of rotation: wait longer (timeout), or end what is left with on_timeout=force.",
        ),
        (
            DRAINED,
            {"own": DRAINED, "sessions": 2},
            True,
            "still has sessions: 2 in flight",
            "Sessions were ended but new ones came, from clients tied to it: state=maintenance sends those elsewhere.",
        ),
        (
            DRAINED,
            {"own": DRAINED, "old_sessions": 2},
            True,
            "still has sessions: 2 in processes that a reload left behind",
            "An old process has no command to end sessions: wait for it, set 'hard-stop-after', or stop that process.",
        ),
        (DRAINED, {}, False, "was put back in service by somebody else or a reload", SOMEBODY),
        (
            DRAINED,
            {"agent": True},
            False,
            "was put back in service by its agent check, somebody else or a reload",
            SOMEBODY,
        ),
        (IN_SERVICE, {"own": DRAINED}, False, "was put in drained by somebody else or a reload", SOMEBODY),
        (IN_SERVICE, {"operational": "down"}, False, "is DOWN", LOOK),
        (
            IN_SERVICE,
            {"operational": "down", "check": "L4CON Connection refused"},
            False,
            "is DOWN, last check: L4CON Connection refused",
            LOOK,
        ),
        (IN_SERVICE, {"operational": "going_down"}, False, "is up but its checks do not pass yet", LOOK),
        (IN_SERVICE, {"operational": "starting"}, False, "is still in its slow start", LOOK),
        (IN_SERVICE, {"operational": "stopping"}, False, "reports by its check that it is stopping", LOOK),
        (IN_SERVICE, {"weight": 0}, False, "has weight 0 and so takes no traffic", "Give it a weight first."),
        (
            IN_SERVICE,
            {"admin": MAINTENANCE, "tracks": "shop/b"},
            False,
            "is in maintenance because 'shop/b', which it tracks, is",
            "Put 'shop/b' in service.",
        ),
        (
            IN_SERVICE,
            {"admin": MAINTENANCE},
            False,
            "is in maintenance because its address cannot be resolved",
            "Check the resolvers of the load balancer.",
        ),
    ],
)
def test_what_is_said(state: str, changes: dict[str, t.Any], forced: bool, what: str, advice: str) -> None:
    assert drain.shortfall(state, member("a", **changes), forced) == (what, advice)


def test_several_members_in_one_sentence_with_each_advice_once() -> None:
    seen = {"a": member("a", operational="down"), "b": member("b", operational="down"), "c": member("c", weight=0)}
    assert drain.explain(dict.fromkeys("abc", IN_SERVICE), seen, ["a", "b", "c"], forced=False) == (
        "'a' is DOWN; 'b' is DOWN; 'c' has weight 0 and so takes no traffic",
        f"{LOOK} Give it a weight first.",
    )


def test_the_first_snapshot_survives_the_gap_of_a_reload() -> None:
    pool, time = FakePool(member("a")), ManualClock()
    pool.silent = True
    time.at(0.5, lambda: setattr(pool, "silent", False))
    assert list(drain.first_snapshot(pool, time.clock).members) == ["a"]


def test_the_first_snapshot_does_not_wait_for_a_dead_node() -> None:
    pool, time = FakePool(member("a")), ManualClock()
    pool.silent = True
    with pytest.raises(Unreachable):
        drain.first_snapshot(pool, time.clock)
    assert time.now < 1.2


def test_a_watch_waits_for_a_silent_node_and_says_at_the_end_that_it_did_not_answer() -> None:
    pool, time = FakePool(member("a", DRAINED)), ManualClock()
    watch = drain.Watch(pool, {"a": DRAINED}, time.clock)
    assert watch.poll() == {"a": REACHED}
    pool.silent = True
    time.sleep(30)
    assert watch.poll() == {"a": NOT_YET}
    with pytest.raises(Unreachable) as caught:
        watch.require_answer()
    assert caught.value.message == "lb1: does not answer. It has not answered for 30 s."
    pool.silent = False
    assert watch.poll() == {"a": REACHED}
    watch.require_answer()


class CheapPool(FakePool):
    """Tells what is in flight to single members, and nothing else, without reading all of the pool."""

    def __init__(self, *members: t.Any) -> None:
        super().__init__(*members)
        self.refreshes: list[list[str]] = []

    def refreshed(self, snapshot: Snapshot, members: t.Sequence[str]) -> Snapshot:
        self.refreshes.append(list(members))
        fresh = {
            name: dataclasses.replace(snapshot.members[name], sessions=self.members[name].sessions) for name in members
        }
        return dataclasses.replace(snapshot, members={**snapshot.members, **fresh})


def test_a_drain_reads_only_the_members_that_it_waits_for() -> None:
    pool, time = CheapPool(member("a", DRAINED, sessions=1), member("b")), ManualClock()
    watch = drain.Watch(pool, {"a": DRAINED}, time.clock)
    for _poll in range(20):
        assert watch.poll() == {"a": NOT_YET}
        time.sleep(0.04)
    assert (pool.looks, pool.refreshes) == (1, [["a"]] * 19)


def test_all_of_the_pool_decides_that_a_drain_is_over() -> None:
    pool, time = CheapPool(member("a", DRAINED, sessions=1)), ManualClock()
    watch = drain.Watch(pool, {"a": DRAINED}, time.clock)
    watch.poll()
    pool.operator_sets("a", IN_SERVICE)
    pool.change("a", sessions=0)
    assert watch.poll() == {"a": REACHED}
    assert watch.poll() == {"a": IMPOSSIBLE}


def test_what_somebody_else_changes_is_seen_within_a_second() -> None:
    pool, time = CheapPool(member("a", DRAINED, sessions=1)), ManualClock()
    watch = drain.Watch(pool, {"a": DRAINED}, time.clock)
    watch.poll()
    pool.operator_sets("a", IN_SERVICE)
    time.sleep(1.0)
    assert watch.poll() == {"a": IMPOSSIBLE}


def test_a_wait_for_service_sees_within_a_second_what_a_poll_does_not_show() -> None:
    pool, time = CheapPool(member("a", operational="down", usable=False)), ManualClock()
    watch = drain.Watch(pool, {"a": IN_SERVICE}, time.clock)
    watch.poll()
    pool.change("a", operational="up", usable=True)
    assert watch.poll() == {"a": NOT_YET}
    time.sleep(1.0)
    assert watch.poll() == {"a": REACHED}


def test_what_was_decided_is_confirmed_by_what_is_in_flight() -> None:
    """Each of the three polls that have to agree read all of the pool."""
    pool, time = CheapPool(member("a", DRAINED)), ManualClock()
    watch = drain.Watch(pool, {"a": DRAINED}, time.clock)
    assert [watch.poll() for _poll in range(3)] == [{"a": REACHED}] * 3
    assert (pool.looks, pool.refreshes) == (1, [["a"]] * 2)
    pool.change("a", sessions=1)
    assert watch.poll() == {"a": NOT_YET}
    pool.change("a", sessions=0)
    assert [watch.poll() for _poll in range(3)] == [{"a": REACHED}] * 3
    assert (pool.looks, len(pool.refreshes)) == (2, 5)
