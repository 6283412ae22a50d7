# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much hosts differ is measured where they show it, and believed where they do not."""

from __future__ import annotations

import math
import random
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import canaries

from ansible_collections.steady.rollout.plugins.module_utils.judge import hosts, proportions
from ansible_collections.steady.rollout.plugins.module_utils.judge.hosts import Spread
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval


def mean_of(found: t.Sequence[Spread]) -> float:
    return sum(spread.between for spread in found) / len(found)


def spread_of(intervals: t.Sequence[Interval]) -> t.Optional[Spread]:
    return hosts.spread_of_values(
        [{host: math.log(value) for host, (dummy, value) in each.baseline.items()} for each in intervals], 0.0
    )


def fleet_of_values(rng: random.Random, deviation: float) -> list[Interval]:
    """Ten hosts for 40 intervals, each by a factor of its own, with jitter and a common drift."""
    factors = {f"b{host}": rng.gauss(0, deviation) for host in range(10)}
    drift = [rng.gauss(0, 0.5) for dummy in range(40)]
    return [
        Interval(at, {}, {host: (0.0, math.exp(drift[at] + own + rng.gauss(0, 0.1))) for host, own in factors.items()})
        for at in range(40)
    ]


def fleet_of_shares(rng: random.Random, deviation: float) -> list[Interval]:
    factors = {f"b{host}": math.exp(rng.gauss(0, deviation)) for host in range(10)}
    return [
        Interval(at, {}, {host: (1000, canaries.poisson(rng, 10 * own)) for host, own in factors.items()})
        for at in range(40)
    ]


@pytest.mark.parametrize("deviation", [0.0, 0.1, 0.3])
def test_the_spread_of_values(deviation: float) -> None:
    rng = random.Random("values")
    found = [spread for dummy in range(40) for spread in [spread_of(fleet_of_values(rng, deviation))] if spread]
    assert mean_of(found) == pytest.approx(deviation**2, rel=0.25, abs=0.0002)
    assert all(spread.freedom == 9 and spread.within == pytest.approx(0.01 / 40, rel=0.5) for spread in found)


@pytest.mark.parametrize("deviation", [0.0, 0.1, 0.3])
def test_the_spread_of_shares(deviation: float) -> None:
    rng = random.Random("shares")
    tables = [proportions.expected(fleet_of_shares(rng, deviation)) for dummy in range(40)]
    found = [hosts.spreads_of_shares(each, 1.0)[0] for each in tables]
    assert mean_of(found) == pytest.approx(deviation**2, rel=0.35, abs=0.0005)


def test_hosts_that_show_nothing_leave_what_is_believed() -> None:
    alone = [Interval(at, {"c": (10, 1)}, {"b": (10, 1)}) for at in range(5)]
    assert spread_of(alone) is None
    assert hosts.spreads_of_shares(proportions.expected(alone), 1.0) == []
    assert hosts.noise(0.1, [])[0] == pytest.approx(0.1)


def test_hosts_that_show_much_are_believed() -> None:
    assert hosts.noise(0.1, [Spread(0.04, 0.0, 10000)])[0] == pytest.approx(0.2, rel=0.01)
    assert hosts.noise(0.1, [Spread(0.04, 100.0, 10000)])[0] == pytest.approx(0.1, rel=0.01)
    assert hosts.noise(0.1, [Spread(-1.0, 0.0, 10000)])[0] == 0


def test_who_believes_in_no_noise_sees_none() -> None:
    assert hosts.noise(0.0, [Spread(0.04, 0.01, 10)])[0] == 0


@given(st.floats(0.01, 0.5), st.floats(0, 0.2), st.floats(0, 0.2), st.integers(1, 50))
def test_noise_lies_between_what_is_believed_and_what_is_seen(
    believed: float, between: float, within: float, freedom: int
) -> None:
    found, dummy = hosts.noise(believed, [Spread(between, within, freedom)])
    low, high = sorted((believed, math.sqrt(between)))
    assert low - 1e-9 <= found <= high + 1e-9


def test_fewer_hosts_differ_more() -> None:
    assert hosts.variance_of_ratio(0.1, 1, 1) == pytest.approx(0.02)
    assert hosts.variance_of_ratio(0.1, 4, 4) == pytest.approx(0.005)


@pytest.mark.parametrize(
    ("named", "known", "count"),
    [(["a", "b"], {"canary": 9}, 2), ([""], {"canary": 9}, 9), ([""], {}, 1), ([], {}, 1)],
)
def test_how_many_hosts_a_group_has(named: list[str], known: dict[str, int], count: int) -> None:
    assert hosts.count([Interval(1, dict.fromkeys(named, (1, 1)), {})], "canary", known) == count


def test_values_that_last_tell_less_of_the_hosts_than_values_that_come_and_go() -> None:
    def rows(block: int) -> list[dict[str, float]]:
        rng = random.Random("blocks")
        drawn = [[rng.gauss(0, 0.1) for dummy in range(4)] for dummy in range(60)]
        return [dict(zip("abcd", drawn[at // block])) for at in range(60)]

    quick, lasting = hosts.spread_of_values(rows(1), 0.0), hosts.spread_of_values(rows(10), 0.0)
    assert quick is not None
    assert lasting is not None
    # Ten in a row are one: what is known of a host's mean is some ten times less sure.
    assert lasting.within > 4 * quick.within
