# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the results of the checks before a rollout into one report."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.report import report
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        given = validated("preflight_report", source_of("preflight_report").SPEC, self._task.args)
        return {**result, "changed": False, **report(given["results"])}
