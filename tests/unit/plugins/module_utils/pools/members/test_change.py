"""lb_member on a pool in memory: what it does in which order, and what it answers."""

from __future__ import annotations

import functools
import json
import pathlib
import typing as t

import pytest
from support.cores import params_of
from support.pools import FakePool, ManualClock, member

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    CAN_DRAIN,
    DRAINED,
    IN_SERVICE,
    MAINTENANCE,
)
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.change import MemberChange
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.request import Request
from ansible_collections.steady.rollout.plugins.modules import lb_member

Result = t.Dict[str, t.Any]


class MemberCalls:
    """Calls lb_member on *pool*, with a clock that only sleeping moves."""

    def __init__(self, pool: FakePool, directory: pathlib.Path) -> None:
        self.pool = pool
        self.time = ManualClock()
        self.warnings: list[str] = []
        self.claim: dict[str, t.Any] = {
            "service": "shop",
            "ledger": "ours",
            "token": 3,
            "coordinator": "",
            "directory": str(directory),
        }

    def put(self, check_mode: bool = False, diff: bool = False, **options: t.Any) -> Result:
        options.setdefault("claim", self.claim)
        options["balancer"] = {"socket": "/unused", "pool": "shop"}
        call = Call(params_of(lb_member, options), check_mode, diff, self.warnings.append, _no_commands)
        return MemberChange(Request.from_params(call.params), self.pool, call, self.time.clock).run()

    def fails(self, **options: t.Any) -> tuple[str, Result]:
        with pytest.raises(RolloutError) as caught:
            self.put(**options)
        return caught.value.message, caught.value.result


def _no_commands(*args: t.Any, **options: t.Any) -> tuple[int, str, str]:
    raise AssertionError(f"no command was expected: {args}")


@pytest.fixture
def pool() -> FakePool:
    return FakePool(member("a"), member("b"), member("c"))


@pytest.fixture
def calls(pool: FakePool, tmp_path: pathlib.Path) -> MemberCalls:
    return MemberCalls(pool, tmp_path / "claims")


def outcomes(result: Result) -> dict[str, str]:
    return {name: one["outcome"] for name, one in result["members"].items()}


def test_all_are_marked_at_once_and_waited_for_together(calls: MemberCalls, pool: FakePool) -> None:
    pool.change("a", sessions=3)
    pool.change("b", sessions=1)
    calls.time.at(2, lambda: pool.change("b", sessions=0))
    calls.time.at(5, lambda: pool.change("a", sessions=0))
    result = calls.put(members=["a", "b"], state="drained")
    assert pool.asked == [("set_admin", {"a": DRAINED, "b": DRAINED})]
    assert outcomes(result) == {"a": "reached", "b": "reached"}
    assert result["members"]["a"]["sessions_at_start"] == 3
    assert 2 <= result["members"]["b"]["waited"] <= 2.2
    assert 5 <= result["members"]["a"]["waited"] <= 5.15
    assert result["waited"] == result["members"]["a"]["waited"]


def test_the_claim_says_who_is_drained_under_it(calls: MemberCalls, pool: FakePool) -> None:
    claim = claims.Claim(**calls.claim)
    calls.put(members=["a", "b"], state="drained")
    assert drained_under(claim) == ["a", "b"]
    calls.put(members=["a"], state="in_service", check_mode=True)
    assert drained_under(claim) == ["a", "b"]
    calls.put(members=["a"], state="in_service")
    assert drained_under(claim) == ["b"]
    pool.operator_sets("c", DRAINED)
    calls.put(members=["c"], state="drained", expected_states=["in_service"])
    assert drained_under(claim) == ["b"]


def drained_under(claim: claims.Claim) -> t.Any:
    with open(claim.path, encoding="utf-8") as stream:
        return json.load(stream)["drained"]


def test_a_drain_returns_soon_after_the_last_session(calls: MemberCalls, pool: FakePool) -> None:
    """The confirming looks included, and on this clock: what is slept is all that takes time."""
    pool.change("a", sessions=1)
    calls.time.at(20, lambda: pool.change("a", sessions=0))
    calls.put(members=["a"], state="drained")
    assert calls.time.now - 20 <= 0.15


def test_nothing_to_change_still_waits_for_sessions(calls: MemberCalls, pool: FakePool) -> None:
    pool.operator_sets("a", DRAINED)
    pool.change("a", sessions=1)
    calls.time.at(3, lambda: pool.change("a", sessions=0))
    result = calls.put(members=["a"], state="drained")
    assert (result["changed"], pool.asked, outcomes(result)) == (False, [], {"a": "unchanged"})
    assert result["waited"] >= 3


