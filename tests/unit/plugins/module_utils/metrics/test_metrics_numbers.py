# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers in answers, and the samples that points become."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.judge import spec
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import Sample
from ansible_collections.steady.rollout.plugins.module_utils.metrics import numbers
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import Moment, Nothing, Point, Trouble

MOMENT = Moment(100.0, 0.0, 90.0, {})
VALUE = spec.parse_metrics([{"name": "m", "kind": "value", "limit": "< 1"}])[0]
SHARE = spec.parse_metrics([{"name": "m", "kind": "share", "limit": "< 1%"}])[0]


@pytest.mark.parametrize(("value", "found"), [(1, 1.0), (0, 0.0), ("0.5", 0.5), ("1e3", 1000.0), (-2.5, -2.5)])
def test_numbers(value: t.Any, found: float) -> None:
    assert numbers.number(value) == found


@pytest.mark.parametrize("value", [None, "NaN", "+Inf", float("nan"), float("inf")])
def test_what_is_no_data(value: t.Any) -> None:
    assert numbers.number(value) is None
    with pytest.raises(Nothing):
        numbers.points(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (True, "the answer is True, not a number"),
        ("many", "the answer is 'many', not a number"),
        ([1, 2], "the answer is a list of 2, not a number"),
        ({}, "the answer is an object with nothing, not a number, nor one by canary and baseline"),
        ({"a": 1}, "the answer is an object with a, not a number, nor one by canary and baseline"),
        (
            {"canary": {"canary": 1}},
            "the answer is an object with canary, not a number, nor one by canary and baseline",
        ),
    ],
)
def test_what_is_no_number(value: t.Any, message: str) -> None:
    with pytest.raises(Trouble) as caught:
        numbers.points(value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "points"),
    [
        (5, (Point(5.0),)),
        ({"canary": 1, "baseline": None}, (Point(1.0, "canary"),)),
        ({"value": 7, "count": 20}, (Point(7.0, count=20.0),)),
        ({"bad": 1, "total": 9}, (Point(1.0, part="bad"), Point(9.0, part="total"))),
        ({"canary": {"value": "7"}}, (Point(7.0, "canary"),)),
    ],
)
def test_points(value: t.Any, points: tuple[Point, ...]) -> None:
    assert numbers.points(value) == points


def shares(*points: Point, absent_is_zero: bool = False) -> tuple[Sample, ...]:
    return numbers.samples(SHARE, points, MOMENT, absent_is_zero)


def test_bad_and_total_make_a_share_by_group_and_host() -> None:
    found = shares(
        Point(1.0, "canary", "a", "bad"),
        Point(10.0, "canary", "a", "total"),
        Point(2.0, "baseline", "b", "bad", at=80.0),
        Point(20.0, "baseline", "b", "total", at=80.0),
    )
    assert found == (Sample(100.0, "canary", "a", 10.0, 1.0), Sample(80.0, "baseline", "b", 20.0, 2.0))


def test_no_requests_are_no_sample() -> None:
    assert shares(Point(0.0, part="bad"), Point(0.0, part="total")) == ()


def test_a_missing_number_of_bad_ones_is_no_data_unless_it_is_said_to_be_none() -> None:
    with pytest.raises(Nothing) as caught:
        shares(Point(10.0, host="a", part="total"))
    assert str(caught.value) == (
        "there is a total but no number of bad ones for group 'canary', host 'a'; where a missing one means none, set "
        "absent: zero"
    )
    assert shares(Point(10.0, part="total"), absent_is_zero=True) == (Sample(100.0, "canary", "", 10.0, 0.0),)


@given(st.floats(-5, 50), st.floats(0.1, 40))
def test_no_more_are_bad_than_there_are(bad: float, total: float) -> None:
    (found,) = shares(Point(bad, part="bad"), Point(total, part="total"))
    assert 0 <= found.value <= found.count


def test_values_keep_their_count() -> None:
    found = numbers.samples(VALUE, [Point(12.0, "baseline", "b", count=3.0), Point(15.0)], MOMENT, False)
    assert found == (Sample(100.0, "baseline", "b", 3.0, 12.0), Sample(100.0, "canary", "", 0.0, 15.0))


def test_a_share_where_a_value_is_wanted_is_its_ratio() -> None:
    found = numbers.samples(VALUE, [Point(1.0, part="bad"), Point(4.0, part="total")], MOMENT, False)
    assert found == (Sample(100.0, "canary", "", 4.0, 0.25),)


def test_two_numbers_for_the_same_are_not_guessed_at() -> None:
    with pytest.raises(Trouble) as caught:
        numbers.samples(VALUE, [Point(1.0, "canary", "a"), Point(2.0, "canary", "a")], MOMENT, False)
    assert str(caught.value) == (
        "the answer has two numbers for group 'canary', host 'a'; aggregate them in the query, or distinguish them by a "
        "label that names the host"
    )
