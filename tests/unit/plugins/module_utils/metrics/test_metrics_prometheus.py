# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus, by answers as it gives them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.judge import spec
from ansible_collections.steady.rollout.plugins.module_utils.metrics import prometheus
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import (
    Moment,
    Nothing,
    Point,
    Question,
    Reply,
    Trouble,
)

GROUPS = {"canary": ("app1",), "baseline": ("app2", "app3")}
MOMENT = Moment(1060.0, 1000.0, 1050.0, GROUPS, {"10.0.0.1:80": "app1"})


class FakeEndpoint:
    place = "http://prometheus:9090"

    def __init__(self, answer: t.Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []

    def ask(self, path: str, parameters: list[tuple[str, str]]) -> t.Any:
        self.asked.append((path, parameters))
        return self.answer


def success(kind: str, result: t.Any, **more: t.Any) -> dict[str, t.Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result}, **more}


def vector(*series: tuple[dict[str, str], str]) -> dict[str, t.Any]:
    return success("vector", [{"metric": labels, "value": [1060.0, value]} for labels, value in series])


def source(answer: t.Any, **settings: t.Any) -> tuple[prometheus.Prometheus, FakeEndpoint]:
    endpoint = FakeEndpoint(answer)
    options = {"is_range": False, "step": 10.0, "label": "", "host_label": "", **settings}
    return prometheus.Prometheus(t.cast(t.Any, endpoint), **options), endpoint


def asked(answer: t.Any, question: Question | None = None, moment: Moment = MOMENT, **settings: t.Any) -> Reply:
    return source(answer, **settings)[0].ask(question or Question("q"), moment)


def test_an_instant_query_asks_for_this_moment() -> None:
    made, endpoint = source(vector(({}, "0.5")))
    reply = made.ask(Question("rate(x[1m])"), MOMENT)
    assert endpoint.asked == [("/api/v1/query", [("query", "rate(x[1m])"), ("time", "1060.000")])]
    assert reply.points == (Point(0.5, "canary"),)
    assert reply.asked == "rate(x[1m])"
    assert reply.answered == '[{"metric": {}, "value": [1060.0, "0.5"]}]'


def test_a_scalar() -> None:
    assert asked(success("scalar", [1060.0, "7"])).points == (Point(7.0),)


def test_series_by_members_whether_a_label_has_their_name_with_a_port_or_their_address() -> None:
    answer = vector(
        ({"instance": "app1:8080", "job": "shop"}, "1"),
        ({"host": "app2", "job": "shop"}, "2"),
        ({"instance": "10.0.0.1:80"}, "9"),
        ({"instance": "elsewhere:80"}, "4"),
    )
    assert asked(answer).points == (
        Point(1.0, "canary", "app1"),
        Point(2.0, "baseline", "app2"),
        Point(9.0, "canary", "app1"),
    )


def test_series_by_groups() -> None:
    answer = vector(({"track": "canary", "instance": "x:1"}, "1"), ({"track": "baseline"}, "2"))
    assert asked(answer).points == (Point(1.0, "canary", "x:1"), Point(2.0, "baseline"))


def test_a_query_for_one_group_needs_no_label() -> None:
    answer = vector(({"pod": "p1"}, "1"), ({"pod": "p2", "instance": "i2"}, "2"))
    found = asked(answer, Question("q", "baseline"), host_label="pod").points
    assert found == (Point(1.0, "baseline", "p1"), Point(2.0, "baseline", "p2"))


def test_only_the_label_that_is_named_counts() -> None:
    answer = vector(({"job": "canary", "track": "baseline"}, "1"))
    assert asked(answer, label="track").points == (Point(1.0, "baseline"),)
    with pytest.raises(Trouble) as caught:
        asked(answer)
    assert str(caught.value) == (
        "http://prometheus:9090: a series {'job': 'canary', 'track': 'baseline'} names both groups; set label to the one "
        "that distinguishes them"
    )


def test_a_range_query_asks_on_a_grid_and_dates_its_points() -> None:
    answer = success("matrix", [{"metric": {"instance": "app1"}, "values": [[1010, "1"], [1020, "NaN"], [1030, "3"]]}])
    made, endpoint = source(answer, is_range=True)
    found = made.ask(Question("q"), MOMENT).points
    assert found == (Point(1.0, "canary", "app1", at=1010.0), Point(3.0, "canary", "app1", at=1030.0))
    assert endpoint.asked == [
        ("/api/v1/query_range", [("query", "q"), ("start", "1010.000"), ("end", "1060.000"), ("step", "10")])
    ]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (vector(), "http://prometheus:9090 has no data for 'q': the result is empty"),
        (
            vector(({"instance": "app1"}, "NaN")),
            "http://prometheus:9090 has no data for 'q': none of its 1 series names a group or a member, or all are NaN",
        ),
        (
            vector(({"instance": "other"}, "1"), ({"instance": "another"}, "1")),
            "http://prometheus:9090 has no data for 'q': none of its 2 series names a group or a member, or all are NaN",
        ),
    ],
)
def test_no_data(answer: t.Any, message: str) -> None:
    with pytest.raises(Nothing) as caught:
        asked(answer)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([], "did not answer as Prometheus's query API. Is url its root URL?"),
        (
            {"status": "error", "error": "x"},
            "did not answer as Prometheus's query API. Is url its root URL?",
        ),
        (success("string", [1, "x"]), "answered with a string, where a vector or a matrix is wanted"),
        (
            success("vector", [], warnings=["store 2 is not available"]),
            "answered with a warning: store 2 is not available",
        ),
    ],
)
def test_trouble(answer: t.Any, message: str) -> None:
    with pytest.raises(Trouble) as caught:
        asked(answer)
    assert str(caught.value) == f"http://prometheus:9090 {message}"


def test_what_cannot_be_right_is_refused() -> None:
    made = prometheus.open_prometheus("sources.p", {"url": "http://p:9090"}, 5.0)
    (metric,) = spec.parse_metrics([{"name": "m", "query": {"a": 1}, "limit": "< 1"}])
    with pytest.raises(InputError) as caught:
        made.check(metric, "metrics.m")
    assert caught.value.message == "metrics.m.query: {'a': 1} is not a PromQL expression."
    with pytest.raises(InputError) as caught:
        prometheus.open_prometheus("sources.p", {"url": "http://p:9090", "step": 0}, 5.0)
    assert caught.value.message == "sources.p.step: expected more than 0 s, found 0."
