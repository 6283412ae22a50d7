# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a stage of a rolling deployment is judged by metrics."""

from __future__ import annotations

import math
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.metrics import plan

# The first and the last poll, and those that an operator's pauses cut short.
POLLS_BESIDE = 20
# What follows where the policy does not say, as in metric_gate.
UNCLEAR = {"on_inconclusive": "wait", "on_no_data": "stop", "on_error": "stop"}


def metrics_error(metrics: t.Sequence[t.Any], sources: t.Any) -> str:
    """A sentence where metrics cannot be right, which reading alone can tell; else an empty text."""
    if not isinstance(sources, t.Mapping):
        return "rollout_metric_sources must be a dictionary of sources by name."
    try:
        plan.metrics_of(metrics, sources)
    except InputError as error:
        return f"rollout_metrics: {error.message}"
    return ""


def polls_needed(policy: t.Mapping[str, t.Any], window: t.Any, interval: t.Any, at_a_time: int = 1) -> int:
    """How many polls, or rounds of so many polls *at_a_time*, a gate may take at most.

    *window* and *interval* in seconds, *policy* as rollout_metric_policy.
    """
    try:
        seconds, every = (
            durations.seconds("rollout_metric_window", window),
            durations.positive("rollout_analysis_interval", interval),
        )
        if "wait" in [policy.get(name, usual) for name, usual in UNCLEAR.items()]:
            seconds += durations.seconds("rollout_metric_policy.wait_limit", policy.get("wait_limit", seconds))
    except InputError as error:
        raise AnsibleFilterError(error.message) from error
    return math.ceil((math.ceil(seconds / every) + POLLS_BESIDE) / at_a_time)
