# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A seeded sample of `make bench-judge`: so that a judge that is broken is red."""

from __future__ import annotations

import collections
import random
import statistics

import pytest
from support import canaries, canary_judges
from support.canaries import Effect, Setting, canary
from support.judging import judged

BESIDE_FLEET = Setting("beside the fleet", baseline_hosts=8)
FRESH = Setting("fresh baseline", baseline_hosts=3, baseline_share=0.05)


def verdicts(setting: Setting, effect: Effect, number: int) -> dict[str, int]:
    seeds = [f"sample/{setting.name}/{effect.name}/{each}" for each in range(number)]
    return dict(collections.Counter(judged(canary(setting, effect, seed))[0] for seed in seeds))


@pytest.mark.parametrize("setting", [BESIDE_FLEET, FRESH], ids=lambda setting: setting.name)
def test_a_release_that_is_no_worse_passes(setting: Setting) -> None:
    assert verdicts(setting, Effect("good"), 12) == {"pass": 12}


@pytest.mark.parametrize("setting", [BESIDE_FLEET, FRESH], ids=lambda setting: setting.name)
def test_a_doubled_error_rate_is_caught(setting: Setting) -> None:
    assert verdicts(setting, Effect("errors", errors=2.0), 12) == {"fail": 12}


@pytest.mark.parametrize("setting", [BESIDE_FLEET, FRESH], ids=lambda setting: setting.name)
def test_latency_up_by_half_is_caught(setting: Setting) -> None:
    assert verdicts(setting, Effect("latency", latency=1.5), 12) == {"fail": 12}


def test_a_very_bad_release_is_caught_at_once() -> None:
    looks = [judged(canary(BESIDE_FLEET, Effect("broken", errors=20.0), f"broken/{each}")) for each in range(5)]
    assert looks == [("fail", 3 * canaries.INTERVAL)] * 5


def test_the_same_seed_is_the_same_canary() -> None:
    assert list(canary(FRESH, Effect("good"), "a")) == list(canary(FRESH, Effect("good"), "a"))
    assert list(canary(FRESH, Effect("good"), "a")) != list(canary(FRESH, Effect("good"), "b"))


@pytest.mark.parametrize("mean", [0.5, 8.0, 300.0])
def test_poisson_numbers(mean: float) -> None:
    rng = random.Random("poisson")
    drawn = [canaries.poisson(rng, mean) for dummy in range(4000)]
    assert statistics.mean(drawn) == pytest.approx(mean, rel=0.05)
    assert statistics.variance(drawn) == pytest.approx(mean, rel=0.1)


def test_clumps_keep_the_mean() -> None:
    rng = random.Random("clumps")
    drawn = [canaries.clumped(rng, 10.0, 3.0) for dummy in range(4000)]
    assert statistics.mean(drawn) == pytest.approx(10.0, rel=0.05)


def test_the_p95_of_an_interval_is_that_of_its_requests() -> None:
    rng = random.Random("quantile")
    drawn = [canaries.quantile(rng, 40) for dummy in range(3000)]
    sorted_out = [sorted(rng.gauss(0, 1) for dummy_request in range(40))[37] for dummy in range(3000)]
    assert statistics.mean(drawn) == pytest.approx(statistics.mean(sorted_out), abs=0.03)
    assert statistics.stdev(drawn) == pytest.approx(statistics.stdev(sorted_out), rel=0.06)


def test_kayenta_beside_the_figures_of_r() -> None:
    """wilcox.test(x, y, conf.int = TRUE, conf.level = 0.98, exact = FALSE) of R, whose code Kayenta's follows."""
    baseline = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    canary_values = [1.15, 0.88, 0.90, 0.74, 1.21]
    assert canary_judges.shift(canary_values, baseline)[1] == pytest.approx(-0.305)
    assert not canary_judges.is_high(canary_values, baseline)
    assert canary_judges.is_high([value + 2 for value in canary_values], baseline)
