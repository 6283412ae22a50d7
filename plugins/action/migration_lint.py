# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges migrations on the controller."""

from __future__ import annotations

import os
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint import judged
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated

Result = t.Dict[str, t.Any]


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        controller.leave_if_ended()
        task_vars = task_vars or {}
        result: Result = super().run(tmp, task_vars)
        try:
            options = validated("migration_lint", source_of("migration_lint").SPEC, self._task.args)
            return {**result, **judged.result_of(options, judged.texts_of(options, self._search(task_vars)))}
        except RolloutError as error:
            return {**result, **judged.NOTHING_JUDGED, "failed": True, "msg": error.message}

    def _search(self, task_vars: t.Mapping[str, t.Any]) -> list[str]:
        folders = [task_vars.get("playbook_dir"), task_vars.get("inventory_dir"), os.environ.get("PWD")]
        return [str(folder) for folder in folders if folder]
