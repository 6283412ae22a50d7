# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves the traffic between two groups of hosts until hosts have to be changed, or steps of the user's have to judge."""

from __future__ import annotations

import shlex
import subprocess
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.coordinator import ledger_calls
from ansible_collections.steady.rollout.plugins.plugin_utils.flags.of_rollout import flags_of_rollout
from ansible_collections.steady.rollout.plugins.plugin_utils.output import show
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.files import located
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated
from ansible_collections.steady.rollout.plugins.plugin_utils.traffic.drive import Answer, TrafficDrive, Verdict
from ansible_collections.steady.rollout.plugins.plugin_utils.traffic.ledger import TrafficLedger
from ansible_collections.steady.rollout.plugins.plugin_utils.traffic.settings import TRAFFIC_SETTINGS
from ansible_collections.steady.rollout.plugins.plugin_utils.variables import evaluated, members_of
from ansible_collections.steady.rollout.plugins.plugin_utils.watch import process

Result = t.Dict[str, t.Any]
FOR_HOSTS = ("prepare", "promote", "demote", "revert")
FOR_ROLLBACK = ("demote", "revert")


class ActionModule(ActionBase):
    _supports_check_mode = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        controller.leave_if_ended()
        task_vars = task_vars or {}
        result: Result = super().run(tmp, task_vars)
        arguments = validated("drive_traffic", source_of("drive_traffic").SPEC, self._task.args)
        with Executors(self, task_vars) as executors:
            drive = self._drive(arguments, task_vars, executors)
            try:
                asked, verdict = self._driven(drive, arguments)
                if asked["act"] in FOR_ROLLBACK:
                    drive.ledger.plan_rollback()
            except RolloutError as error:
                show(f"The traffic is left as it is: {error.message}")
                return {**result, "changed": False, "act": "over", "hosts": [], "hook": {}, "asked": {}}
        return {
            **result,
            "changed": True,
            "act": asked["act"],
            "hosts": asked.get("hosts") or [] if asked["act"] in FOR_HOSTS else [],
            "asked": {**asked, "routed_in": drive.routed_in},
            "hook": self._hook(drive, verdict) if verdict else {},
            "stage": asked.get("step", 0) + 1,
            "share": asked.get("share"),
        }

    def _driven(self, drive: TrafficDrive, arguments: Result) -> tuple[Answer, Verdict]:
        """From the beginning of a pass, or after the user's steps have judged."""
        judged = arguments.get("judged") or {}
        if not judged:
            return drive.drive(drive.begin(str(arguments.get("played") or "")))
        failure = judged.get("failure")
        verdict = {"verdict": "fail", "reason": failure["error"]} if failure else judged["hook"]["verdict"]
        return drive.drive(drive.resume(verdict))

    def _turn_flags_off(self, arguments: Result, task_vars: dict[str, t.Any], executors: Executors) -> None:
        """Off they are since the beginning, unless somebody has turned one on."""
        if task_vars.get("rollout_flags"):
            flags_of_rollout(self, {**arguments, "fleet": arguments["hosts"]}, task_vars, executors).before_rollback()

    def _hook(self, drive: TrafficDrive, verdict: Verdict) -> Result:
        settings = drive.settings
        path = located(settings["rollout_gate_tasks"], settings["__rollout_search_paths"])
        return {"step": "gate", "path": path, "verdict": verdict}

    def _drive(self, arguments: Result, task_vars: dict[str, t.Any], executors: Executors) -> TrafficDrive:
        settings = evaluated(self, {name: task_vars[name] for name in TRAFFIC_SETTINGS if name in task_vars}, task_vars)
        coordinator, common = ledger_calls(arguments, executors)
        limit = durations.seconds("rollout_step_timeout", settings["rollout_step_timeout"])
        return TrafficDrive(
            shift=arguments["shift"],
            settings=settings,
            ledger=TrafficLedger(coordinator, common),
            executors=executors,
            members=members_of(self, arguments["hosts"], arguments["hosts"], task_vars),
            claim=arguments.get("claim") or {},
            show=show,
            before_rollback=lambda: self._turn_flags_off(arguments, task_vars, executors),
            run_load=lambda command: _failure_of(command, limit),
            check_watch=lambda: process.say_if_gone(show),
            routed_in=str(((arguments.get("judged") or {}).get("asked") or {}).get("routed_in") or ""),
        )


def _failure_of(command: str, limit: float) -> str:
    """Runs the user's command on the controller; why it failed, empty where it did not."""
    try:
        done = subprocess.run(
            shlex.split(command), capture_output=True, text=True, timeout=limit, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, ValueError) as error:
        return f"'{command}' cannot be run: {error}"
    except subprocess.TimeoutExpired:
        return f"'{command}' took longer than {limit:g} s (rollout_step_timeout)"
    if done.returncode == 0:
        return ""
    said = [line.strip() for line in [*done.stdout.splitlines(), *done.stderr.splitlines()] if line.strip()]
    return f"'{command}' ended with exit code {done.returncode}" + (f": {said[-1][:300]}" if said else "")
