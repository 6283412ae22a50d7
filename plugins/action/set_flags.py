# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns the feature flags of a rollout off or on."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.flags.drive import FlagDrive
from ansible_collections.steady.rollout.plugins.plugin_utils.flags.of_rollout import flags_of_rollout
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated

Result = t.Dict[str, t.Any]


class ActionModule(ActionBase):
    _supports_check_mode = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        controller.leave_if_ended()
        task_vars = task_vars or {}
        result: Result = super().run(tmp, task_vars)
        try:
            arguments = validated("set_flags", source_of("set_flags").SPEC, self._task.args)
            with Executors(self, task_vars) as executors:
                failures = self._set(arguments, flags_of_rollout(self, arguments, task_vars, executors))
        except RolloutError as error:
            return {**result, "changed": False, "failed": True, "msg": error.message, "kind": error.result.get("kind")}
        return {**result, "changed": True, "failures": failures, "msg": " ".join(failures) or "done"}

    def _set(self, arguments: Result, flags: FlagDrive) -> list[str]:
        if arguments["moment"] == "rollback":
            flags.before_rollback()
        elif arguments["moment"] == "begin":
            flags.before_first_host()
        else:
            return [*flags.after_rollback(), *self._turned_on(arguments, flags)]
        return []

    def _turned_on(self, arguments: Result, flags: FlagDrive) -> list[str]:
        if arguments["moment"] != "end":
            return []
        names = ("hosts", "balancers", "nodes")
        return flags.after_last_host({name: arguments[name] for name in names if arguments.get(name) is not None})
