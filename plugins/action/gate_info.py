# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the hosts before a release, and says what the gates of the plan will detect."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.metrics.traffic import Known
from ansible_collections.steady.rollout.plugins.plugin_utils import controller, gate_power
from ansible_collections.steady.rollout.plugins.plugin_utils.coordinator import ledger_calls
from ansible_collections.steady.rollout.plugins.plugin_utils.gate_before import Before
from ansible_collections.steady.rollout.plugins.plugin_utils.output import show
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated
from ansible_collections.steady.rollout.plugins.plugin_utils.traffic.ledger import TrafficLedger
from ansible_collections.steady.rollout.plugins.plugin_utils.variables import evaluated

Result = t.Dict[str, t.Any]
SETTINGS = (
    "rollout_balancers",
    "rollout_traffic_balancers",
    "rollout_metric_gate",
    "rollout_metrics",
    "rollout_metrics_alone",
    "rollout_metrics_compared",
    "rollout_metric_sources",
    "rollout_metric_policy",
    "rollout_metric_before",
    "rollout_metric_window",
    "rollout_analysis_interval",
    "rollout_stages",
)


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        controller.leave_if_ended()
        task_vars = task_vars or {}
        result: Result = super().run(tmp, task_vars)
        arguments = validated("gate_info", source_of("gate_info").SPEC, self._task.args)
        settings = evaluated(self, {name: task_vars[name] for name in SETTINGS if name in task_vars}, task_vars)
        try:
            lines, warnings = self._forecast(arguments, settings, task_vars)
        except RolloutError as error:
            # The rollout has its lease already: nothing that is only said beforehand may end it.
            lines, warnings = [], [f"What the gates will detect is not known: {error.message}"]
        # As text: callbacks differ in whether they show the warnings of a task.
        text = [*lines, *(f"WARNING: {warning}" for warning in warnings)]
        return {**result, "changed": False, "text": text, "blind": warnings}

    def _forecast(self, arguments: Result, settings: Result, task_vars: dict[str, t.Any]) -> gate_power.Forecast:
        plan = arguments["plan"]
        gates = gate_power.planned_gates(plan, settings)
        if not gates:
            return gate_power.Forecast([], [])
        known: Known | str = "nothing is compared"
        if any(gate.baseline for gate in gates):
            known = self._measured(plan, gates[0], arguments, settings, task_vars)
        return gate_power.forecast(gates, gate_power.gates_in_all(plan, settings), known, settings)

    def _measured(
        self,
        plan: Result,
        first: gate_power.PlannedGate,
        arguments: Result,
        settings: Result,
        task_vars: dict[str, t.Any],
    ) -> Known | str:
        with Executors(self, task_vars) as executors:
            is_kept = gate_power.has_past(plan) and not self._task.check_mode
            before = Before(
                gate_power.groups_before(plan, arguments["hosts"]),
                settings,
                executors,
                self._ledger(arguments, executors).measure if is_kept else None,
            )
            if is_kept and before.seconds(first):
                show(f"measuring each host for {before.seconds(first):.0f} s before the release")
            return before.measured(first)

    def _ledger(self, arguments: Result, executors: Executors) -> TrafficLedger:
        return TrafficLedger(*ledger_calls(arguments, executors))
