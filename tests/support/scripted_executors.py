# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Executors that run nothing: they note every call and answer as they are asked to."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Unreachable
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Invocation, Outcome

Result = t.Dict[str, t.Any]
Answer = t.Callable[[str, str, t.Dict[str, t.Any]], t.Any]
"""(host, module, arguments) -> what the module returns; an Unreachable is raised instead."""


class ScriptedExecutors:
    """*answer* decides; what it leaves open is {"changed": False}."""

    def __init__(self, answer: Answer = lambda host, module, arguments: None) -> None:
        self.calls: list[tuple[str, str, Result]] = []
        self.connected: list[str] = []
        self._answer = answer

    def on(self, host: str, become: bool | None = None) -> ScriptedExecutor:
        return ScriptedExecutor(self, host)

    def connect(self, hosts: t.Iterable[str]) -> None:
        self.connected.extend(hosts)

    def together(self, calls: t.Sequence[Invocation]) -> list[Outcome]:
        return [self._outcome(one) for one in calls]

    def done(self, module: str) -> list[tuple[str, Result]]:
        """Where that module was called, with which arguments."""
        return [(host, arguments) for host, called, arguments in self.calls if called == module]

    def call(self, host: str, module: str, arguments: t.Mapping[str, t.Any]) -> Result:
        self.calls.append((host, module, dict(arguments)))
        answer = self._answer(host, module, dict(arguments))
        if isinstance(answer, Exception):
            raise answer
        return {"changed": False, **(answer or {})}

    def _outcome(self, one: Invocation) -> Outcome:
        try:
            return Outcome(one, self.call(one.host, one.module, one.arguments), None, 0.0)
        except Unreachable as lost:
            return Outcome(one, {"changed": False, "failed": True, "msg": lost.message}, lost, 0.0)


class ScriptedExecutor:
    kind = "session"
    why_not_session = ""

    def __init__(self, executors: ScriptedExecutors, host: str) -> None:
        self._executors = executors
        self._host = host

    def call(self, module: str, arguments: t.Mapping[str, t.Any], **dummy: t.Any) -> Result:
        return self._executors.call(self._host, module, arguments)
