# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's operations on a shift of traffic, called where the ledger is: on the coordinator."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Executor

Answer = t.Dict[str, t.Any]


class TrafficLedger:
    """*common* are the options of every call: ledger, service, run and token."""

    def __init__(self, executor: Executor, common: t.Mapping[str, t.Any]) -> None:
        self._executor = executor
        self._common = dict(common)

    def next_act(self, **seen: t.Any) -> Answer:
        """Records what was seen and says what comes next. Waits while the rollout is paused."""
        return self._call("rollout_shift", **{name: value for name, value in seen.items() if value is not None})

    def bake(self, seconds: t.Any) -> bool:
        """Lets the step bake for at most so long; whether its time is over."""
        return bool(self._call("rollout_shift", state="baked", timeout=seconds)["baked"])

    def plan_rollback(self) -> Answer:
        """Has the ledger note where the hosts that are rolled back go."""
        return self._call("rollout", state="reverting")

    def measure(self, **options: t.Any) -> Answer:
        """One measurement; a gate that cannot measure says so instead of failing."""
        return self._executor.call("metric_gate", {**self._common, "once": True, **options})

    def _call(self, module: str, **options: t.Any) -> Answer:
        answer = self._executor.call(module, {**self._common, **options})
        if answer.get("failed"):
            raise RolloutError(str(answer.get("msg")))
        return answer
