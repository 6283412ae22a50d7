# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs feature_flag in the worker where its connection is local; a killed flag pauses the rollout of its service."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils import identity
from ansible_collections.steady.rollout.plugins.plugin_utils.in_worker import InWorkerAction
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors, Invocation
from ansible_collections.steady.rollout.plugins.plugin_utils.variables import evaluated

Result = t.Dict[str, t.Any]
PATIENCE = 10.0
"""Seconds that the coordinator gets; the flag itself is set by then."""


class ActionModule(InWorkerAction):
    module = "feature_flag"

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result = super().run(tmp, task_vars)
        result["held"] = ""
        # Also where the flag could not be changed: then the rollout must not go on all the more.
        if self._task.args.get("service") and self._task.args.get("state") == "killed" and not self._task.check_mode:
            self._hold(result, task_vars or {})
        return result

    def _hold(self, result: Result, task_vars: dict[str, t.Any]) -> None:
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
        with Executors(self, task_vars) as executors:
            call = Invocation(str(coordinator), "rollout_flag", asked, become=become, timeout=PATIENCE)
            outcome = executors.together([call])[0]
        result["held"] = str(outcome.result.get("msg") or "")
        if outcome.unreachable or (outcome.failed and "no rollout is under way" not in result["held"]):
            warnings = result.setdefault("warnings", [])
            warnings.append(f"The rollout of {args['service']} could not be paused: {result['held']}")
