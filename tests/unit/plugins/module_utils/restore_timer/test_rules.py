# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a restore timer restores what a run has drained, and whom: over every order of what can happen to a host."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ansible_collections.steady.rollout.plugins.module_utils.restore_timer import rules
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer.rules import Moment, Standing, Timer

AFTER = 60.0
LB: dict[str, t.Any] = {"type": "haproxy", "socket": "/run/admin.sock", "pool": "shop"}
KEY = ("lb1", "shop")
RUN = Standing("one", 7)
TIMER = Timer("shop", "one", 7, AFTER, Moment("boot", 1000.0))
DRAINED = TIMER.with_drained("lb1", LB, ["app1", "app2"])
MEMBERS = st.sampled_from(["app1", "app2", "app3"])


def at(seconds: float, boot: str = "boot") -> Moment:
    return Moment(boot, 1000.0 + seconds)


def test_a_run_that_is_heard_of_keeps_its_hosts_drained() -> None:
    verdict = rules.decide(DRAINED, RUN, at(59.9))
    assert (verdict.kind, verdict.why, verdict.restore) == (rules.WAIT, "last heartbeat 60 s ago", {})


def test_a_run_that_is_silent_for_too_long_gets_its_unchanged_hosts_restored() -> None:
    verdict = rules.decide(DRAINED.with_changing(["app2"]), RUN, at(60))
    assert (verdict.kind, verdict.why) == (rules.RESTORE, "no heartbeat from its run for 60 s")
    assert (verdict.restore, verdict.left_out) == ({KEY: ("app1",)}, {KEY: ("app2",)})


def test_where_every_host_was_being_changed_nothing_is_restored() -> None:
    verdict = rules.decide(DRAINED.with_changing(["app1", "app2"]), RUN, at(600))
    assert (verdict.kind, verdict.restore, verdict.left_out) == (rules.OVER, {}, {KEY: ("app1", "app2")})


@pytest.mark.parametrize(
    ("standing", "why"),
    [
        (None, "another run has claimed the service since"),
        (Standing("one", 8), "another run has claimed the service since"),
        (Standing("two", 7), "another run has claimed the service since"),
    ],
)
def test_a_timer_never_acts_against_a_newer_claim(standing: Standing | None, why: str) -> None:
    verdict = rules.decide(DRAINED, standing, at(600))
    assert (verdict.kind, verdict.why, verdict.restore) == (rules.OVER, why, {})


def test_after_a_reboot_the_time_starts_again() -> None:
    """The clock of before says nothing any more."""
    assert rules.decide(DRAINED, RUN, at(600, "later")).kind == rules.RESTART
    again = dataclasses.replace(DRAINED, renewed=at(600, "later"))
    assert rules.decide(again, RUN, at(659, "later")).kind == rules.WAIT
    assert rules.decide(again, RUN, at(660, "later")).restore == {KEY: ("app1", "app2")}


def test_a_member_that_is_being_changed_stays_so_when_it_is_drained_again() -> None:
    timer = DRAINED.with_changing(["app1"]).with_drained("lb1", LB, ["app1", "app3"])
    assert (timer.pools[0].drained, timer.pools[0].changing) == (("app2", "app3"), ("app1",))


def test_a_mark_counts_in_every_pool_and_a_return_in_its_own() -> None:
    timer = DRAINED.with_drained("lb1", {**LB, "pool": "api"}, ["app1"]).with_changing(["app1"])
    assert [(pool.name, pool.drained, pool.changing) for pool in timer.pools] == [
        (("lb1", "shop"), ("app2",), ("app1",)),
        (("lb1", "api"), (), ("app1",)),
    ]
    assert [pool.name for pool in timer.without(("lb1", "api"), ["app1"]).pools] == [("lb1", "shop")]
    assert timer.without(("lb1", "shop"), ["app1"]).pools[0].changing == ()


def test_an_outcome_is_reported_once() -> None:
    report = rules.Report(1.0, 7, "lb1", "app2", rules.LEFT_CHANGING, "why")
    later = dataclasses.replace(report, at=9.0)
    timer = TIMER.reported(TIMER.unreported([report]))
    assert timer.unreported([later]) == []
    other = dataclasses.replace(later, member="app1")
    assert timer.unreported([later, other]) == [other]


def test_a_run_that_is_alive_after_all_gets_who_was_restored_until_it_drains_them_again() -> None:
    timer = TIMER.reported([rules.Report(1.0, 7, "lb1", "app1", rules.RESTORED, "silence")])
    assert timer.restored_meanwhile(["app1", "app2"]) == ["app1"]
    assert dataclasses.replace(timer, token=8).restored_meanwhile(["app1"]) == []
    assert timer.with_drained("lb1", LB, ["app1"]).restored_meanwhile(["app1"]) == []


def test_the_next_run_of_the_ledger_has_what_the_run_before_it_has_drained() -> None:
    following = rules.armed(DRAINED, "shop", Standing("one", 8), RUN, AFTER, at(5))
    assert (following.token, following.pools) == (8, DRAINED.pools)


@pytest.mark.parametrize(
    ("standing", "previous"),
    [
        (Standing("one", 9), Standing("one", 8)),
        (Standing("one", 8), None),
        (Standing("two", 8), Standing("one", 7)),
    ],
)
def test_what_a_run_without_a_timer_may_have_changed_is_never_restored(
    standing: Standing, previous: Standing | None
) -> None:
    assert rules.armed(DRAINED, "shop", standing, previous, AFTER, at(5)).pools == ()


