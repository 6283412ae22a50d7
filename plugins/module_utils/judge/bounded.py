# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""How much one figure of one host may count: a quantile of few requests with a heavy tail is now and then many times too large.

The p95 of 25 requests varies more than twice as much as that of 120, and far more upwards than downwards, so that a mean of
some of them exceeds what a t-distribution allows much more often than that says. Every host's residual beside its interval
(the median of its group's neighbours there) and beside what it usually is around that time (a running median, so that a step
or a slope stays one) is therefore cut at *BOUND* deviations, and divided by the part that was not cut: the mean of these
pseudo-values is the one-step Huber estimate (Huber 1964; Bickel 1975), and their variance is that of the estimate. Assumed:
a change of the release lasts for more than half of *AROUND* intervals; what is shorter counts for no more than the bound.
"""

from __future__ import annotations

import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.numbers import median

BOUND = 1.5
"""Deviations; of a normal figure the estimate then has 96 % of the mean's efficiency."""
KEPT = 0.866
"""The part of normal figures within the bound."""
UNCHANGED = (0.0, 0.0, 0.0)
"""What is put beside a host's own figures, so that two of three outliers do not make themselves the usual."""
AROUND = 7
"""Intervals of the running median."""
LEAST = 3
"""With fewer intervals there is no telling what is usual."""
BELIEF = 20
"""What others say of the scale counts like so many figures."""
TO_NORMAL = 1.4826
"""The standard deviation of a normal figure is so many median absolute deviations."""

Row = t.Dict[str, float]


class Residual(t.NamedTuple):
    """Of one host in one interval: what is usual for it around that time, and how far it is from that."""

    at: int
    host: str
    usual: float
    off: float


def bounded(rows: t.Sequence[Row], residuals: t.Sequence[Residual], believed: float = 0.0) -> list[Row]:
    """The rows of one group with outliers cut, given their residuals.

    *believed* is the deviation that others make one expect, 0 where there are none.
    """
    bound = BOUND * scale(residuals, believed)
    if not bound:
        return [dict(row) for row in rows]
    found: list[Row] = [{} for dummy in rows]
    for at, host, usual, off in residuals:
        found[at][host] = usual + min(max(off, -bound), bound) / KEPT
    return found


def scale(residuals: t.Sequence[Residual], believed: float = 0.0) -> float:
    """The standard deviation of one figure, by the median absolute deviation; 0 where nothing tells it."""
    if not residuals:
        return 0.0
    own = TO_NORMAL * median([abs(each.off) for each in residuals])
    if not believed or not own:
        return own
    # In logarithms: of some outliers among few figures the own deviation is many times too large.
    count = len(residuals)
    return math.exp((count * math.log(own) + BELIEF * math.log(believed)) / (count + BELIEF))


def residuals(
    rows: t.Sequence[Row], beside: t.Sequence[Row], unchanged: t.Sequence[float] = UNCHANGED
) -> list[Residual]:
    """Of one group; none where there are too few rows to tell what is usual.

    *beside* are the rows of the group that tells how an interval was; *unchanged* is put beside each host's own figures.
    """
    if len(rows) < LEAST:
        return []
    middles = [median(row.values()) for row in beside]
    series: dict[str, list[tuple[int, float]]] = {}
    for at, row in enumerate(rows):
        for host, value in row.items():
            series.setdefault(host, []).append((at, value - middles[at]))
    found = []
    for host, each in series.items():
        values = [value for dummy, value in each]
        for place, (at, value) in enumerate(each):
            first = max(0, min(place - AROUND // 2, len(values) - AROUND))
            usual = median([*unchanged, *values[first : first + AROUND]])
            found.append(Residual(at, host, middles[at] + usual, value - usual))
    return found
