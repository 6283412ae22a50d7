# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an action plugin of a run reaches the run's ledger."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Executor
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors

Answer = t.Dict[str, t.Any]
Arguments = t.Mapping[str, t.Any]

OF_EVERY_CALL = ("ledger", "service", "run", "token")


def ledger_calls(arguments: Arguments, executors: Executors) -> tuple[Executor, dict[str, t.Any]]:
    """The coordinator that the plugin's *arguments* name, and the options that every call of the ledger has."""
    reached = executors.on(arguments["coordinator"], become=arguments.get("coordinator_become"))
    return reached, {option: arguments.get(option) for option in OF_EVERY_CALL}


class LedgerCalls:
    """Calls of one of the ledger's modules. *common* are the options of every call.

    Raises RolloutError where the ledger refuses, or the run is over.
    """

    def __init__(self, module: str, executor: Executor, common: Arguments) -> None:
        self._module = module
        self._executor = executor
        self._common = dict(common)

    def call(self, state: str, options: Arguments) -> Answer:
        given = {name: value for name, value in options.items() if value is not None}
        answer = self._executor.call(self._module, {**self._common, "state": state, **given})
        if answer.get("failed"):
            raise RolloutError(str(answer.get("msg")), kind=answer.get("kind"))
        return answer


class RecordedChange(LedgerCalls):
    """A change beside the hosts, which the ledger records before it is made and after it."""

    def begun(self, **options: t.Any) -> Answer:
        return self.call("begun", options)

    def done(self, **options: t.Any) -> Answer:
        return self.call("done", options)

    def failed(self, **options: t.Any) -> Answer:
        return self.call("failed", options)


class JudgedSteps(LedgerCalls):
    """Steps that the ledger decides one after the other, and that bake under metrics."""

    def next_act(self, **seen: t.Any) -> Answer:
        """Records what was seen and says what comes next. Waits while the rollout is paused."""
        return self.call("next", seen)

    def bake(self, seconds: t.Any) -> bool:
        """Lets the step bake for at most so long; whether its time is over."""
        return bool(self.call("baked", {"timeout": str(seconds)})["baked"])

    def measure(self, **options: t.Any) -> Answer:
        """One measurement; a gate that cannot measure reports that instead of failing."""
        return self._executor.call("metric_gate", {**self._common, "once": True, **options})
