# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs rollout_host in the worker where the coordinator is local, and over a session where it is not."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.plugin_utils.in_worker import InWorkerAction
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import RunOver, StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.ledger import HostLedger
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Unreachable
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors

COMMON = ("ledger", "service", "run", "token")


class ActionModule(InWorkerAction):
    module = "rollout_host"
    kind_of_silence = "coordinator"

    def as_module(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Sessions keep to the number that sshd takes on a connection, however many hosts wait for admission."""
        place = str(self._task.delegate_to or task_vars["inventory_hostname"])
        with Executors(self, task_vars) as executors:
            executor = executors.on(place)
            try:
                if arguments.get("state") != "admitted" or arguments.get("timeout") is not None:
                    return executor.call(
                        "rollout_host", arguments, check_mode=self._task.check_mode, diff=self._task.diff
                    )
                ledger = HostLedger(executor, str(arguments["host"]), {name: arguments.get(name) for name in COMMON})
                return ledger.admit(durations.optional("limit", arguments.get("limit")))
            except StepFailed as failure:
                return {**failure.result, "failed": True, "kind": failure.kind, "msg": failure.error}
            except (Unreachable, RunOver) as error:
                return {"failed": True, "changed": False, "kind": self.kind_of_silence, "msg": str(error)}