def test_foreign_members_are_neither_changed_nor_waited_for(calls: MemberCalls, pool: FakePool) -> None:
    pool.operator_sets("b", MAINTENANCE)
    pool.change("b", sessions=9)
    result = calls.put(members=["a", "b"], state="drained", expected_states=["in_service"])
    assert pool.asked == [("set_admin", {"a": DRAINED})]
    assert outcomes(result) == {"a": "reached", "b": "drained_externally"}
    assert result["drained_externally"] == ["b"]
    assert calls.warnings == ["lb1: somebody else changed 'b' (maintenance); skipped."]


def test_refused_before_anything_is_asked(calls: MemberCalls, pool: FakePool) -> None:
    message, result = calls.fails(members=["a", "b"], state="drained", guard={"min_in_service": 2})
    assert message == (
        "lb1: refused to take 'a', 'b' out of pool 'shop': 1 would be left in rotation, the minimum is 2. In rotation now: "
        "'a', 'b', 'c'. Nothing was changed; return other members to service first."
    )
    assert (result["refused"], result["changed"], pool.asked) == (True, False, [])


def test_a_pool_that_may_only_be_read(calls: MemberCalls, pool: FakePool) -> None:
    pool.read_only = True
    message, result = calls.fails(members=["a"], state="drained")
    assert message == "lb1: no change is allowed here."
    assert (result["changed"], pool.asked) == (False, [])
    assert calls.put(members=["a"], state="in_service")["changed"] is False


def test_a_change_that_is_accepted_and_not_made_is_an_error(calls: MemberCalls, pool: FakePool) -> None:
    pool.ignores.add("b")
    message, result = calls.fails(members=["a", "b"], state="drained")
    assert message == (
        "lb1: pool 'shop' accepted the change but does not show it: 'b' is in_service, not drained. "
        "Check for an agent check or another tool that reverts it."
    )
    # Twice: a reload may have swallowed the first.
    assert len(pool.asked) == 2
    assert result["changed"] is True
    assert result["members"]["a"]["after"] == DRAINED
    assert result["members"]["b"]["after"] == IN_SERVICE


def test_the_guard_waits_for_members_that_others_bring_back(calls: MemberCalls, pool: FakePool) -> None:
    """An operator's drain in the midst of a rollout made the next host a failure, and the release was rolled back."""
    pool.operator_sets("b", DRAINED)
    calls.time.at(7, lambda: pool.operator_sets("b", IN_SERVICE))
    result = calls.put(members=["a"], state="drained", guard={"min_in_service": 2}, guard_timeout=10)
    assert outcomes(result) == {"a": "reached"}
    assert 7 <= calls.time.now <= 8.5


def test_a_guard_that_keeps_refusing_says_why(calls: MemberCalls, pool: FakePool) -> None:
    pool.operator_sets("b", DRAINED)
    message, result = calls.fails(members=["a"], state="drained", guard={"min_in_service": 2}, guard_timeout=10)
    assert message == (
        "lb1: refused to take 'a' out of pool 'shop': 1 would be left in rotation, the minimum is 2. In rotation now: "
        "'a', 'c'. Nothing was changed; return other members to service first."
    )
    assert result["refused"]
    assert pool.asked == []
    assert calls.time.now >= 10


def test_force_ends_only_what_is_left(calls: MemberCalls, pool: FakePool) -> None:
    pool.change("a", sessions=3)
    result = calls.put(members=["a", "b"], state="drained", timeout=1, on_timeout="force")
    assert pool.asked[1:] == [("end_sessions", ["a"])]
    assert outcomes(result) == {"a": "forced", "b": "reached"}
    assert result["members"]["a"]["waited"] >= 1


