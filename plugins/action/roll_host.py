# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the rollout of one host up to the next task file of the user's; the role runs that and calls again."""

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import versions
from ansible_collections.steady.rollout.plugins.plugin_utils import controller, workers
from ansible_collections.steady.rollout.plugins.plugin_utils.coordinator import ledger_calls
from ansible_collections.steady.rollout.plugins.plugin_utils.output import show
from ansible_collections.steady.rollout.plugins.plugin_utils.roll import host as rollout_of_host
from ansible_collections.steady.rollout.plugins.plugin_utils.roll import lines
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.artifact import Artifacts
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.host_steps import HostSteps
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import Entry, HookDue, Journal, RunOver
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.ledger import HostLedger
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.settings import HostSettings
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors, prepare
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import plain, source_of, validated
from ansible_collections.steady.rollout.plugins.plugin_utils.variables import evaluated
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.settings import asking_of
from ansible_collections.steady.rollout.plugins.plugin_utils.watch import process

Result = t.Dict[str, t.Any]

prepare(
    "roll_host", "health_wait", "lb_member", "lb_member_info", "lb_pool", "release", "restore_timer", "rollout_host", "smoke_test",
    "unit_info",
)  # fmt: skip


class ActionModule(ActionBase):
    _supports_check_mode = False
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        controller.leave_if_ended()
        task_vars = task_vars or {}
        result: Result = super().run(tmp, task_vars)
        arguments = validated("roll_host", source_of("roll_host").SPEC, plain(_with_shared(self._task.args)))
        journal = self._journal(arguments["host"], arguments.get("done") or {})
        with workers.at_work_on(arguments["host"]), Executors(self, task_vars) as executors:
            host = self._host(arguments, task_vars, journal, executors)
            journal.before_step = lambda step: self._before_step(host, step)
            hook: Result = {}
            try:
                if arguments.get("last_gate"):
                    rollout_of_host.judge_last_stage(host)
                else:
                    rollout_of_host.roll(host)
            except HookDue as due:
                hook = {"step": due.step, "path": due.path, "since": time.time()}
            except RunOver as over:
                show(f"{host.name}  left as it is: {over}")
        return {
            **result,
            "changed": any(entry.result.get("changed") for entry in journal.entries),
            "hook": hook,
            "environment": host.environment,
            "target": versions.target(host.shown_target),
            "previous": host.admission.get("previous") or versions.target(None),
            "stage": (host.admission.get("gate") or {}).get("stage"),
            "journal": journal.dumped(),
        }

    def _before_step(self, host: HostSteps, step: str) -> None:
        host.before_step(step)
        process.say_if_gone(show)

    def _journal(self, host: str, done: Result) -> Journal:
        journal = Journal(done.get("journal") or [], show=lambda entry: self._show_step(host, entry))
        hook = done.get("hook") or {}
        if hook:
            journal.record_hook(hook["step"], done.get("failure") or None, time.time() - float(hook["since"]))
        return journal

    def _host(
        self, arguments: Result, task_vars: dict[str, t.Any], journal: Journal, executors: Executors
    ) -> HostSteps:
        name = arguments["host"]
        coordinator, common = ledger_calls(arguments, executors)
        claim = arguments.get("claim") or {}
        return HostSteps(
            name=name,
            settings=HostSettings(task_vars, lambda raw, overlay: evaluated(self, raw, task_vars, **overlay)),
            ledger=HostLedger(coordinator, name, common),
            executors=executors,
            artifacts=Artifacts(self, executors.on(name), claim),
            journal=journal,
            claim=claim,
            show=show,
            planned=str(arguments.get("planned") or ""),
            require_weight=bool(arguments.get("require_weight", True)),
            timers=arguments.get("restore_timers") or (),
            asking=asking_of(self, executors, task_vars) if task_vars.get("rollout_veto") else None,
        )

    def _show_step(self, name: str, entry: Entry) -> None:
        line = lines.of_entry(name, entry)
        if line:
            show(line)


def _with_shared(arguments: t.Mapping[str, t.Any]) -> Result:
    """The task's options, with those that are the same for all hosts. An empty one is as good as none."""
    shared = arguments.get("shared") or {}
    return {**{name: value for name, value in shared.items() if value not in ("", None)}, **arguments}
