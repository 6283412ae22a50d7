# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The balancers' own counters as a source."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.judge import spec
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import Metric
from ansible_collections.steady.rollout.plugins.module_utils.metrics import balancers
from ansible_collections.steady.rollout.plugins.module_utils.metrics.balancers import Balancers, reading_of
from ansible_collections.steady.rollout.plugins.module_utils.metrics.counting import Baselines
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import (
    Moment,
    Nothing,
    Point,
    Question,
    Trouble,
)

MOMENT = Moment(110.0, 100.0, 100.0, {"canary": ("a",), "baseline": ("b", "c")})


def facts(requests: int = 0, errors: int = 0, operational: str = "up", **more: t.Any) -> dict[str, t.Any]:
    counters = {
        "requests": requests,
        "errors": errors,
        "latency": None,
        "timed": requests,
        "window": 0,
        "histogram": [],
    }
    return {"operational": operational, "address": "", "counters": {**counters, **more}}


def node(host: str = "lb1", series: str = "1", **members: dict[str, t.Any]) -> dict[str, t.Any]:
    """A result of lb_member_info."""
    return {"host": host, "pool": "shop", "series": series, "members": members}


def polled(*polls: t.Any) -> Balancers:
    """The last of several polls."""
    baselines: Baselines = {}
    source = None
    for results in polls:
        source = Balancers(reading_of(results), baselines)
        baselines = source.baselines
    assert source is not None
    return source


def points(what: str, *polls: t.Any) -> tuple[Point, ...]:
    return polled(*polls).ask(Question(what), MOMENT).points


def test_errors_by_member_over_all_nodes() -> None:
    first = [node("lb1", a=facts(10), b=facts(90), x=facts(5)), node("lb2", a=facts(0))]
    second = [node("lb1", a=facts(15, 1), b=facts(190, 2), x=facts(9)), node("lb2", a=facts(5, 2))]
    source = polled(first, second)
    reply = source.ask(Question("error_share"), MOMENT)
    assert reply.points == (
        Point(3.0, "canary", "a", "bad"),
        Point(10.0, "canary", "a", "total"),
        Point(2.0, "baseline", "b", "bad"),
        Point(100.0, "baseline", "b", "total"),
    )
    assert reply.answered == '{"canary": {"a": [10, 3, null]}, "baseline": {"b": [100, 2, null]}}'


def test_latencies_from_a_mean_and_from_a_histogram() -> None:
    times = {"latency": 20.0, "window": 512}
    first = node(a=facts(1000, **times), b=facts(0, histogram=[]))
    second = node(a=facts(2000, **times), b=facts(40, histogram=[[10.0, 2.0, 30], [100.0, 10.0, 10]]))
    assert points("latency", first, second) == (
        Point(20.0, "canary", "a", count=1000.0),
        Point(34.5, "baseline", "b", count=40.0),
    )
    (quantile,) = points("p95", first, second)
    assert (quantile.group, quantile.host, quantile.count) == ("baseline", "b", 40.0)
    assert quantile.number == pytest.approx(108.0)


def test_a_member_is_unhealthy_when_any_node_sees_it_so() -> None:
    first = [
        node("lb1", a=facts(operational="up"), b=facts(operational="up"), c=facts(operational="paused")),
        node("lb2", a=facts(operational="down"), b=facts(operational="no_check"), c=facts(operational="paused")),
    ]
    assert points("unhealthy_share", first) == (
        Point(1.0, "canary", part="bad"),
        Point(1.0, "canary", part="total"),
        Point(0.0, "baseline", part="bad"),
        Point(1.0, "baseline", part="total"),
    )


