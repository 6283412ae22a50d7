# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many polls a stage needs that is judged by metrics."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.steady.rollout.plugins.plugin_utils import stage_metrics


@pytest.mark.parametrize(
    ("policy", "window", "interval", "polls"),
    [
        ({}, 300, 10, 80),
        ({"on_inconclusive": "stop"}, "5m", "30s", 30),
        ({"on_no_data": "wait"}, 300, 10, 80),
        ({"on_error": "wait", "wait_limit": "1m"}, 300, 10, 56),
        ({"on_inconclusive": "ask", "on_error": "ask"}, 5, 10, 21),
    ],
)
def test_looks_for_window_and_waiting(policy: dict[str, t.Any], window: t.Any, interval: t.Any, polls: int) -> None:
    assert stage_metrics.polls_needed(policy, window, interval) == polls


@pytest.mark.parametrize(
    ("policy", "window", "interval", "message"),
    [
        ({}, 300, 0, "rollout_analysis_interval: expected more than 0 s, found 0."),
        (
            {},
            "long",
            10,
            "rollout_metric_window: 'long' is not a duration; expected seconds, or for example 30s, 5m or 1h30m.",
        ),
        (
            {"on_error": "wait", "wait_limit": "x"},
            300,
            10,
            "rollout_metric_policy.wait_limit: 'x' is not a duration; expected seconds, or for example 30s, 5m or 1h30m.",
        ),
    ],
)
def test_times_that_cannot_be_right(policy: dict[str, t.Any], window: t.Any, interval: t.Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        stage_metrics.polls_needed(policy, window, interval)
    assert str(caught.value) == message


def test_rounds_of_looks() -> None:
    assert stage_metrics.polls_needed({"on_inconclusive": "stop"}, 300, 10, 5) == 10
    assert stage_metrics.polls_needed({"on_inconclusive": "stop"}, 310, 10, 5) == 11


def test_metrics_that_fit() -> None:
    sources = {"prom": {"type": "prometheus", "url": "http://p"}}
    assert stage_metrics.metrics_error([{"name": "m", "source": "prom", "query": "q", "limit": "< 1"}], sources) == ""
    assert stage_metrics.metrics_error([], {}) == ""
