# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate says beforehand about what it will see, and whether that is so."""

from __future__ import annotations

import dataclasses
import random
import statistics

import pytest
from support import canaries

from ansible_collections.steady.rollout.plugins.module_utils.judge import model, power, spec
from ansible_collections.steady.rollout.plugins.module_utils.judge.decide import decide
from ansible_collections.steady.rollout.plugins.module_utils.judge.power import Gate, Traffic

POLICY = spec.parse_policy(None)
USUAL = Traffic(rate=100.0, error_share=0.003, share=0.2, canary=2, baseline=8)
GATE = Gate(window=300.0, interval=10.0)


@pytest.mark.parametrize(
    ("traffic", "text"),
    [
        (USUAL, "At 100 requests/s and a share of 20 %, twice the errors are detected in about 5 minutes."),
        (
            dataclasses.replace(USUAL, share=0.05, canary=1, baseline=9),
            "At 100 requests/s and a share of 5 %, twice the errors are not detected within 5 minutes: give 20 % or 15 minutes.",
        ),
        (
            dataclasses.replace(USUAL, error_share=0.0, noise=0.16),
            "At 100 requests/s and a share of 20 %, 1 % of errors are detected in about 40 seconds; "
            "latency up by half in about 90 seconds.",
        ),
        (
            dataclasses.replace(USUAL, rate=0.2, noise=3.0),
            "At 0.2 requests/s and a share of 20 %, twice the errors are not detected within 5 minutes: there is too little "
            "traffic for a comparison; give a limit, or let people judge; latency up by half is not detected within 5 minutes.",
        ),
        (
            dataclasses.replace(USUAL, baseline=0),
            "Nothing can be judged: the gate has no traffic of both versions to compare.",
        ),
    ],
)
def test_the_sentence_of_the_plan(traffic: Traffic, text: str) -> None:
    assert power.seen(traffic, POLICY, GATE).text == text


def test_a_gate_that_sees_nothing_is_blind() -> None:
    assert power.seen(dataclasses.replace(USUAL, rate=0.2), POLICY, GATE).is_blind
    assert not power.seen(USUAL, POLICY, GATE).is_blind


def test_more_traffic_is_seen_sooner() -> None:
    times = [power.errors_seen(dataclasses.replace(USUAL, rate=rate), POLICY, GATE) for rate in (100.0, 300.0, 1000.0)]
    found = [each for each in times if each is not None]
    assert len(found) == 3
    assert found == sorted(found, reverse=True)


def test_what_is_proposed_does() -> None:
    blind = dataclasses.replace(USUAL, share=0.05, canary=1, baseline=9)
    assert power.errors_seen(blind, POLICY, GATE) is None
    assert power.errors_seen(dataclasses.replace(blind, share=0.2), POLICY, GATE) is not None
    assert power.errors_seen(blind, POLICY, Gate(1200.0, 10.0)) is not None


@pytest.mark.parametrize(
    "traffic",
    [
        USUAL,
        dataclasses.replace(USUAL, rate=400.0),
        # One host that is unlike the others weighs more than chance.
        dataclasses.replace(USUAL, rate=1000.0, share=0.05, canary=1, baseline=9),
    ],
)
def test_the_time_said_beforehand_is_the_time_it_takes(traffic: Traffic) -> None:
    """Within a factor of 1.3 of the median; the project promises 1.5."""
    gate = Gate(300.0, 10.0, tests=1)
    metrics = spec.parse_metrics([{"name": "errors", "kind": "share", "judge": True}])
    times = [_time_taken(random.Random(f"power/{traffic}/{each}"), traffic, metrics) for each in range(25)]
    said = power.errors_seen(traffic, POLICY, gate)
    assert said is not None
    assert said / 1.3 <= statistics.median(times) <= said * 1.3, times


def _time_taken(rng: random.Random, traffic: Traffic, metrics: tuple[model.Metric, ...]) -> float:
    samples: list[model.Sample] = []
    for look in range(1, 61):
        at = 10.0 * look
        for group, hosts, share, chance in (
            (model.CANARY, traffic.canary, traffic.share, 2 * traffic.error_share),
            (model.BASELINE, traffic.baseline, 1 - traffic.share, traffic.error_share),
        ):
            for host in range(hosts):
                requests = traffic.rate * 10 * share / hosts
                samples.append(
                    model.Sample(at, group, f"{group}{host}", requests, canaries.poisson(rng, requests * chance))
                )
        found = decide(
            metrics, model.Evidence({"errors": samples}), model.Progress(0.0, at, 300.0, look >= 30, 300.0), POLICY
        )
        if found.verdict != model.WAIT and not (found.verdict == model.INCONCLUSIVE and look < 60):
            return at if found.verdict == model.FAIL else 600.0
    return 600.0
