# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs rollout_host in the worker where the coordinator is local, and with few sessions where it is not."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.in_worker import InWorkerAction
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import slots

LOOK_FOR = 5.0
"""Seconds that one call may hold its session while the host waits for a place; then another host asks."""

SILENT_FOR = 30.0
"""Seconds that the coordinator may be silent before a host that waits gives up: it is at no risk meanwhile."""
ASK_AGAIN_AFTER = 2.0
"""Seconds."""

FOR_REPORTS = 2
"""Sessions that are kept for reports, so that those who wait cannot hold up those who work."""


class ActionModule(InWorkerAction):
    module = "rollout_host"
    kind_of_silence = "coordinator"

    def as_module(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        if arguments.get("state") == "admitted":
            return self._ask_until_answered(arguments, task_vars)
        with slots.place(slots.run_directory(), "report", FOR_REPORTS):
            return super().as_module(arguments, task_vars)

    def _ask_until_answered(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        count = max(1, int(task_vars.get("rollout_coordinator_sessions", 6)) - FOR_REPORTS)
        heard_at = time.monotonic()
        while True:
            try:
                with slots.place(slots.run_directory(), "ask", count):
                    answer = super().as_module({**arguments, "timeout": LOOK_FOR}, task_vars)
                heard_at = time.monotonic()
                if answer.get("verdict") != "wait":
                    return answer
            except AnsibleConnectionFailure:
                if time.monotonic() - heard_at > SILENT_FOR:
                    raise
                time.sleep(ASK_AGAIN_AFTER)
            controller.leave_if_ended()
