# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often is looked, and when a host counts as quiet."""

from __future__ import annotations

import typing as t

import pytest
from support import pools
from support.pools import ManualClock

from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.connections import Connections, fill_in
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.snapshots import Polls
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.targets import Target
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Snapshot, Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Pace

TARGET = Target("i-01", 8080)


class Sight:
    """Gives each look a snapshot of its own, or an error where *fails* says so."""

    def __init__(self) -> None:
        self.polls = 0
        self.fails = False

    def read(self) -> Snapshot:
        self.polls += 1
        if self.fails:
            raise Unreachable("nobody there")
        return pools.snapshot(pools.member(f"read{self.polls}"))


def test_the_same_answer_until_the_next_look_is_due() -> None:
    clock, sight = ManualClock(), Sight()
    polls = Polls(sight.read, clock.clock, Pace(first=1.0, growth=2.0, longest=3.0))
    seen = []
    for _second in range(10):
        polls.snapshot()
        seen.append(sight.polls)
        clock.sleep(1.0)
    assert seen == [1, 2, 2, 3, 3, 3, 4, 4, 4, 5]


def test_after_a_change_is_looked_at_once() -> None:
    clock, sight = ManualClock(), Sight()
    polls = Polls(sight.read, clock.clock, Pace(first=1.0, growth=2.0, longest=60.0))
    polls.snapshot()
    polls.reset()
    assert list(polls.snapshot().members) == ["read2"]


def test_an_error_is_kept_for_the_shortest_time_only() -> None:
    clock, sight = ManualClock(), Sight()
    polls = Polls(sight.read, clock.clock, Pace(first=1.0, growth=10.0, longest=60.0))
    polls.snapshot()
    clock.sleep(1.0)
    sight.fails = True
    for _again in range(3):
        with pytest.raises(Unreachable):
            polls.snapshot()
    assert sight.polls == 2
    sight.fails = False
    clock.sleep(1.0)
    assert list(polls.snapshot().members) == ["read3"]


class Host:
    def __init__(self, *answers: tuple[int, str, str]) -> None:
        self.answers = list(answers)
        self.asked: list[list[str]] = []

    def run(self, argv: list[str], **options: t.Any) -> tuple[int, str, str]:
        self.asked.append(argv)
        return self.answers.pop(0)


def test_quiet_is_a_time_without_any_connection() -> None:
    clock = ManualClock()
    zero, two = (0, "0\n", ""), (0, "2\n", "")
    host = Host(zero, zero, two, zero, zero, zero, zero)
    connections = Connections(["count", "{name}", "{id}:{port}"], 3.0, host.run, clock.clock)
    quiet = []
    for _second in range(7):
        connections.count("app1", TARGET)
        quiet.append(connections.is_quiet(TARGET))
        clock.sleep(1.0)
    assert quiet == [False, False, False, False, False, False, True]
    assert host.asked[0] == ["count", "app1", "i-01:8080"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((255, "", "Warning: new key\nssh: no route to host\n"), "'ssh' ended with 255: ssh: no route to host"),
        ((1, "0\n", ""), "'ssh' ended with 1: 0"),
        ((0, "", ""), "'ssh' printed no number"),
        ((0, "-1\n", ""), "'ssh' printed no number: -1"),
        ((0, "0 1\n", ""), "'ssh' printed no number: 0 1"),
    ],
)
def test_a_count_that_failed_is_no_quiet(answer: tuple[int, str, str], problem: str) -> None:
    connections = Connections(["ssh"], 0.0, Host(answer).run, ManualClock().clock)
    counted = connections.count("app1", TARGET)
    assert (counted.connections, counted.problem, connections.is_quiet(TARGET)) == (None, problem, False)


def test_other_braces_stay() -> None:
    assert fill_in("awk '{print $1}' /{id}/{port}", "app1", Target("i-01", None)) == "awk '{print $1}' /i-01/"


def test_settings_that_cannot_be_right() -> None:
    with pytest.raises(InputError):
        Connections([], 5.0, Host().run, ManualClock().clock)
    with pytest.raises(InputError):
        Connections(["x"], -1.0, Host().run, ManualClock().clock)
