# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the rollout of one host may take: for so long a run without a watch holds its lease in advance."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.settings import HOOKS

TASKS_OF_A_HOOK = 5
"""A hook may have many tasks, each with the time limit of a step; it is counted as so many of them."""
OWN_STEPS = 6
"""Waiting for an interrupted run, staging, recording, activating, smoke tests and the report."""


def longest_rollout(settings: t.Mapping[str, t.Any]) -> float:
    """Seconds from admission to the report, every step at its limit."""
    step, drain, healthy, restore = (
        durations.seconds(name, settings[name])
        for name in (
            "rollout_step_timeout", "rollout_drain_timeout", "rollout_healthy_deadline", "rollout_restore_timeout"
        )
    )  # fmt: skip
    hooks = sum(1 for name in HOOKS if settings[f"rollout_{name}_tasks"])
    # A drain may have to wait as long again until the guard allows it.
    tries = 1 + int(settings["rollout_retries"])
    objected = (
        durations.seconds("rollout_veto_wait", settings["rollout_veto_wait"]) if settings["rollout_veto"] else 0.0
    )
    return tries * ((OWN_STEPS + hooks * TASKS_OF_A_HOOK) * step + healthy) + 2 * drain + restore + objected