def test_a_run_that_was_refused_before_it_began_leaves_the_timer_to_what_was_drained_before() -> None:
    """It once removed the timer, and what the killed run before it had drained stayed out for ever."""
    report = rules.Report(1.0, 6, "lb1", "app3", rules.LEFT_CHANGING, "why")
    assert rules.given_up(DRAINED) == DRAINED
    assert rules.given_up(TIMER) is None
    for idle in (TIMER.reported([report]), DRAINED.with_changing(["app1", "app2"])):
        assert rules.given_up(idle) == dataclasses.replace(idle, is_scheduled=False)


def test_what_was_done_before_is_reported_until_the_run_has_planned() -> None:
    earlier = rules.Report(1.0, 7, "lb1", "app3", rules.LEFT_CHANGING, "why")
    following = rules.armed(TIMER.reported([earlier]), "shop", Standing("one", 8), RUN, AFTER, at(5))
    assert (following.reports, following.own_reports) == ((earlier,), ())
    assert rules.armed(TIMER.reported([earlier]), "shop", Standing("two", 8), RUN, AFTER, at(5)).reports == ()


@given(st.lists(st.tuples(st.sampled_from(["drain", "mark", "return"]), MEMBERS)), st.floats(0, 1e6))
def test_no_host_is_restored_and_left_out_at_once(acts: list[tuple[str, str]], silent: float) -> None:
    timer = TIMER
    for act, name in acts:
        timer = {
            "drain": lambda timer, name: timer.with_drained("lb1", LB, [name]),
            "mark": lambda timer, name: timer.with_changing([name]),
            "return": lambda timer, name: timer.without(KEY, [name]),
        }[act](timer, name)
    verdict = rules.decide(timer, RUN, at(silent))
    restored, left = verdict.restore.get(KEY, ()), verdict.left_out.get(KEY, ())
    assert not set(restored) & set(left)
    assert len(restored) == len(set(restored))
    assert not restored or silent >= AFTER


class Switch(RuleBasedStateMachine):
    """Runs that come, drain, change, die or end, with a timer or without; looks and reboots at any moment.

    What is true is kept beside what the timer has recorded: *changed* are the hosts that some run has begun to change since
    they were drained.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now, self.boot = 0.0, 0
        self.token = 1
        self.active = True
        self.claimed: Standing | None = None
        self.timer: Timer | None = None
        self.has_timer = False
        self.drained: set[str] = set()
        self.changed: set[str] = set()
        self.heard = 0.0
        self._claim(True)

    def _moment(self) -> Moment:
        return Moment(str(self.boot), self.now)

    def _claim(self, with_timer: bool) -> None:
        previous, self.claimed = self.claimed, Standing("one", self.token)
        self.has_timer, self.active = with_timer, True
        if with_timer:
            self.timer = rules.armed(self.timer, "shop", self.claimed, previous, AFTER, self._moment())
            self.heard = self.now

    @rule(with_timer=st.booleans())
    def another_run(self, with_timer: bool) -> None:
        self.token += 1
        self._claim(with_timer)

    @precondition(lambda self: self.active)
    @rule(name=MEMBERS)
    def drain(self, name: str) -> None:
        if name in self.drained:
            return
        self.drained.add(name)
        if self.has_timer and self.timer:
            self.timer = self.timer.with_drained("lb1", LB, [name])

    @precondition(lambda self: self.active)
    @rule(name=MEMBERS)
    def change(self, name: str) -> None:
        """Marked first, where the run has a timer."""
        if self.has_timer and self.timer:
            self.timer = self.timer.with_changing([name])
        if name in self.drained:
            self.changed.add(name)

    @precondition(lambda self: self.active)
    @rule(name=MEMBERS)
    def put_back(self, name: str) -> None:
        self.drained.discard(name)
        self.changed.discard(name)
        if self.timer:
            self.timer = self.timer.without(KEY, [name])

    @precondition(lambda self: self.active and self.has_timer)
    @rule()
    def heartbeat(self) -> None:
        if self.timer:
            self.timer = dataclasses.replace(self.timer, renewed=self._moment())
        self.heard = self.now

    @rule()
    def end(self) -> None:
        self.active = False

    @rule(seconds=st.sampled_from([1.0, 30.0, AFTER, 3600.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def reboot(self) -> None:
        self.boot, self.now = self.boot + 1, self.now + 20.0

    @precondition(lambda self: self.timer is not None)
    @rule()
    def look(self) -> None:
        """Invariants 8 and 14: no newer claim, no host that was changed, everybody else after its time."""
        assert self.timer is not None
        verdict = rules.decide(self.timer, self.claimed, self._moment())
        if verdict.kind == rules.RESTART:
            self.timer = dataclasses.replace(self.timer, renewed=self._moment())
        restored = set(verdict.restore.get(KEY, ()))
        assert not restored & self.changed
        assert restored <= self.drained
        assert not restored or (self.has_timer and self.timer.token == self.token)
        assert not restored or self.now - self.heard >= AFTER
        self.drained -= restored
        self.timer = self.timer.without(KEY, restored)

    @invariant()
    def what_this_run_has_drained_and_not_touched_is_known(self) -> None:
        if self.timer is not None and self.has_timer and self.active:
            marked = {name for pool in self.timer.pools for name in pool.changing}
            assert not (marked & {name for pool in self.timer.pools for name in pool.drained})


TestSwitch = Switch.TestCase
