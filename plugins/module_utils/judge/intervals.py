# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Samples put together by interval, so that what is compared was measured at the same time."""

from __future__ import annotations

import dataclasses
import functools
import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.model import CANARY, SHARE, Metric, Sample

Cell = t.Tuple[float, float]  # count, value
# Seconds, but no more than this part of the window.
WARM_UP, WARM_UP_PART = 60.0, 5


@dataclasses.dataclass(frozen=True)
class Interval:
    """One interval of the window: what every host of each group saw in it."""

    at: float
    canary: dict[str, Cell]
    baseline: dict[str, Cell]

    @functools.cached_property
    def canary_total(self) -> Cell:
        return total(self.canary.values())

    @functools.cached_property
    def baseline_total(self) -> Cell:
        return total(self.baseline.values())


def warm_up(metric: Metric, window: float) -> float:
    """How many seconds of the window's start are left out: what starts cold is slow for a while, and fails no more often."""
    if metric.delay is not None:
        return metric.delay
    return min(WARM_UP, window / WARM_UP_PART) if metric.kind != SHARE and metric.judge else 0.0


def arranged(metric: Metric, samples: t.Sequence[Sample], since: float) -> tuple[Interval, ...]:
    """The usable samples after *since* by interval, oldest first."""
    join, least = (_added, 0.0) if metric.kind == SHARE else (averaged, -math.inf)
    intervals: dict[float, Interval] = {}
    for sample in samples:
        at, host, cell = sample.at, sample.host, (sample.count, sample.value)
        # A share of no requests says nothing, and NaN is what monitoring answers where it knows nothing.
        if at <= since or cell[0] <= least or not math.isfinite(cell[1]):
            continue
        interval = intervals.get(at)
        if interval is None:
            interval = intervals[at] = Interval(at, {}, {})
        group = interval.canary if sample.group == CANARY else interval.baseline
        group[host] = join(group[host], cell) if host in group else cell
    return tuple(intervals[at] for at in sorted(intervals))


def total(cells: t.Iterable[Cell]) -> Cell:
    """Requests and bad ones of all together."""
    requests, bad = 0.0, 0.0
    for count, value in cells:
        requests += count
        bad += value
    return requests, bad


def mean(cells: t.Collection[Cell]) -> float:
    """The mean of values by the requests behind them, plain where these are not known of all."""
    counts = sum(count for count, dummy in cells)
    if all(count > 0 for count, dummy in cells):
        return sum(count * value for count, value in cells) / counts
    return sum(value for dummy, value in cells) / len(cells)


def _added(one: Cell, other: Cell) -> Cell:
    return one[0] + other[0], one[1] + other[1]


def averaged(one: Cell, other: Cell) -> Cell:
    """Several balancers see the same host: each one's figure counts by the requests behind it."""
    return one[0] + other[0], mean((one, other))
