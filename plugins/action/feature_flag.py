# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs feature_flag in the worker where its connection is local; a killed flag pauses the rollout of its service."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils import background, identity
from ansible_collections.steady.rollout.plugins.plugin_utils.in_worker import InWorkerAction
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors, Invocation, Outcome
from ansible_collections.steady.rollout.plugins.plugin_utils.variables import evaluated

Result = t.Dict[str, t.Any]
PATIENCE = 10.0
"""Seconds that the coordinator gets; the flag itself does not wait for it."""


class ActionModule(InWorkerAction):
    module = "feature_flag"

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        task_vars = task_vars or {}
        args = self._task.args
        if not args.get("service") or args.get("state") != "killed" or self._task.check_mode:
            return {**super().run(tmp, task_vars), "held": ""}
        call = self._call(task_vars)
        with Executors(self, task_vars) as executors:
            # Beside the change itself: until all instances have seen it, the rollout might end and turn the flag on.
            # Also where the flag cannot be changed: then the rollout must not go on all the more.
            holding = background.in_thread(lambda: executors.together([call])[0])
            result = super().run(tmp, task_vars)
            while not holding.is_over():
                time.sleep(background.NAP)
            return _held(result, holding.result(), str(args["service"]))

    def _call(self, task_vars: dict[str, t.Any]) -> Invocation:
        args = self._task.args
        asked: Result = {
            "state": "killed",
            "flag": args.get("name"),
            "service": args["service"],
            "reason": args.get("reason"),
            "owner": identity.owner(task_vars),
        }
        if args.get("ledger"):
            asked["ledger"] = args["ledger"]
        coordinator = evaluated(self, task_vars.get("rollout_coordinator") or "localhost", task_vars)
        become = task_vars.get("rollout_coordinator_become")
        return Invocation(str(coordinator), "rollout_flag", asked, become=become, timeout=PATIENCE)


def _held(result: Result, outcome: Outcome, service: str) -> Result:
    held = str(outcome.result.get("msg") or "")
    if outcome.unreachable or (outcome.failed and "no rollout is under way" not in held):
        warnings = [*result.get("warnings", []), f"The rollout of {service} could not be paused: {held}"]
        return {**result, "held": held, "warnings": warnings}
    return {**result, "held": held}