def test_force_is_refused_at_once_where_sessions_cannot_be_ended(
    calls: MemberCalls, pool: FakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was refused only when the time was over, with the members out of service."""
    monkeypatch.setattr(FakePool, "capabilities", frozenset({CAN_DRAIN}))
    message, dummy = calls.fails(members=["a"], state="drained", timeout=1, on_timeout="force")
    assert message == (
        "on_timeout: lb1 cannot end sessions, so 'force' would do nothing there. "
        "Nothing was changed; use 'fail', 'continue' or 'restore'."
    )
    assert pool.asked == []


def test_force_that_does_not_help_is_an_error(calls: MemberCalls, pool: FakePool) -> None:
    pool.change("a", sessions=3)
    pool.stubborn.add("a")
    message, result = calls.fails(members=["a"], state="drained", timeout=1, on_timeout="force")
    assert message == (
        "lb1: pool 'shop' did not reach the requested state within 1 s: 'a' still has sessions: 3 in flight. Sessions were ended but new "
        "ones came, from clients tied to it: state=maintenance sends those elsewhere."
    )
    assert outcomes(result) == {"a": "not_reached"}


def test_force_spares_a_member_that_is_in_service_again(calls: MemberCalls, pool: FakePool) -> None:
    """Somebody puts it back between the last look and the act: its sessions are live traffic."""
    pool.change("a", sessions=3)
    end = pool.snapshot
    looks_until_force = []

    def look() -> t.Any:
        if calls.time.now >= 1:
            looks_until_force.append(calls.time.now)
            if len(looks_until_force) == 2:
                pool.operator_sets("a", IN_SERVICE)
        return end()

    pool.snapshot = look  # type: ignore[method-assign]
    message, result = calls.fails(members=["a"], state="drained", timeout=1, on_timeout="force")
    assert pool.asked[1:] == [("end_sessions", [])]
    assert "'a' was put back in service by somebody else or a reload" in message
    assert outcomes(result) == {"a": "not_reached"}


@pytest.mark.parametrize("on_timeout", ["fail", "continue"])
def test_a_member_that_somebody_returns_in_the_meantime_is_a_failure_at_once(
    calls: MemberCalls, pool: FakePool, on_timeout: str
) -> None:
    """Also where what is late would be no failure: this one can never be drained any more."""
    pool.change("a", sessions=2)
    calls.time.at(1.0, lambda: pool.operator_sets("a", IN_SERVICE))
    message, result = calls.fails(members=["a"], state=DRAINED, timeout=60, on_timeout=on_timeout)
    assert message == (
        "lb1: pool 'shop' did not reach the requested state: 'a' was put back in service by somebody else or a reload. "
        "Find out what changes it besides this call, then run again."
    )
    assert outcomes(result) == {"a": "not_reached"}


def test_continue(calls: MemberCalls, pool: FakePool) -> None:
    pool.change("a", sessions=3)
    result = calls.put(members=["a", "b"], state="drained", timeout=1, on_timeout="continue")
    assert outcomes(result) == {"a": "not_reached", "b": "reached"}
    assert result["restore"] == {"states": {"a": IN_SERVICE, "b": IN_SERVICE}}


def test_restore_puts_back_the_whole_call(calls: MemberCalls, pool: FakePool) -> None:
    pool.operator_sets("b", MAINTENANCE)
    pool.change("a", sessions=3)
    message, result = calls.fails(members=["a", "b"], state="drained", timeout=1, on_timeout="restore", diff=True)
    assert message == (
        "lb1: pool 'shop' did not reach the requested state within 1 s: 'a' still has sessions: 3 in flight. "
        "What this call had changed is restored."
    )
    assert pool.asked[1:] == [("set_admin", {"a": IN_SERVICE, "b": MAINTENANCE})]
    assert outcomes(result) == {"a": "restored", "b": "restored"}
    assert result["changed"] is False
    assert result["restore"] == {"states": {}}
    assert result["diff"]["before"] == result["diff"]["after"]


def test_restore_leaves_alone_what_somebody_else_changed_since(calls: MemberCalls, pool: FakePool) -> None:
    pool.change("a", sessions=3)
    calls.time.at(0.5, lambda: pool.operator_sets("b", MAINTENANCE))
    dummy, result = calls.fails(members=["a", "b"], state="drained", timeout=1, on_timeout="restore")
    assert pool.asked[1:] == [("set_admin", {"a": IN_SERVICE})]
    assert outcomes(result) == {"a": "restored", "b": "reached"}
    assert pool.members["b"].own == MAINTENANCE


def test_restore_does_not_break_the_floor(calls: MemberCalls, pool: FakePool) -> None:
    """Bringing 'a' in service failed, but meanwhile it is the last one that takes traffic."""
    pool.operator_sets("a", DRAINED)
    pool.change("a", operational="going_down")
    for name in "bc":
        calls.time.at(0.5, functools.partial(pool.change, name, usable=False, in_rotation=False))
    message, result = calls.fails(members=["a"], state="in_service", timeout=1, on_timeout="restore")
    assert message == (
        "lb1: pool 'shop' did not reach the requested state within 1 s: 'a' is up but its checks do not pass yet. It was not restored, because "
        "no member would be left in rotation (guard.allow_outage permits that)."
    )
    assert pool.members["a"].own == IN_SERVICE
    assert result["changed"] is True


def test_a_restore_that_failed_is_undone_where_others_take_the_traffic(calls: MemberCalls, pool: FakePool) -> None:
    """The guard must see the rest of the pool, or the member of the call seems to be the last one."""
    pool.operator_sets("a", DRAINED)
    pool.change("a", operational="going_down")
    message, result = calls.fails(members=["a"], state="in_service", timeout=1, on_timeout="restore")
    assert message == (
        "lb1: pool 'shop' did not reach the requested state within 1 s: 'a' is up but its checks do not pass yet. "
        "What this call had changed is restored."
    )
    assert pool.members["a"].own == DRAINED
    assert outcomes(result) == {"a": "restored"}


def test_a_later_run_ends_the_wait(calls: MemberCalls, pool: FakePool) -> None:
    claims.acquire(claims.Claim(**calls.claim))
    later = claims.Claim(**{**calls.claim, "token": 4})
    pool.change("a", sessions=1)
    calls.time.at(2.5, lambda: claims.acquire(later))
    message, result = calls.fails(members=["a"], state="drained", timeout=60, on_timeout="restore")
    assert "a later run of 'shop' (token 4, ours is 3) has taken over" in message
    assert calls.time.now < 4
    assert pool.asked == [("set_admin", {"a": DRAINED})]
    assert (result["changed"], result["restore"]) == (True, {"states": {"a": IN_SERVICE}})


def test_a_foreign_claim_is_not_even_looked_past(calls: MemberCalls, pool: FakePool) -> None:
    claims.acquire(claims.Claim(**{**calls.claim, "ledger": "theirs"}))
    message, result = calls.fails(members=["a"], state="drained")
    assert "is claimed by another coordinator" in message
    assert (pool.looks, pool.asked, result["changed"]) == (0, [], False)


def test_a_node_that_falls_silent_is_waited_for_a_while(calls: MemberCalls, pool: FakePool) -> None:
    pool.change("a", sessions=1)

    def back() -> None:
        pool.silent = False
        pool.change("a", sessions=0)

    calls.time.at(1, lambda: setattr(pool, "silent", True))
    calls.time.at(21, back)
    assert outcomes(calls.put(members=["a"], state="drained")) == {"a": "reached"}


def test_a_node_that_is_restarting_when_the_call_comes_is_waited_for(calls: MemberCalls, pool: FakePool) -> None:
    pool.silent = True
    calls.time.at(20, lambda: setattr(pool, "silent", False))
    result = calls.put(members=["a"], state="drained")
    assert (outcomes(result), result["restore"]) == ({"a": "reached"}, {"states": {"a": IN_SERVICE}})
    assert pool.asked == [("set_admin", {"a": DRAINED})]


def test_others_may_change_the_pool_while_a_node_is_waited_for(calls: MemberCalls, pool: FakePool) -> None:
    pool.silent = True
    later = claims.Claim(**{**calls.claim, "token": 4})
    calls.time.at(6, lambda: claims.acquire(later))
    calls.time.at(20, lambda: setattr(pool, "silent", False))
    message, dummy = calls.fails(members=["a"], state="drained")
    assert "a later run of 'shop' (token 4, ours is 3) has taken over" in message
    assert (pool.asked, calls.time.now < 8) == ([], True)


@pytest.mark.parametrize("options", [{"wait": False}, {"check_mode": True}])
def test_a_call_that_does_not_wait_does_not_wait_for_a_node(calls: MemberCalls, pool: FakePool, options: t.Any) -> None:
    pool.silent = True
    message, dummy = calls.fails(members=["a"], state="drained", **options)
    assert (message, calls.time.now < 1.2) == ("lb1: does not answer.", True)


def test_a_node_that_stays_silent_ends_the_wait_and_keeps_what_was_seen(calls: MemberCalls, pool: FakePool) -> None:
    pool.change("a", sessions=7)
    calls.time.at(1, lambda: setattr(pool, "silent", True))
    message, result = calls.fails(members=["a"], state="drained", timeout=600)
    assert message == "lb1: does not answer. It has not answered for 599 s."
    assert calls.time.now < 601
    assert (result["changed"], result["members"]["a"]["sessions"]) == (True, 7)
    assert result["restore"] == {"states": {"a": IN_SERVICE}}


def test_the_state_is_saved_after_the_change_and_before_the_wait(calls: MemberCalls, pool: FakePool) -> None:
    pool.saved = dict.fromkeys("abc", IN_SERVICE)
    pool.change("a", sessions=1)
    result, seen = None, []
    calls.time.at(1, lambda: seen.append(dict(pool.saved or {})))
    calls.time.at(2, lambda: pool.change("a", sessions=0))
    result = calls.put(members=["a"], state="drained")
    assert seen == [{"a": DRAINED, "b": IN_SERVICE, "c": IN_SERVICE}]
    assert result["actions"] == [
        "set 'a' of pool 'shop' from in_service to drained",
        "saved the state of pool 'shop' for the next reload",
    ]


def test_what_a_crash_left_unsaved_is_saved_by_the_next_call(calls: MemberCalls, pool: FakePool) -> None:
    pool.saved = dict.fromkeys("abc", IN_SERVICE)
    pool.operator_sets("a", DRAINED)
    assert calls.put(members=["a"], state="drained")["changed"] is True
    assert calls.put(members=["a"], state="drained")["changed"] is False


def test_what_is_unsaved_of_others_is_not_ours(calls: MemberCalls, pool: FakePool) -> None:
    pool.saved = dict.fromkeys("abc", IN_SERVICE)
    pool.operator_sets("b", DRAINED)
    assert calls.put(members=["a"], state="in_service")["changed"] is False
    assert pool.asked == []


def test_restore_is_saved_too(calls: MemberCalls, pool: FakePool) -> None:
    pool.saved = dict.fromkeys("abc", IN_SERVICE)
    pool.change("a", sessions=1)
    dummy, result = calls.fails(members=["a"], state="drained", timeout=1, on_timeout="restore")
    assert pool.saved == dict.fromkeys("abc", IN_SERVICE)
    assert result["changed"] is False


def test_states_of_their_own(calls: MemberCalls, pool: FakePool) -> None:
    pool.operator_sets("a", DRAINED)
    result = calls.put(states={"a": IN_SERVICE, "b": MAINTENANCE})
    assert pool.asked == [("set_admin", {"a": IN_SERVICE, "b": MAINTENANCE})]
    assert result["restore"] == {"states": {"a": DRAINED, "b": IN_SERVICE}}
    assert calls.put(states={})["changed"] is False


def test_check_mode_says_the_same_and_does_nothing(calls: MemberCalls, pool: FakePool) -> None:
    pool.saved = dict.fromkeys("abc", IN_SERVICE)
    pool.change("a", sessions=5)
    predicted = calls.put(members=["a", "b"], state="drained", check_mode=True, diff=True)
    assert pool.asked == []
    assert calls.time.slept == []
    pool.change("a", sessions=0)
    real = calls.put(members=["a", "b"], state="drained", diff=True)
    for key in ("changed", "restore", "actions", "drained_externally", "refused", "diff"):
        assert predicted[key] == real[key]
    assert outcomes(predicted) == outcomes(real)
    assert predicted["members"]["a"]["in_rotation"] is False
    assert set(predicted) == set(real)


def test_success_and_failure_have_the_same_keys(calls: MemberCalls, pool: FakePool) -> None:
    success = calls.put(members=["a"], state="drained")
    pool.change("b", sessions=1)
    dummy, late = calls.fails(members=["b"], state="drained", timeout=1)
    dummy, unknown = calls.fails(members=["z"], state="drained")
    pool.silent = True
    dummy, silent = calls.fails(members=["a"], state="drained")
    assert set(success) == set(late) == set(unknown) == set(silent)


def test_agents_are_noted(calls: MemberCalls, pool: FakePool) -> None:
    pool.change("a", agent=True)
    result = calls.put(members=["a"], state="drained")
    assert result["notes"] == ["'a' has an agent check, which may change its state or weight by itself."]


def test_a_lock_that_cannot_be_kept_is_named(
    pool: FakePool, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(claims, "claims_directory", lambda: str(tmp_path / "file" / "state"))
    message, result = MemberCalls(pool, tmp_path).fails(members=["a"], state="drained", claim=None)
    assert message == (
        f"{tmp_path}/file/state: the lock for pool 'shop' cannot be kept there (Not a directory). Use become, or set "
        "XDG_STATE_HOME to a directory that this user may write to."
    )
    assert result["changed"] is False
