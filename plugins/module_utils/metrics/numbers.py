# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Numbers in answers: which are none, and how points become the judge's samples. Pure."""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.model import (
    BASELINE,
    CANARY,
    SHARE,
    Metric,
    Sample,
)
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import (
    BAD,
    FIGURE,
    TOTAL,
    Moment,
    Nothing,
    Point,
    Trouble,
)

COUNT = "count"
Key = t.Tuple[float, str, str]


def number(value: t.Any) -> float | None:
    """The finite number that a value is or spells; None for null, NaN and infinity. Raises Trouble for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise Trouble(f"the answer is {_described(value)}, not a number")
    try:
        found = float(value)
    except (ValueError, OverflowError):
        raise Trouble(f"the answer is {_described(value)}, not a number") from None
    return found if math.isfinite(found) else None


def points(value: t.Any, group: str | None = None) -> tuple[Point, ...]:
    """The points of an answer: a number, {value, count}, {bad, total}, or any of these by group. Raises Nothing."""
    found = tuple(_points(value, group))
    if not found:
        raise Nothing(f"the answer is {_described(value)}, which is no data")
    return found


def samples(metric: Metric, found: t.Sequence[Point], moment: Moment, absent_is_zero: bool) -> tuple[Sample, ...]:
    """The judge's samples. Raises Nothing where a share lacks a part and Trouble where two points are for the same."""
    placed = _placed(found, moment)
    shares = tuple(_shares(placed, absent_is_zero))
    if metric.kind == SHARE:
        return shares
    ratios = tuple(dataclasses.replace(one, value=one.value / one.count) for one in shares)
    figures = [(key, point) for key, point in placed.items() if key[3] == FIGURE]
    return ratios + tuple(Sample(at, group, host, one.count, one.number) for (at, group, host, dummy), one in figures)


def _placed(found: t.Sequence[Point], moment: Moment) -> dict[tuple[float, str, str, str], Point]:
    placed: dict[tuple[float, str, str, str], Point] = {}
    for point in found:
        at = moment.now if point.at is None else point.at
        key = (at, point.group or CANARY, point.host, point.part or FIGURE)
        if key in placed:
            host = f", host '{key[2]}'" if key[2] else ""
            raise Trouble(
                f"the answer has two numbers for group '{key[1]}'{host}; aggregate them in the query, or distinguish them "
                "by a label that names the host"
            )
        placed[key] = point
    return placed


def _shares(placed: t.Mapping[tuple[float, str, str, str], Point], absent_is_zero: bool) -> t.Iterator[Sample]:
    for (at, group, host, part), total in placed.items():
        if part != TOTAL or total.number <= 0:
            continue
        bad = placed.get((at, group, host, BAD))
        if bad is None and not absent_is_zero:
            whose = f"group '{group}'" + (f", host '{host}'" if host else "")
            raise Nothing(
                f"there is a total but no number of bad ones for {whose}; where a missing one means none, set absent: zero"
            )
        # A rate that is extrapolated over its window may come out a little above the total.
        yield Sample(at, group, host, total.number, min(max(bad.number, 0.0), total.number) if bad else 0.0)


def _points(value: t.Any, group: str | None) -> t.Iterator[Point]:
    if not isinstance(value, t.Mapping):
        figure = number(value)
        if figure is not None:
            yield Point(figure, group)
    elif value and set(value) <= {CANARY, BASELINE} and group is None:
        for name, one in value.items():
            yield from _points(one, name)
    elif set(value) == {BAD, TOTAL}:
        for part in (BAD, TOTAL):
            figure = number(value[part])
            if figure is not None:
                yield Point(figure, group, part=part)
    elif FIGURE in value and set(value) <= {FIGURE, COUNT}:
        figure = number(value[FIGURE])
        if figure is not None:
            yield Point(figure, group, count=number(value.get(COUNT)) or 0.0)
    else:
        raise Trouble(f"the answer is {_described(value)}, not a number, nor one by canary and baseline")


def _described(value: t.Any) -> str:
    if isinstance(value, str):
        return f"'{value[:60]}'"
    if isinstance(value, t.Mapping):
        return f"an object with {', '.join(map(str, list(value)[:6])) or 'nothing'}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "null" if value is None else f"{value!s:.60}"
