# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's operations on a shift of traffic, called where the ledger is: on the coordinator."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.plugin_utils.coordinator import (
    Answer,
    Arguments,
    JudgedSteps,
    LedgerCalls,
)
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Executor


class TrafficLedger(JudgedSteps):
    """*common* are the options of every call: ledger, service, run and token."""

    def __init__(self, executor: Executor, common: Arguments) -> None:
        super().__init__("rollout_shift", executor, common)
        self._rollout = LedgerCalls("rollout", executor, common)

    def plan_rollback(self) -> Answer:
        """Has the ledger note where the hosts that are rolled back go."""
        return self._rollout.call("reverting", {})
