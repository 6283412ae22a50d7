# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's operations on a recreate, called where the ledger is: on the coordinator."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import RunOver, StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Executor, Unreachable

Answer = t.Dict[str, t.Any]


class RecreateLedger:
    """*common* are the options of every call: ledger, service, run and token."""

    def __init__(self, executor: Executor, common: t.Mapping[str, t.Any]) -> None:
        self._executor = executor
        self._common = dict(common)

    def begin(self) -> Answer:
        return self._call("begun")

    def note(self, step: str, facts: t.Mapping[str, t.Any], **options: t.Any) -> Answer:
        return self._call("noted", step=step, facts=dict(facts), **options)

    def done(self, **options: t.Any) -> Answer:
        return self._call("done", **options)

    def failed(self, **options: t.Any) -> Answer:
        return self._call("failed", **options)

    def restored(self, **options: t.Any) -> Answer:
        return self._call("restored", **options)

    def stuck(self, **options: t.Any) -> Answer:
        return self._call("stuck", **options)

    def _call(self, state: str, **options: t.Any) -> Answer:
        given = {name: value for name, value in options.items() if value is not None}
        try:
            answer = self._executor.call("rollout_recreate", {**self._common, "state": state, **given})
        except Unreachable as error:
            raise StepFailed("coordinator", error.message) from None
        if answer.get("kind") == "lease_lost":
            raise RunOver(str(answer.get("msg")))
        if answer.get("failed"):
            raise StepFailed(str(answer.get("kind") or "coordinator"), str(answer.get("msg")))
        return answer
