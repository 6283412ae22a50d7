# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate of a stage: measured until there is a verdict, then judged by the steps of the user's, if there are any."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils import controller, metric_gates
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.ledger import HostLedger
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors

Settings = t.Mapping[str, t.Any]
Verdict = t.Dict[str, t.Any]


def measure(gate: Verdict, settings: Settings, ledger: HostLedger, executors: Executors) -> Verdict:
    """Measures until there is a verdict. A gate that cannot measure says nothing against the release: no data."""
    needs_counters = metric_gates.counts_needed(settings["rollout_metrics"])
    while True:
        controller.leave_if_ended()
        counters = (
            {"counters": metric_gates.read_counters(settings["rollout_balancers"], executors)} if needs_counters else {}
        )
        try:
            measured = ledger.measure(
                step=f"stage {gate['stage']} {gate['claim']}",
                window=str(settings["rollout_metric_window"]),
                interval=str(settings["rollout_analysis_interval"]),
                metrics=settings["rollout_metrics"],
                sources=settings["rollout_metric_sources"],
                **metric_gates.policy_options(settings["rollout_metric_policy"], len(settings["rollout_stages"])),
                **counters,
            )
        except StepFailed as error:
            return {"verdict": "no_data", "reason": error.error}
        verdict = metric_gates.verdict_of(measured)
        if verdict:
            return verdict
