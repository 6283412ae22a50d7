"""What is changed, who is left alone, and what is refused."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pools import member, snapshot

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    ADMIN_STATES,
    DRAINED,
    IN_SERVICE,
    MAINTENANCE,
    Snapshot,
)
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.plan import (
    Guard,
    Plan,
    Zone,
    make_plan,
    refusal,
)

POOL = snapshot(member("a"), member("b", DRAINED), member("c", MAINTENANCE))
THREE = snapshot(member("a"), member("b"), member("c"))


def test_only_what_differs_is_changed() -> None:
    wanted = dict.fromkeys("abc", DRAINED)
    assert make_plan(POOL, wanted, None) == Plan({"a": DRAINED, "c": DRAINED}, [])


def test_who_is_in_another_state_than_allowed_is_foreign() -> None:
    wanted = dict.fromkeys("abc", DRAINED)
    plan = make_plan(POOL, wanted, [IN_SERVICE])
    assert plan == Plan({"a": DRAINED}, ["c"])
    assert plan.concerns(wanted) == {"a": DRAINED, "b": DRAINED}


def test_an_inherited_state_is_not_taken_for_its_own() -> None:
    pool = snapshot(member("a", admin=MAINTENANCE, usable=False, in_rotation=False, tracks="shop/b"))
    assert make_plan(pool, {"a": IN_SERVICE}, [DRAINED]) == Plan({}, [])
    assert make_plan(pool, {"a": DRAINED}, [IN_SERVICE]) == Plan({"a": DRAINED}, [])


def refused(guard: Guard, pool: Snapshot, *names: str, state: str = DRAINED) -> str:
    return refusal(guard, pool, dict.fromkeys(names, state))


@pytest.mark.parametrize("state", [DRAINED, MAINTENANCE])
def test_the_last_one_stays(state: str) -> None:
    one = snapshot(member("a"), member("b", DRAINED), member("c", weight=0, usable=False, in_rotation=False))
    reason = "no member would be left in rotation (guard.allow_outage permits that)"
    assert refused(Guard(), one, "a", state=state) == reason
    assert refused(Guard(), THREE, "a", "b", "c", state=state) == reason
    assert refused(Guard(allow_outage=True), one, "a", state=state) == ""
    assert refused(Guard(), THREE, "a", "b", state=state) == ""


def test_a_standing_by_backup_is_not_one_more_in_rotation() -> None:
    pool = snapshot(member("a"), member("spare", backup=True, in_rotation=False))
    assert refused(Guard(), pool, "a") != ""
    assert refused(Guard(), pool, "spare") == ""


def test_the_floor() -> None:
    guard = Guard(min_in_service=2)
    assert refused(guard, THREE, "a") == ""
    assert refused(guard, THREE, "a", "b") == "1 would be left in rotation, the minimum is 2"


def test_below_the_floor_nothing_makes_it_lower_and_nothing_else_is_refused() -> None:
    pool = snapshot(member("a"), member("b"), member("c", DRAINED), member("d", usable=False, in_rotation=False))
    guard = Guard(min_in_service=4)
    assert refused(guard, pool, "a") == "1 would be left in rotation, the minimum is 4"
    assert refused(guard, pool, "c", state=MAINTENANCE) == ""
    assert refused(guard, pool, "d") == ""
    assert refused(guard, pool, "c", state=IN_SERVICE) == ""


def test_the_window_counts_whoever_is_out() -> None:
    pool = snapshot(member("a"), member("b"), member("c", DRAINED), member("d", usable=False, in_rotation=False))
    assert refused(Guard(max_out_of_service=3), pool, "a") == ""
    assert refused(Guard(max_out_of_service=2), pool, "a") == (
        "3 would be out of service ('a', 'c', 'd'), at most 2 may be"
    )
    spare = snapshot(member("a"), member("b"), member("spare", backup=True, in_rotation=False))
    assert refused(Guard(max_out_of_service=1), spare, "a") == ""


def test_the_floor_of_a_zone() -> None:
    guard = Guard(zones=(Zone("x", ("a", "b"), 1), Zone("y", ("c", "not-here"), 2)))
    assert refused(guard, THREE, "a") == ""
    assert refused(guard, THREE, "a", "b") == "0 would be left in rotation in zone 'x', its minimum is 1"
    assert refused(guard, THREE, "c") == "0 would be left in rotation in zone 'y', its minimum is 2"


def test_who_tracks_a_leaving_member_leaves_with_it() -> None:
    pool = snapshot(member("a"), member("b", tracks="shop/a"), member("c", tracks="other/a"))
    assert refused(Guard(min_in_service=2), pool, "a") == "1 would be left in rotation, the minimum is 2"
    assert refused(Guard(min_in_service=1), pool, "a") == ""


def test_one_that_comes_does_not_pay_for_one_that_goes() -> None:
    pool = snapshot(member("a"), member("b", DRAINED))
    assert refusal(Guard(), pool, {"a": DRAINED, "b": IN_SERVICE}) != ""


def _member(name: str, kind: str) -> t.Any:
    return {
        "in": lambda: member(name),
        "drained": lambda: member(name, DRAINED),
        "maintenance": lambda: member(name, MAINTENANCE),
        "down": lambda: member(name, operational="down", usable=False, in_rotation=False),
        "backup": lambda: member(name, backup=True, in_rotation=False),
    }[kind]()


NAMES = "abcdef"
pools = st.lists(st.sampled_from(["in", "drained", "maintenance", "down", "backup"]), min_size=1, max_size=6).map(
    lambda kinds: snapshot(*(_member(name, kind) for name, kind in zip(NAMES, kinds)))
)
guards = st.builds(
    Guard,
    min_in_service=st.none() | st.integers(0, 6),
    max_out_of_service=st.none() | st.integers(0, 6),
    zones=st.lists(
        st.builds(Zone, st.just("z"), st.sets(st.sampled_from(NAMES)).map(tuple), st.integers(0, 3)), max_size=2
    ).map(tuple),
)


@given(pool=pools, guard=guards, wanted=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(ADMIN_STATES)))
def test_what_is_not_refused_keeps_every_bound_or_lowers_nothing(
    pool: Snapshot, guard: Guard, wanted: dict[str, str]
) -> None:
    changes = {name: state for name, state in wanted.items() if name in pool.members}
    before = set(pool.in_rotation)
    after = {name for name in before if changes.get(name, IN_SERVICE) == IN_SERVICE}
    if refusal(guard, pool, changes) or after == before:
        return
    assert after
    assert guard.min_in_service is None or len(after) >= guard.min_in_service
    out = [name for name, one in pool.members.items() if not one.usable or name in before - after]
    assert guard.max_out_of_service is None or len(out) <= guard.max_out_of_service
    for zone in guard.zones:
        lowered = (before - after).intersection(zone.members)
        assert not lowered or len(after.intersection(zone.members)) >= zone.min_in_service


@given(pool=pools, guard=guards, wanted=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(ADMIN_STATES)))
def test_a_call_that_lowers_nothing_is_never_refused(pool: Snapshot, guard: Guard, wanted: dict[str, str]) -> None:
    changes = {name: state for name, state in wanted.items() if name in pool.members and name not in pool.in_rotation}
    assert refusal(guard, pool, changes) == ""
