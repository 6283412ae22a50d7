# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a metric's query to questions."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.judge import spec
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import Metric
from ansible_collections.steady.rollout.plugins.module_utils.metrics import queries
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import Moment, Question

GROUPS = {"canary": ("app1:80",), "baseline": ("app2:80", "app3:80")}
MOMENT = Moment(now=1060.4, began=1000.0, since=1050.0, groups=GROUPS)


def metric(query: t.Any, kind: str = "value") -> Metric:
    return spec.parse_metrics([{"name": "m", "query": query, "kind": kind, "limit": "< 1"}])[0]


def asked(query: t.Any, kind: str = "value", moment: Moment = MOMENT, by_group: bool = False) -> list[Question]:
    return queries.questions(metric(query, kind), moment, by_group)


def test_a_plain_query_is_asked_once() -> None:
    assert asked("up") == [Question("up")]


def test_by_group() -> None:
    assert asked({"canary": "a", "baseline": "b"}) == [Question("a", "canary"), Question("b", "baseline")]


def test_a_group_that_is_named_is_asked_about_once_whatever_its_query_names() -> None:
    assert asked({"canary": "f($group)"}) == [Question("f(canary)", "canary")]


def test_by_part() -> None:
    query = {"bad": "b", "total": "t", "absent": "zero"}
    assert asked(query, "share") == [Question("b", part="bad"), Question("t", part="total")]
    assert queries.absent_is_zero(query)
    assert not queries.absent_is_zero({"bad": "b", "total": "t"})


def test_by_group_and_part() -> None:
    query = {"canary": {"bad": 1, "total": 2, "absent": "zero"}, "baseline": {"bad": 3, "total": 4}}
    assert asked(query, "share") == [
        Question(1, "canary", "bad"),
        Question(2, "canary", "total"),
        Question(3, "baseline", "bad"),
        Question(4, "baseline", "total"),
    ]
    assert not queries.absent_is_zero(query)


@pytest.mark.parametrize(
    ("query", "canary", "baseline"),
    [
        ("f($group)", "f(canary)", "f(baseline)"),
        ("${group}s", "canarys", "baselines"),
        ('x{i=~"$members"}', 'x{i=~"app1:80"}', 'x{i=~"app2:80|app3:80"}'),
        (
            {"dimensions": {"Group": "$group"}},
            {"dimensions": {"Group": "canary"}},
            {"dimensions": {"Group": "baseline"}},
        ),
        (["$group", 1], ["canary", 1], ["baseline", 1]),
    ],
)
def test_what_names_the_group_is_asked_for_each(query: t.Any, canary: t.Any, baseline: t.Any) -> None:
    assert asked(query) == [Question(canary, "canary"), Question(baseline, "baseline")]


def test_members_fit_into_a_regular_expression_in_quotes() -> None:
    moment = Moment(10.0, 0.0, 0.0, {"canary": ("a.b",), "baseline": ()})
    assert asked("$members", moment=moment) == [Question("a\\\\.b", "canary")]


def test_times_are_whole_seconds_and_at_least_one() -> None:
    assert asked("a[${interval}s] b[${elapsed}s] $intervals")[0].raw == "a[10s] b[60s] $intervals"
    assert asked("$interval", moment=Moment(5.0, 5.0, 5.0, {}))[0].raw == "1"


def test_a_group_without_members_is_not_asked_about_unless_nobody_named_any() -> None:
    alone = Moment(10.0, 0.0, 0.0, {"canary": ("a",), "baseline": ()})
    assert asked({"canary": "a", "baseline": "b"}, moment=alone) == [Question("a", "canary")]
    unnamed = Moment(10.0, 0.0, 0.0, {})
    assert len(asked({"canary": "a", "baseline": "b"}, moment=unnamed)) == 2


def test_a_source_may_differ_by_group_whatever_the_query() -> None:
    assert asked("@", by_group=True) == [Question("@", "canary"), Question("@", "baseline")]


def test_leaves_are_what_the_source_is_asked() -> None:
    assert queries.leaves({"canary": {"bad": 1, "total": 2}, "baseline": {"bad": 3, "total": 4}}) == [1, 2, 3, 4]
    assert queries.leaves(None) == [None]


@pytest.mark.parametrize(
    ("query", "kind", "message"),
    [
        ({"bad": "b", "total": "t"}, "value", "m.query: bad and total make a share; set kind: share."),
        (
            {"canary": {"bad": 1, "total": 2}, "baseline": "x"},
            "share",
            "m.query: bad and total are given for one group only; give them for each.",
        ),
    ],
)
def test_queries_that_nothing_can_be_made_of(query: t.Any, kind: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        queries.checked(metric(query, kind), "m")
    assert caught.value.message == message
