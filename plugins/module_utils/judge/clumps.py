# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Bad requests that come in clumps: one client that tries again eight times is one incident, not eight.

Two means, both for each host and interval (a cell), both in both groups alike:

- A cell counts at most as many bad requests as its group's *other* cells make plausible: the smallest number that a Poisson
  variable of their rate exceeds with a chance of at most *RARE*. It is the bounded influence of robust generalised linear
  models (Cantoni and Ronchetti 2001, 2.1), with the rate estimated without the cell, so that a clump cannot vouch for itself.
- What clumping is left is estimated as overdispersion: Pearson's chi-square over its degrees of freedom (McCullagh and Nelder
  1989, 4.5 and 9.2), the expected number of a cell being its requests times its host's share of bad ones times how the whole
  fleet was doing in that interval. A clump in one host is thereby seen although there is only one. A cell counts by how much
  it tells: the square of its residual has a variance of 2 + 1/expected (McCullagh and Nelder 1989, 4.5.2, of a Poisson
  variable), so that hundreds of cells in which hardly anything is expected do not deny what is usually believed of clumps.
"""

from __future__ import annotations

import functools
import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Cell, Interval, total

RARE = 0.01
BESIDE = 0.5
"""Bad requests that any cell may be expected to have, however good the others are."""
STEADY = 5.0
"""Bad requests of the fleet's usual rate that are added to every interval: how few of them tell little of it."""
BELIEVED_DISPERSION, BELIEVED_FREEDOM = 1.5, 20
"""Until there is something to go by; counts like so many degrees of freedom."""

Group = t.Sequence[t.Dict[str, Cell]]


def capped(intervals: t.Sequence[Interval]) -> list[Interval]:
    """The intervals with what no other cell of the group makes plausible cut off."""
    canary = _capped([each.canary for each in intervals], total(each.canary_total for each in intervals))
    baseline = _capped([each.baseline for each in intervals], total(each.baseline_total for each in intervals))
    return [
        each if one is each.canary and other is each.baseline else Interval(each.at, one, other)
        for each, one, other in zip(intervals, canary, baseline)
    ]


def _capped(group: Group, whole: Cell) -> list[dict[str, Cell]]:
    """The group's cells, the same ones where nothing is cut off."""
    requests, bad = whole
    # So many are plausible anywhere, so that where bad requests are few hardly any cell is asked about.
    least = poisson_most(BESIDE)
    found = []
    for cells in group:
        cut = {}
        for host, (count, seen) in cells.items():
            if seen > least:
                most = _most(count, requests - count, bad - seen)
                if seen > most:
                    cut[host] = (count, most)
        found.append({**cells, **cut} if cut else cells)
    return found


def _most(count: float, others: float, others_bad: float) -> float:
    """How many bad ones of *count* requests are plausible."""
    expected = BESIDE + (count * others_bad / others if others > 0 else 0.0)
    return poisson_most(round(expected, 1 if expected < 10 else 0))


@functools.lru_cache(maxsize=4096)
def poisson_most(expected: float) -> float:
    """The smallest number that a Poisson variable exceeds with a chance of at most RARE; by Wilson and Hilferty (1931) where large."""
    if expected > 30:
        return math.ceil(expected * (1 - 1 / (9 * expected) + 2.33 / (3 * math.sqrt(expected))) ** 3)
    chance = reached = math.exp(-expected)
    number = 0
    while 1 - reached > RARE:
        number += 1
        chance *= expected / number
        reached += chance
    return float(number)


def dispersion(intervals: t.Sequence[Interval]) -> float:
    """How much more the bad ones vary than chance lets them; at least 1."""
    canary, baseline = _rates([each.canary for each in intervals]), _rates([each.baseline for each in intervals])
    squares = freedom = 0.0
    number = 0
    for interval in intervals:
        cells = [(count * canary[host], bad) for host, (count, bad) in interval.canary.items() if canary[host]]
        cells += [(count * baseline[host], bad) for host, (count, bad) in interval.baseline.items() if baseline[host]]
        usual = sum([each for each, dummy in cells])
        if not usual:
            continue
        level = (sum([bad for dummy, bad in cells]) + STEADY) / (usual + STEADY)
        number += len(cells)
        # Chi-square's share of a cell, (bad - expected)^2 / expected, times 2 expected / (2 expected + 1).
        squares += sum([2 * (bad - each * level) ** 2 / (2 * each * level + 1) for each, bad in cells])
        weights = sum([2 * each * level / (2 * each * level + 1) for each, dummy in cells])
        freedom += weights * (1 - usual / (usual + STEADY) / len(cells))
    rates = sum(1 for rate in (*canary.values(), *baseline.values()) if rate)
    freedom *= max(0.0, 1 - rates / number) if number else 0.0
    return max(1.0, (BELIEVED_FREEDOM * BELIEVED_DISPERSION + squares) / (BELIEVED_FREEDOM + freedom))


def _rates(group: Group) -> dict[str, float]:
    """Each host's share of bad requests."""
    sums: dict[str, Cell] = {}
    for cells in group:
        for host, (count, bad) in cells.items():
            before, bad_before = sums.get(host, (0.0, 0.0))
            sums[host] = (before + count, bad_before + bad)
    return {host: bad / requests for host, (requests, bad) in sums.items()}
