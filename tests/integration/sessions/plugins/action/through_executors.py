# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task that makes calls through Executors and says how each was made.

rounds: lists of calls, those of one list at the same time; each is an Invocation. meet: a directory in which as many
hosts as ``of`` leave what came of their calls before the first of them closes its sessions.
"""

from __future__ import annotations

import json
import os
import pathlib
import time
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors, Invocation, prepare

prepare()


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        outcomes = []
        with Executors(self, task_vars or {}) as executors:
            for calls in self._task.args["rounds"]:
                began = time.monotonic()
                done = executors.together([Invocation(**call) for call in calls])
                outcomes.append(
                    {"seconds": time.monotonic() - began, "calls": [self._said(executors, one) for one in done]}
                )
            meet = self._task.args.get("meet")
            if meet:
                self._meet(
                    pathlib.Path(meet), int(self._task.args["of"]), outcomes, (task_vars or {})["inventory_hostname"]
                )
        cpu = sum(os.times()[:4])
        return {"changed": False, "rounds": outcomes, "cpu": cpu}

    @staticmethod
    def _meet(directory: pathlib.Path, count: int, outcomes: list[t.Any], host: str) -> None:
        draft = directory / f".{host}"
        draft.write_text(json.dumps(outcomes))
        draft.rename(directory / f"{host}.json")
        while len(list(directory.glob("*.json"))) < count:
            time.sleep(0.05)

    @staticmethod
    def _said(executors: Executors, one: t.Any) -> dict[str, t.Any]:
        executor = executors.on(one.invocation.host, one.invocation.become)
        return {
            "result": one.result,
            "kind": executor.kind,
            "why_not_session": executor.why_not_session,
            "unreachable": one.unreachable is not None,
            "seconds": one.seconds,
        }
