# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values compared by rank: exact over all orders of the hosts, and beside figures of scipy 1.x."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.judge import ranks
from ansible_collections.steady.rollout.plugins.module_utils.judge.ranks import Heat

ONE = [0.45, 0.50, 0.61, 0.63, 0.75, 0.85, 0.93]
OTHER = [0.44, 0.45, 0.52, 0.53, 0.56, 0.58, 0.58, 0.65, 0.79]
values = st.lists(st.sampled_from([1.0, 2.0, 3.0, 5.0, 8.0, 13.0]), min_size=1, max_size=5).map(sorted)
heats = st.builds(Heat, values, values)


def test_mann_whitney_with_ties() -> None:
    assert ranks.u_statistic(ONE, OTHER) == 43.5


@given(values, values)
def test_all_pairs_are_won_by_one_or_the_other(one: list[float], other: list[float]) -> None:
    assert ranks.u_statistic(one, other) + ranks.u_statistic(other, one) == len(one) * len(other)


@pytest.mark.parametrize(
    ("slope", "some", "others", "mean"),
    [
        (0.1, 3, 5, 0.8059851337506282),
        (0.7, 2, 4, 3.8156738920910978),
        (1.3, 1, 1, 0.847861273273047),
        (0.05, 4, 7, 0.7349244717619194),
    ],
)
def test_the_mean_over_all_orders(slope: float, some: int, others: int, mean: float) -> None:
    assert ranks.log_mean_tilted(slope, some, others) == pytest.approx(mean)
    assert ranks.log_mean_tilted(slope, others, some) == pytest.approx(mean)


def test_the_mean_over_all_orders_of_large_groups_is_a_number() -> None:
    assert math.isfinite(ranks.log_mean_tilted(5.0, 300, 400))


@given(st.lists(st.integers(1, 4), min_size=2, max_size=7), st.data())
def test_the_evidence_of_hosts_that_are_alike_is_at_most_one_on_average(seen: list[int], data: st.DataObject) -> None:
    """Exactly one without ties, and no more with them."""
    size = data.draw(st.integers(1, len(seen) - 1))
    evidence = []
    for chosen in itertools.combinations(range(len(seen)), size):
        worse = sorted(float(seen[place]) for place in chosen)
        other = sorted(float(seen[place]) for place in range(len(seen)) if place not in chosen)
        evidence.append(math.exp(ranks.log_evidence([Heat(worse, other)], 1.0)))
    mean = sum(evidence) / len(evidence)
    assert mean <= 1 + 1e-9
    if len(set(seen)) == len(seen):
        assert mean == pytest.approx(1)


def test_looking_after_every_interval_does_not_make_a_false_stop_likelier() -> None:
    """A level that drifts, hosts that are alike: the evidence reaches 1/0.05 in at most 5 % of the runs of 60 looks."""
    rng = random.Random("looks")
    stopped = 0
    for dummy in range(400):
        seen: list[Heat] = []
        level = 100.0
        for dummy_look in range(60):
            level *= math.exp(rng.gauss(0, 0.2))
            drawn = [level * rng.lognormvariate(0, 0.3) for dummy_host in range(7)]
            seen.append(Heat(sorted(drawn[:2]), sorted(drawn[2:])))
            if ranks.log_evidence(seen, 1.0) >= math.log(20):
                stopped += 1
                break
    assert stopped <= 0.05 * 400


@given(st.lists(heats, min_size=1, max_size=6), st.floats(1, 3), st.floats(1.01, 2))
def test_the_more_is_allowed_the_less_evidence(data: list[Heat], allowed: float, times: float) -> None:
    assert ranks.log_evidence(data, allowed * times) <= ranks.log_evidence(data, allowed) + 1e-9


@given(st.lists(heats, min_size=2, max_size=6), st.floats(0.1, 10))
def test_the_unit_of_the_values_does_not_matter(data: list[Heat], factor: float) -> None:
    scaled = [Heat([each * factor for each in heat.worse], [each * factor for each in heat.other]) for heat in data]
    assert ranks.log_evidence(scaled, 1.0) == pytest.approx(ranks.log_evidence(data, 1.0))


def test_the_variance_of_mann_whitneys_statistic() -> None:
    """n m (n + m + 1) / 12, as in every textbook."""
    assert ranks.u_variance(3, 4) == 8.0
