# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad requests in clumps count as what they are."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from support import canaries

from ansible_collections.steady.rollout.plugins.module_utils.judge import clumps
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval, total


def fleet(canary: dict[int, float], baseline: float = 0.0, looks: int = 20) -> list[Interval]:
    """Two hosts with 100 requests each and two with 400, *canary* bad ones of the first in these intervals."""
    return [
        Interval(
            at * 10.0,
            {"c1": (100, canary.get(at, 0.0)), "c2": (100, 0.0)},
            {"b1": (400, baseline), "b2": (400, baseline)},
        )
        for at in range(looks)
    ]


@pytest.mark.parametrize("expected", [0.5, 1.0, 3.3, 12.0, 30.0])
def test_what_is_plausible_beside_scipy(expected: float) -> None:
    assert clumps.poisson_most(expected) == stats.poisson.isf(clumps.RARE, expected)


@pytest.mark.parametrize("expected", [31.0, 200.0, 5000.0])
def test_what_is_plausible_of_many_beside_scipy(expected: float) -> None:
    assert clumps.poisson_most(expected) == pytest.approx(stats.poisson.isf(clumps.RARE, expected), abs=2)


def test_one_clump_counts_as_little_as_the_others_make_plausible() -> None:
    found = clumps.capped(fleet({7: 8.0}))
    assert total(cell for each in found for cell in each.canary.values()) == (4000, 3)


def test_what_is_bad_everywhere_is_not_cut_off() -> None:
    everywhere = fleet(dict.fromkeys(range(20), 8.0), baseline=1.0)
    found = clumps.capped(everywhere)
    assert total(cell for each in found for cell in each.canary.values()) == (4000, 160)
    assert [each.baseline for each in found] == [each.baseline for each in everywhere]


def test_one_clump_is_enough_to_notice_clumping() -> None:
    """With nothing else bad, and cut off, it still varies more than single errors would."""
    assert clumps.dispersion(fleet({})) == 1.5
    assert clumps.dispersion(clumps.capped(fleet({7: 8.0}))) > 1.5
    assert clumps.dispersion(fleet({7: 8.0})) > 2.0


def test_cells_in_which_nothing_is_expected_do_not_deny_what_is_believed_of_clumps() -> None:
    """Some single errors in hundreds of cells: at a share of 5 % one release in 110 was stopped by clumps, one in 130 was allowed."""
    single = fleet(dict.fromkeys(range(0, 60, 10), 1.0), looks=60)
    assert 1.2 < clumps.dispersion(single) < 1.5


@pytest.mark.parametrize(("clump", "least", "most"), [(1.0, 1.0, 1.2), (3.0, 3.5, 6.5)])
def test_clumps_of_bad_ones_are_noticed(clump: float, least: float, most: float) -> None:
    """A geometric number on average 3 has the mean square 15: chance lets it vary five times as much."""
    rng = random.Random("clumps")
    intervals = [
        Interval(at, {}, {f"b{host}": (1000, canaries.clumped(rng, 10.0, clump)) for host in range(4)})
        for at in range(100)
    ]
    assert least <= clumps.dispersion(intervals) <= most


def test_what_befalls_the_whole_fleet_is_no_clump() -> None:
    rng = random.Random("fleet")
    intervals = []
    for at in range(60):
        level = 10.0 if at % 10 == 0 else 1.0
        baseline: dict[str, tuple[float, float]] = {
            f"b{host}": (1000, canaries.poisson(rng, 2 * level)) for host in range(8)
        }
        canary: dict[str, tuple[float, float]] = {
            f"c{host}": (1000, canaries.poisson(rng, 2 * level)) for host in range(2)
        }
        intervals.append(Interval(at, canary, baseline))
    assert clumps.dispersion(intervals) < 1.5


@settings(max_examples=40)
@given(st.dictionaries(st.integers(0, 9), st.integers(0, 100)), st.integers(0, 5))
def test_nothing_is_added(bad: dict[int, int], baseline: int) -> None:
    seen = fleet({at: float(each) for at, each in bad.items()}, baseline, looks=10)
    for before, after in zip(seen, clumps.capped(seen)):
        for host, (requests, count) in {**before.canary, **before.baseline}.items():
            left = {**after.canary, **after.baseline}[host]
            assert left[0] == requests
            assert left[1] <= count
