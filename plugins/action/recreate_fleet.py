# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stops all hosts behind a maintenance page and starts the new version: plugin_utils/recreate/recreate.py."""

from __future__ import annotations

import functools
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.plugin_utils import background, controller
from ansible_collections.steady.rollout.plugins.plugin_utils.coordinator import RecordedChange, ledger_calls
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations import drive
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.settings import Phase, phase_of
from ansible_collections.steady.rollout.plugins.plugin_utils.output import show
from ansible_collections.steady.rollout.plugins.plugin_utils.recreate import recreate
from ansible_collections.steady.rollout.plugins.plugin_utils.recreate.downtime import Downtime, answering
from ansible_collections.steady.rollout.plugins.plugin_utils.recreate.ledger import RecreateLedger
from ansible_collections.steady.rollout.plugins.plugin_utils.recreate.steps import RecreateSteps
from ansible_collections.steady.rollout.plugins.plugin_utils.roll import lines
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import Entry, Journal, RunOver, StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.settings import HostSettings
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated
from ansible_collections.steady.rollout.plugins.plugin_utils.variables import evaluated, variables_of

Result = t.Dict[str, t.Any]
OF_ALL = (
    "rollout_balancers",
    "rollout_migrations",
    "rollout_backup",
    "rollout_page",
    "rollout_recreate_restore",
    "rollout_recreate_limit",
    "rollout_downtime_url",
    "rollout_drain_timeout",
    "rollout_drain_on_timeout",
    "rollout_restore_timeout",
    "rollout_health_from",
    "rollout_health_successes",
    "rollout_health_interval",
    "rollout_min_healthy_time",
    "rollout_healthy_deadline",
    "rollout_smoke_tests",
)
WHILE_STOPPED = "expand"
"""The phase that runs while nothing else does; the later ones run as in every strategy, once users are let in."""


class ActionModule(ActionBase):
    _supports_check_mode = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        controller.leave_if_ended()
        task_vars = task_vars or {}
        result: Result = super().run(tmp, task_vars)
        arguments = validated("recreate_fleet", source_of("recreate_fleet").SPEC, self._task.args)
        journal = Journal([], show=_show_step)
        failure = ""
        with Executors(self, task_vars) as executors:
            it = self._steps(arguments, task_vars, journal, executors)
            try:
                background.with_signs_of_life(
                    lambda: recreate.recreate(it), lambda: show(f"still at '{_at(journal)}'"), controller.SHOW_EVERY
                )
            except StepFailed as failed:
                failure = f"{failed.error.rstrip('.')}. Nothing was touched."
            except RunOver as over:
                show(f"left as it is: {over}")
        return {
            **result,
            "changed": True,
            "failed": bool(failure),
            "journal": journal.dumped(),
            "downtime": it.facts.get("downtime"),
            **({"msg": failure} if failure else {}),
        }

    def _steps(self, arguments: Result, task_vars: Result, journal: Journal, executors: Executors) -> RecreateSteps:
        common = evaluated(self, {name: task_vars[name] for name in OF_ALL}, task_vars)
        coordinator, of_every_call = ledger_calls(arguments, executors)
        claim = arguments.get("claim") or {}

        def migration(phase: Phase) -> drive.Migration:
            return drive.Migration(
                phase=phase,
                ledger=RecordedChange("rollout_migration", coordinator, of_every_call),
                executor=executors.on(phase.host, become=phase.become),
                claim=claim,
                hosts=[],
                show=show,
                traffic="stopped",
            )

        url = str(common["rollout_downtime_url"] or "")
        return RecreateSteps(
            settings={name: self._settings(name, task_vars) for name in arguments["hosts"]},
            common=common,
            ledger=RecreateLedger(coordinator, of_every_call),
            executors=executors,
            journal=journal,
            claim=claim,
            phase=phase_of(common["rollout_migrations"], WHILE_STOPPED),
            migration=migration,
            downtime=Downtime(answering(url) if url else None),
            show=show,
        )

    def _settings(self, name: str, task_vars: Result) -> HostSettings:
        variables = variables_of(self, name, task_vars)
        return HostSettings(variables, functools.partial(self._evaluated, variables))

    def _evaluated(self, variables: Result, raw: t.Any, overlay: t.Mapping[str, t.Any]) -> t.Any:
        return evaluated(self, raw, variables, **overlay)


def _at(journal: Journal) -> str:
    return f"what follows {journal.entries[-1].step}" if journal.entries else "the beginning"


def _show_step(entry: Entry) -> None:
    line = lines.of_entry("all", entry)
    if line:
        show(line)