@pytest.mark.parametrize(
    ("what", "polls", "message"),
    [
        (
            "error_share",
            [node(a=facts(), b=facts(), c=facts())],
            "the first poll of the counters has nothing to compare with",
        ),
        (
            "error_share",
            [node(a=facts(9), b=facts(), c=facts()), node(series="2", a=facts(), b=facts(), c=facts())],
            "'lb1 shop' restarted their counters, so the previous interval is lost",
        ),
        (
            "error_share",
            [node(a=facts(9), b=facts(), c=facts())] * 2,
            "no requests since the previous poll, or too few to judge",
        ),
        ("error_share", [node(a=facts(9), b=facts())] * 2, "the balancers have no member 'c'; they have 'a', 'b'"),
        (
            "p95",
            [node(a=facts(), b=facts(), c=facts()), node(a=facts(9), b=facts(), c=facts())],
            "these balancers keep no histogram of latencies, so p95 is unknown; the query latency gives the mean",
        ),
        (
            "latency",
            [node(a=facts(), b=facts(), c=facts()), node(a=facts(9), b=facts(), c=facts())],
            "these balancers do not report latencies by member",
        ),
    ],
)
def test_no_data(what: str, polls: list[t.Any], message: str) -> None:
    with pytest.raises(Nothing) as caught:
        points(what, *polls)
    assert str(caught.value) == message


def test_a_silent_node_is_trouble_and_its_interval_is_not_lost() -> None:
    both = [node("lb1", a=facts(10)), node("lb2", a=facts(10))]
    silent = [node("lb1", a=facts(20)), {"failed": True, "msg": "lb2: gone.", "item": {"host": "lb2", "pool": "shop"}}]
    back = [node("lb1", a=facts(30, 3)), node("lb2", a=facts(30, 1))]
    with pytest.raises(Trouble) as caught:
        points("error_share", both, silent)
    assert str(caught.value) == "balancer lb2 shop could not be read: lb2: gone"
    assert points("error_share", both, silent, back)[:2] == (
        Point(4.0, "canary", "a", "bad"),
        Point(40.0, "canary", "a", "total"),
    )


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ([{"failed": True, "msg": "no."}], "balancer #1 could not be read: no"),
        ([{"unreachable": True, "item": {"host": "lb9"}}], "balancer lb9 could not be read: no members in its result"),
        ([{"skipped": True}], "no balancer was read: give counters, or balancers"),
        (
            [{"host": "lb1", "members": {"a": {"operational": "up"}}}],
            "balancer lb1 could not be read: its result has no counters; read it with counters=true",
        ),
    ],
)
def test_results_that_cannot_be_read(results: t.Any, reason: str) -> None:
    with pytest.raises(Trouble) as caught:
        points("error_share", {"results": results})
    assert str(caught.value) == reason


@pytest.mark.parametrize("results", ["x", [1], 5])
def test_what_is_no_result(results: t.Any) -> None:
    with pytest.raises(InputError) as caught:
        reading_of(results)
    assert caught.value.message == (
        "counters: expected what steady.rollout.lb_member_info with counters=true returned."
    )


def test_a_result_without_a_loop_and_two_nodes_without_a_name() -> None:
    assert list(reading_of(node(a=facts())).nodes) == ["lb1 shop"]
    assert list(reading_of([node("", a=facts()), node("", a=facts())]).nodes) == ["shop", "shop #2"]


def test_addresses_are_other_names_of_members() -> None:
    one = facts()
    one["address"] = "10.0.0.1:80"
    assert reading_of([node(a=one)]).aliases == {"10.0.0.1:80": "a"}


def metric(**words: t.Any) -> Metric:
    return spec.parse_metrics([{"name": "m", "limit": "< 1", **words}])[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"query": "errors", "kind": "share"},
            "metrics.m.query: 'errors' is none of error_share, latency, unhealthy_share, p50, p90, p95, p99, which balancers "
            "report.",
        ),
        ({"query": "latency", "kind": "share"}, "metrics.m: latency is of kind value, not share."),
        ({"query": "error_share", "kind": "value"}, "metrics.m: error_share is of kind share, not value."),
    ],
)
def test_what_balancers_cannot_tell(words: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        balancers.check(metric(**words), "metrics.m")
    assert caught.value.message == message
