# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's operations on feature flags, called where the ledger is: on the coordinator."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Executor

Answer = t.Dict[str, t.Any]


class FlagsInLedger:
    """*common* are the options of every call: ledger, service, run and token."""

    def __init__(self, executor: Executor, common: t.Mapping[str, t.Any]) -> None:
        self._executor = executor
        self._common = dict(common)

    def begun(self, **options: t.Any) -> Answer:
        return self._call("begun", options)

    def done(self, **options: t.Any) -> Answer:
        return self._call("done", options)

    def failed(self, **options: t.Any) -> Answer:
        return self._call("failed", options)

    def _call(self, state: str, options: t.Mapping[str, t.Any]) -> Answer:
        given = {name: value for name, value in options.items() if value is not None}
        answer = self._executor.call("rollout_flag", {**self._common, "state": state, **given})
        if answer.get("failed"):
            raise RolloutError(str(answer.get("msg")), kind=answer.get("kind"))
        return answer
