# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs phases of a migration on the host that has the migration tool."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.coordinator import RecordedChange, ledger_calls
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations import drive
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.settings import Phase, phase_of
from ansible_collections.steady.rollout.plugins.plugin_utils.output import show
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors
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
            arguments = validated("migrate_database", source_of("migrate_database").SPEC, self._task.args)
            with Executors(self, task_vars) as executors:
                done = self._phases(arguments, executors)
        except RolloutError as error:
            return {**result, "changed": False, "failed": True, "msg": error.message, "kind": error.result.get("kind")}
        return {
            **result,
            "changed": any(one["changed"] for one in done),
            "go": all(one["go"] for one in done),
            "blockers": [blocker for one in done for blocker in one.get("blockers") or []],
            "msg": " ".join(one["msg"] for one in done) or "nothing to migrate",
        }

    def _phases(self, arguments: Result, executors: Executors) -> list[Result]:
        """What came of each phase, up to one that has to wait."""
        done: list[Result] = []
        for name in arguments["phases"]:
            phase = phase_of(arguments["migrations"], name)
            if phase is None:
                continue
            done.append(self._phase(arguments, phase, executors))
            show(done[-1]["msg"])
            if not done[-1]["go"]:
                break
        return done

    def _phase(self, arguments: Result, phase: Phase, executors: Executors) -> Result:
        coordinator, common = ledger_calls(arguments, executors)
        migration = drive.Migration(
            phase=phase,
            ledger=RecordedChange("rollout_migration", coordinator, common),
            executor=executors.on(phase.host, become=phase.become),
            claim=arguments.get("claim") or {},
            hosts=arguments["hosts"],
            show=show,
            traffic=arguments["traffic"],
        )
        return drive.rehearse(migration) if self._task.check_mode else drive.migrate(migration)
