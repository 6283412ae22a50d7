# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users write for metrics and policy, and the sentence for what cannot be right."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.judge import conditions, spec
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import Metric, Range


def one(**words: t.Any) -> Metric:
    return spec.parse_metrics([{"name": "m", **words}])[0]


def refused(**words: t.Any) -> str:
    with pytest.raises(InputError) as caught:
        one(**words)
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("< 1%", "", Range(None, 0.01, False, False, "< 1%")),
        ("<= 0", "", Range(None, 0.0, False, True, "<= 0")),
        ("> 10", "", Range(10.0, None, False, False, "> 10")),
        ("< 500ms", "ms", Range(None, 500.0, False, False, "< 500ms")),
        ("< 500ms", "s", Range(None, 0.5, False, False, "< 500ms")),
        ("<0.5 s", "ms", Range(None, 500.0, False, False, "<0.5 s")),
        (">= 2, < 7", "", Range(2.0, 7.0, True, False, ">= 2, < 7")),
        ("< 80%", "%", Range(None, 80.0, False, False, "< 80%")),
        ("> -5", "", Range(-5.0, None, False, False, "> -5")),
    ],
)
def test_limits(text: str, unit: str, expected: Range) -> None:
    assert conditions.parse_limit("w", text, unit) == expected


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("< 2x", None, 2.0), ("<= 120%", None, 1.2), ("> 90%", 0.9, None), ("within 20%", 0.8, 1.2)],
)
def test_ratios_to_the_baseline(text: str, low: float | None, high: float | None) -> None:
    bounds = conditions.parse_baseline("w", text)
    assert (bounds.low, bounds.high) == (low, pytest.approx(high) if high else None)


def test_what_a_range_holds() -> None:
    assert Range(1.0, 2.0, True, False, "").holds(1.0)
    assert not Range(1.0, 2.0, False, False, "").holds(1.0)
    assert not Range(1.0, 2.0, True, False, "").holds(2.0)


@given(st.floats(0.001, 1000), st.sampled_from(["us", "ms", "s", "m", "h"]), st.sampled_from(["us", "ms", "s"]))
def test_a_limit_in_any_unit_is_the_same_time(number: float, written: str, unit: str) -> None:
    high = conditions.parse_limit("w", f"< {number:.6f}{written}", unit).high
    assert high is not None
    seconds = high * durations.UNITS[unit]
    assert seconds == pytest.approx(float(f"{number:.6f}") * durations.UNITS[written])


def test_durations_and_fractions() -> None:
    assert durations.seconds("w", "5m") == 300
    assert durations.seconds("w", 30) == 30
    assert conditions.parse_fraction("w", "10%") == pytest.approx(0.1)
    assert conditions.parse_fraction("w", 0.1) == pytest.approx(0.1)


def test_what_is_left_out_has_a_default() -> None:
    metric = one(judge=True)
    assert (metric.source, metric.kind, metric.direction, metric.minimum) == ("balancer", "value", "increase", 3)
    assert (metric.on_no_data, metric.max_consecutive_errors, metric.tolerance) == ("no_data", 4, pytest.approx(0.1))
    assert one(kind="share", judge="yes").minimum == 100
    assert one(limit="< 5").minimum == 1
    assert one(limit="< 500ms").unit == "ms"
    assert one(limit="< 500ms", unit="s").limit == Range(None, 0.5, False, False, "< 500ms")
    assert one(limit="< 5", judge=None, weight="2").weight == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, "metrics.m: no criterion is set; give a limit, a baseline or judge: true."),
        (
            {"limt": "< 1%"},
            "metrics.m: 'limt' is not a setting; the settings are " + ", ".join(spec.METRIC_DEFAULTS) + ".",
        ),
        (
            {"limit": "1%"},
            "metrics.m.limit: '1%' is not a condition; write what is good, for example '< 1%', '<= 500ms' or '> 10, < 20'.",
        ),
        (
            {"limit": "> 5, < 3"},
            "metrics.m.limit: '> 5, < 3' is never fulfilled; the lower bound has to be below the upper one.",
        ),
        (
            {"limit": "< 5ms", "kind": "share"},
            "metrics.m.limit: 'ms' does not go with a metric in no unit; set the metric's unit.",
        ),
        (
            {"baseline": "< 2"},
            "metrics.m.baseline: a ratio to the baseline is wanted; write for example '< 2x', '> 90%' or 'within 20%'.",
        ),
        ({"judge": True, "kind": "rate"}, "metrics.m.kind: 'rate' is not one of value, share."),
        ({"judge": "perhaps"}, "metrics.m.judge: 'perhaps' is neither true nor false."),
        (
            {"judge": True, "direction": "up"},
            "metrics.m.direction: 'up' is not one of increase, decrease, either.",
        ),
        (
            {"judge": True, "tolerance": "120%"},
            "metrics.m.tolerance: '120%' is not a share; give one from 0 to 1, for example 0.1 or 10%.",
        ),
        (
            {"judge": True, "tolerance": "100%"},
            "metrics.m.tolerance: has to be below 100 %; for more use for example baseline: '< 3x'.",
        ),
        (
            {"judge": True, "weight": 0},
            "metrics.m.weight: has to be above 0; dry_run: true keeps a metric from deciding.",
        ),
        ({"judge": True, "weight": "much"}, "metrics.m.weight: 'much' is not a number from 0 on."),
        ({"judge": True, "minimum": 0}, "metrics.m.minimum: 0 is not a whole number from 1 on."),
        (
            {"judge": True, "delay": "soon"},
            "metrics.m.delay: 'soon' is not a duration; expected seconds, or for example 30s, 5m or 1h30m.",
        ),
        (
            {"judge": True, "max_failures": 2},
            "metrics.m: max_failures counts measurements outside limit, and no limit is given.",
        ),
    ],
)
def test_what_cannot_be_right(words: dict[str, t.Any], message: str) -> None:
    assert refused(**words) == message


def test_names() -> None:
    with pytest.raises(InputError, match=r"^metrics: number 1 has no name; give it one, for example 'error_share'\.$"):
        spec.parse_metrics([{"judge": True}])
    with pytest.raises(InputError, match=r"^metrics: 'm' appears twice; every metric needs a name of its own\.$"):
        spec.parse_metrics([{"name": "m", "judge": True}, {"name": "m", "judge": True}])
    assert spec.parse_metrics(None) == ()


def test_the_policy() -> None:
    policy = spec.parse_policy({"false_stop": "1%", "groups": {"errors": "60", "latency": 40}, "marginal_score": 75})
    assert (policy.false_stop, policy.host_noise) == (pytest.approx(0.01), pytest.approx(0.1))
    assert (policy.pass_score, policy.marginal_score) == (100, 75)
    assert policy.groups == {"errors": 60, "latency": 40}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"false_stop": 0}, "policy.false_stop: has to be above 0 and at most 50 %; 3% is usual."),
        ({"pass_score": 101}, "policy.pass_score: 101 is not a number from 0 to 100."),
        (
            {"pass_score": 75, "marginal_score": 95},
            "policy: marginal_score 95 is above pass_score 75; a marginal score is the lower one.",
        ),
        ({"score": 1}, "policy: 'score' is not a setting; the settings are " + ", ".join(spec.POLICY_DEFAULTS) + "."),
    ],
)
def test_what_no_policy_can_be(words: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        spec.parse_policy(words)
    assert caught.value.message == message
