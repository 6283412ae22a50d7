# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Latencies compared like with like."""

from __future__ import annotations

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common import request_log
from ansible_collections.steady.rollout.plugins.module_utils.metrics import alike, counting
from ansible_collections.steady.rollout.plugins.module_utils.metrics.counting import Growth, Node

GROUPS = {"canary": ("app1",), "baseline": ("app2", "app3")}


def cell(milliseconds: float, requests: int, bad: int = 0) -> list[object]:
    return [requests + bad, bad, [[request_log.bin_of(milliseconds), requests]]]


def growths(pages: float, downloads_of_canary: int = 10) -> dict[str, Growth]:
    """Pages of 20 ms and downloads of three seconds; the canary's pages take *pages* milliseconds."""
    usual = {"GET /page": cell(20.0, 200), "GET /file": cell(3000.0, 10)}
    slow = {"GET /page": cell(pages, 200), "GET /file": cell(3000.0, downloads_of_canary)}
    slices = [{"at": 10.0, "members": {"app1": slow, "app2": usual, "app3": usual}}]
    return counting.logged(slices, None, with_counts=True)


@pytest.mark.parametrize("share", [None, 0.5])
def test_pages_three_times_as_slow_among_downloads_were_not_seen(share: float | None) -> None:
    """63.9 ms against 61.1 by the mean of all requests: each kind beside its own shows the factor."""
    members = growths(60.0, downloads_of_canary=4)
    like = alike.reference(members, GROUPS)
    slow, usual = alike.figure(members["app1"].kinds, like, share), alike.figure(members["app2"].kinds, like, share)
    assert slow is not None
    assert usual is not None
    assert slow[0] / usual[0] == pytest.approx(3.0, rel=0.15)
    assert (slow[1], usual[1]) == (204, 210)


def test_more_downloads_are_no_slower_release() -> None:
    members = growths(20.0, downloads_of_canary=100)
    like = alike.reference(members, GROUPS)
    many, usual = alike.figure(members["app1"].kinds, like, None), alike.figure(members["app2"].kinds, like, None)
    assert many is not None
    assert usual is not None
    assert many[0] == pytest.approx(usual[0])


def test_a_kind_that_the_baseline_does_not_have_is_left_out() -> None:
    members = growths(20.0)
    like = alike.reference(members, GROUPS)
    assert alike.figure({"GET /new": {0.0: (1.0, 50)}}, like, None) is None
    assert alike.figure({"GET /page": {0.0: (1.0, 2)}}, like, None) is None


def test_slices_are_counted_once() -> None:
    slices = [{"at": at, "members": {"app1": {"GET /page": cell(20.0, 10, bad=1)}}} for at in (5.0, 10.0, 15.0)]
    baselines, interval = counting.advanced({}, {"lb1": Node("", {}, slices[:2])})
    assert interval.first == ("lb1",)
    baselines, interval = counting.advanced(baselines, {"lb1": Node("", {}, slices)})
    assert (interval.members["app1"].requests, interval.members["app1"].errors) == (11, 1)
    baselines, interval = counting.advanced(baselines, {"lb1": Node("", {}, slices)})
    assert interval.members == {}


def test_where_the_node_counts_its_figures_are_not_counted_twice() -> None:
    counters = {"requests": 10, "errors": 0, "latency": None, "timed": 0, "window": 0, "histogram": []}
    slices = [{"at": 10.0, "members": {"app1": {"GET /page": cell(20.0, 10)}}}]
    baselines, dummy = counting.advanced({}, {"lb1": Node("1", {"app1": counters}, [])})
    dummy_baselines, interval = counting.advanced(
        baselines, {"lb1": Node("1", {"app1": {**counters, "requests": 25}}, slices)}
    )
    assert interval.members["app1"].requests == 15
    assert list(interval.members["app1"].kinds) == ["GET /page"]
