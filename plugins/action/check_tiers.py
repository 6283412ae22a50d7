# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads rollout_tiers before anything is touched, and refuses what cannot work."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated
from ansible_collections.steady.rollout.plugins.plugin_utils.tiers import settings
from ansible_collections.steady.rollout.plugins.plugin_utils.variables import evaluated, variables_of, why_not_evaluated

Result = t.Dict[str, t.Any]


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        controller.leave_if_ended()
        task_vars = task_vars or {}
        result: Result = super().run(tmp, task_vars)
        arguments = validated("check_tiers", source_of("check_tiers").SPEC, self._task.args)
        found, errors = self._read(arguments, task_vars)
        return {
            **result,
            "changed": False,
            "errors": errors,
            "tiers": [one.shown() for one in found],
            "failed": bool(errors),
            "msg": " ".join([*errors, "Nothing was touched."]) if errors else "The services can be released.",
        }

    def _read(self, arguments: Result, task_vars: Result) -> tuple[list[settings.Service], list[str]]:
        raw = task_vars.get(settings.WHERE)
        try:
            tiers = evaluated(self, settings.without_versions(raw) if arguments["drill"] else raw, task_vars)
        except AnsibleError as error:
            return [], [why_not_evaluated(settings.WHERE, error)]
        given = settings.Given(
            tiers=tiers,
            groups=task_vars.get("groups") or {},
            in_view=arguments["hosts"],
            extra=set(task_vars["hostvars"]._variable_manager.extra_vars),
            of_host=lambda name: self._of_host(name, task_vars),
            drill=arguments["drill"],
            fails=arguments["fails"],
        )
        try:
            return settings.services(given)
        except AnsibleError as error:
            return [], [why_not_evaluated(" or ".join(settings.OF_A_HOST), error)]

    def _of_host(self, name: str, task_vars: Result) -> settings.Values:
        variables = variables_of(self, name, task_vars)
        wanted = {setting: variables[setting] for setting in settings.OF_A_HOST if setting in variables}
        return t.cast("settings.Values", evaluated(self, wanted, variables))
