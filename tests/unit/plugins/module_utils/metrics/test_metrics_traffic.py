# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What two or more polls of the counters say of the traffic."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.metrics import traffic
from ansible_collections.steady.rollout.plugins.module_utils.metrics.balancers import Reading
from ansible_collections.steady.rollout.plugins.module_utils.metrics.counting import Node
from ansible_collections.steady.rollout.plugins.module_utils.metrics.traffic import Known, Polled

MEMBERS = {"app1", "app2"}


def counters(requests: int, errors: int = 0, latency: float | None = None) -> dict[str, t.Any]:
    return {"requests": requests, "errors": errors, "latency": latency, "timed": requests, "window": 512}


def polled(at: float, *nodes: dict[str, dict[str, t.Any]], series: str = "1", **more: t.Any) -> Polled:
    found = {f"lb{number}": Node(series, members, **more) for number, members in enumerate(nodes, start=1)}
    return Polled(at, Reading(found, {}, {}))


def test_the_rate_is_of_all_nodes_and_the_share_of_errors_is_of_all_that_was_counted() -> None:
    before = polled(10.0, {"app1": counters(1000, 6)}, {"app1": counters(500), "app2": counters(500)})
    after = polled(15.0, {"app1": counters(1200, 6)}, {"app1": counters(550), "app2": counters(750, 3)})
    assert traffic.known([before, after], MEMBERS) == Known(100.0, 9 / 2500, None)


def test_members_outside_of_the_groups_are_left_out() -> None:
    before = polled(0.0, {"app1": counters(0), "stranger": counters(0)})
    after = polled(5.0, {"app1": counters(50, 1), "stranger": counters(5000, 5000)})
    assert traffic.known([before, after], MEMBERS) == Known(10.0, 0.02, None)


def test_where_nothing_was_counted_there_are_no_errors() -> None:
    polls = [polled(at, {"app1": counters(0)}) for at in (0.0, 5.0)]
    assert traffic.known(polls, MEMBERS) == Known(0.0, 0.0, None)


def test_a_node_that_only_logs_is_counted_by_its_log() -> None:
    def slices(*ends: float) -> list[dict[str, t.Any]]:
        return [{"at": end, "members": {"app1": {"GET /": [20, 1, []]}}} for end in ends]

    before = polled(0.0, {}, slices=slices(100.0))
    after = polled(10.0, {}, slices=slices(100.0, 105.0, 110.0))
    assert traffic.known([before, after], MEMBERS) == Known(4.0, 0.05, None)


def test_how_unlike_the_latencies_of_two_hosts_are_is_their_noise() -> None:
    polls = []
    slow = quick = 0
    for at in range(12):
        slow, quick = (slow + 100, quick) if at % 2 else (slow, quick + 100)
        wandering = {**counters(100 * at), "histogram": [[32.0, 1.0, quick], [48.0, 1.0, slow]]}
        steady = {**counters(100 * at), "histogram": [[40.0, 1.0, 100 * at]]}
        polls.append(polled(10.0 * at, {"app1": wandering, "app2": steady}))
    found = traffic.known(polls, MEMBERS)
    assert isinstance(found, Known)
    assert found.noise == pytest.approx(0.148, abs=0.001)


@pytest.mark.parametrize(
    ("polls", "why"),
    [
        ([], "no balancer was read"),
        ([polled(0.0, {"app1": counters(5)})], "no balancer was read"),
        (
            [Polled(0.0, Reading({}, {}, {"lb1": "refused"})), polled(5.0, {"app1": counters(5)})],
            "lb1 could not be read: refused",
        ),
        (
            [polled(0.0, {"app1": counters(5)}), polled(5.0, {"app1": counters(1)}, series="2")],
            "lb1 restarted their counters meanwhile",
        ),
    ],
)
def test_what_is_not_known_is_said(polls: list[Polled], why: str) -> None:
    assert traffic.known(polls, MEMBERS) == why
