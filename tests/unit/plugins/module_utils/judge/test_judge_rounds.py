# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval
from ansible_collections.steady.rollout.plugins.module_utils.judge.rounds import in_rounds


def look(at: float, canary: dict[str, float], baseline: dict[str, float], count: float = 10.0) -> Interval:
    return Interval(
        at, {name: (count, value) for name, value in canary.items()}, {name: (count, v) for name, v in baseline.items()}
    )


def values(intervals: list[Interval]) -> list[tuple[dict[str, float], dict[str, float]]]:
    return [
        ({name: value for name, (dummy, value) in one.canary.items()}, {n: v for n, (dummy, v) in one.baseline.items()})
        for one in intervals
    ]


def test_where_every_host_is_measured_at_every_poll_each_poll_is_a_round() -> None:
    looks = [look(float(at), {"c": at}, {"b1": 1.0, "b2": 2.0}) for at in range(3)]
    assert in_rounds(looks) == looks


def test_latencies_that_are_never_measured_in_one_poll_are_compared_all_the_same() -> None:
    """A canary of little traffic, behind HAProxy: its latency was told now and then, and decided nothing."""
    looks = [
        look(1, {}, {"b1": 10.0}),
        look(2, {}, {"b2": 12.0}),
        look(3, {"c1": 30.0}, {}),
        look(4, {"c2": 33.0}, {}),
        look(5, {}, {"b1": 11.0}),
    ]
    assert values(in_rounds(looks)) == [({"c1": 30.0, "c2": 33.0}, {"b1": 10.0, "b2": 12.0})]


def test_a_host_told_more_often_counts_with_the_mean_of_its_figures() -> None:
    looks = [look(1, {}, {"b": 10.0}), look(2, {}, {"b": 20.0}), look(3, {"c": 30.0}, {})]
    assert values(in_rounds(looks)) == [({"c": 30.0}, {"b": 15.0})]


def test_a_host_that_is_told_no_more_is_not_waited_for() -> None:
    looks = [look(1, {"c1": 1.0, "c2": 2.0}, {"b": 1.0})] + [look(at, {"c1": 1.0}, {"b": 1.0}) for at in (2, 3, 4)]
    assert [len(one.canary) for one in in_rounds(looks)] == [2, 1, 1]
