# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Each host's own level before the release, by which its values since are divided.

A host that always was a fifth slower than its neighbours says nothing of a release. Its level is its mean logarithm beside
the fleet's in the same intervals (the host effect of a two-way layout without interaction, Scheffe 1959, 4.1), known to the
standard error of that mean. Assumed: a host keeps its level but for OWN_NOISE, until the hosts themselves show otherwise.
"""

from __future__ import annotations

import math
import statistics
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge import bounded, hosts
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval

OWN_NOISE = 0.03
"""By what fraction a host's level changes by itself from before a release to after it (one standard deviation)."""
BELIEF = 12
"""OWN_NOISE counts like so many hosts that could be measured exactly."""
LEAST_PAST = 3
"""A host that was measured in fewer intervals has no level of its own."""
SMALLEST = 1e-9


class Level(t.NamedTuple):
    """A mean logarithm relative to the fleet's, and the variance of that mean."""

    mean: float
    variance: float


def logarithm(value: float) -> float:
    """Of a value; zeros count as next to nothing."""
    return math.log(max(value, SMALLEST))


def estimated(past: t.Sequence[Interval]) -> tuple[dict[str, Level], hosts.Within]:
    """The hosts' levels, and the noise within hosts, of the intervals before the release."""
    rows = [
        {host: logarithm(value) for host, (dummy, value) in {**each.canary, **each.baseline}.items() if host}
        for each in past
    ]
    rows = [row for row in rows if len(row) > 1]
    rows = bounded.bounded(rows, bounded.residuals(rows, rows, unchanged=()))
    series: dict[str, list[float]] = {}
    for row in rows:
        middle = statistics.fmean(row.values())
        for host, each in row.items():
            series.setdefault(host, []).append(each - middle)
    spread = hosts.within(rows)
    temper = (1 - spread.correlation) / (1 + spread.correlation)
    levels = {
        host: Level(statistics.fmean(each), spread.variance / len(each) / temper)
        for host, each in series.items()
        if len(each) >= LEAST_PAST
    }
    return levels, spread
