# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others do with the same simulated canaries, for comparison.

Kayenta's judge with its published defaults, coded from its documentation ("How canary judgment works",
spinnaker.io/docs/guides/user/canary/judge) and from what NetflixACAJudge passes to its classifier (tolerance 0.25,
confidence 0.98): each metric is one series for the canary's group and one for the baseline's, compared by a
Mann-Whitney U test; it is High where the lower end of the confidence interval of the shift is above the tolerance times
the Hodges-Lehmann estimate. Scores as in its best practices: pass 95, marginal 75, so that one of two metrics fails it.
It is asked once, when the bake is over, as it is meant to be, and beside that once a minute from ten points on.

A plain fixed threshold: limits that somebody set when the service was quiet, at one and a half times the error share
and one and a quarter of the p95 that it then had. Two bad minutes in a row stop the canary.
"""

from __future__ import annotations

import math
import statistics
import typing as t

from support.canaries import Interval, Setting, group_p95, group_share

TOLERANCE = 0.25
CONFIDENCE = 0.98
LEAST_POINTS = 10
MINUTE = 6  # intervals
BAD_MINUTES = 2
ERRORS_TIMES = 1.5
LATENCY_TIMES = 1.25

Stop = t.Optional[float]


def kayenta(intervals: t.Sequence[Interval], looks: t.Iterable[int]) -> Stop:
    """When it fails the canary, if it is asked after so many intervals each; None where it does not."""
    series = _series(intervals)
    for look in looks:
        if look >= LEAST_POINTS and any(is_high(canary[:look], baseline[:look]) for canary, baseline in series):
            return intervals[look - 1].at
    return None


def _series(intervals: t.Sequence[Interval]) -> list[tuple[list[float], list[float]]]:
    shares = tuple([_share(cells.values()) for cells in group] for group in _groups(intervals))
    p95s = tuple([group_p95(cells.values()) or 0.0 for cells in group] for group in _groups(intervals))
    return [(shares[0], shares[1]), (p95s[0], p95s[1])]


def _groups(intervals: t.Sequence[Interval]) -> t.Any:
    return [each.canary for each in intervals], [each.baseline for each in intervals]


def _share(cells: t.Iterable[t.Any]) -> float:
    requests, bad = group_share(cells)
    return bad / requests if requests else 0.0


def is_high(canary: t.Sequence[float], baseline: t.Sequence[float]) -> bool:
    """The classification: by the interval of the shift that the test does not reject, and its middle."""
    lower, estimate = shift(canary, baseline)
    return lower > TOLERANCE * abs(estimate)


def shift(canary: t.Sequence[float], baseline: t.Sequence[float]) -> tuple[float, float]:
    """The lower end of the confidence interval of the shift and the Hodges-Lehmann estimate of it.

    The test inverted: the interval ends at the order statistics of all differences (Hollander and Wolfe 1999, 4.3).
    """
    differences = sorted(one - other for one in canary for other in baseline)
    size, other = len(canary), len(baseline)
    z = statistics.NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / 2)
    rank = math.floor(size * other / 2 - 0.5 - z * math.sqrt(size * other * (size + other + 1) / 12))
    return differences[max(0, rank)], statistics.median(differences)


def threshold(intervals: t.Sequence[Interval], setting: Setting, usual_p95: float) -> Stop:
    """When two minutes in a row were beyond the limits; None where there were none such."""
    row = 0
    for end in range(MINUTE, len(intervals) + 1, MINUTE):
        minute = [each.canary.values() for each in intervals[end - MINUTE : end]]
        share = _share([cell for cells in minute for cell in cells])
        p95 = statistics.mean([p95 for p95 in map(group_p95, minute) if p95 is not None] or [0.0])
        is_bad = share > ERRORS_TIMES * setting.error_share or p95 > LATENCY_TIMES * usual_p95
        row = row + 1 if is_bad else 0
        if row == BAD_MINUTES:
            return intervals[end - 1].at
    return None
