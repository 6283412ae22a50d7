# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adds to the request who takes a lease, and proves that a killed run of this machine is over before it is replaced."""

from __future__ import annotations

import typing as t

from ansible.utils.display import Display

from ansible_collections.steady.rollout.plugins.plugin_utils import controller, identity
from ansible_collections.steady.rollout.plugins.plugin_utils.in_worker import InWorkerAction
from ansible_collections.steady.rollout.plugins.plugin_utils.output import show

ORPHANS_MAY_TAKE = 300.0
"""Seconds; as long as a step of the roles may take by default."""


class TakesLease(InWorkerAction):
    """Base of the action plugins whose module takes the lease with ``state=opened``."""

    kind_of_silence = "coordinator"
    announced: t.ClassVar[t.Mapping[str, str]] = {}
    """By state, what is shown before anything else: it may have to wait for ssh, or on a busy controller."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        state = self._task.args.get("state")
        if state in self.announced:
            show(self.announced[state])
        result = super().run(tmp, task_vars)
        holder = result.get("holder") or {}
        if state != "opened" or not result.get("failed") or not _was_killed(holder):
            return result
        Display().display(
            f"The run that held the lease was killed; waiting until what it had started is over ({holder['run']})."
        )
        left = controller.wait_for_orphans(holder["owner"], ORPHANS_MAY_TAKE, _show_waiting)
        if left:
            return {
                **result,
                "msg": f"{result['msg']} Its processes {left} on this machine are still running: check them first.",
            }
        self._task.args.update(owner_gone=True, previous_run=holder["run"])
        return super().run(tmp, task_vars)

    def arguments(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        # In check mode a plan is made without the lease, and so without its owner.
        if arguments.get("state") == "opened" or (arguments.get("state") == "planned" and self._task.check_mode):
            arguments["owner"] = identity.owner(task_vars)
        return arguments


def _show_waiting(left: list[int]) -> None:
    Display().display(f"still waiting for what the killed run had started: processes {', '.join(map(str, left))}")


def _was_killed(holder: t.Mapping[str, t.Any]) -> bool:
    return bool(holder) and controller.is_gone(holder.get("owner") or {})
