# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases a feature to growing shares of the users, as the ledger says: plugin_utils/flags/release.py."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flag_steps import as_given
from ansible_collections.steady.rollout.plugins.plugin_utils import controller, metric_gates
from ansible_collections.steady.rollout.plugins.plugin_utils.coordinator import JudgedSteps, ledger_calls
from ansible_collections.steady.rollout.plugins.plugin_utils.flags.release import (
    OFF,
    FlagPlaces,
    ReleaseDrive,
    Verdict,
)
from ansible_collections.steady.rollout.plugins.plugin_utils.flags.release_settings import (
    RELEASE_SETTINGS,
    ReleaseRequest,
    request_of,
)
from ansible_collections.steady.rollout.plugins.plugin_utils.output import show
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.files import located
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated
from ansible_collections.steady.rollout.plugins.plugin_utils.variables import evaluated, members_of
from ansible_collections.steady.rollout.plugins.plugin_utils.watch import process

Result = t.Dict[str, t.Any]


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        controller.leave_if_ended()
        task_vars = task_vars or {}
        result: Result = super().run(tmp, task_vars)
        try:
            arguments = validated("release_flag", source_of("release_flag").SPEC, self._task.args)
            settings = evaluated(
                self, {name: task_vars[name] for name in RELEASE_SETTINGS if name in task_vars}, task_vars
            )
            request = request_of(settings, arguments["hosts"])
            with Executors(self, task_vars) as executors:
                places = FlagPlaces(request, executors.together)
                if arguments["state"] == "planned":
                    return {**result, **_planned(request, places)}
                drive = self._drive(request, places, settings, arguments, task_vars, executors)
                return {**result, **self._driven(drive, arguments)}
        except RolloutError as error:
            return {**result, "changed": False, "failed": True, "msg": error.message, "kind": error.result.get("kind")}

    def _driven(self, drive: ReleaseDrive, arguments: Result) -> Result:
        try:
            asked, verdict = drive.drive(_asked_first(drive, arguments))
        except RolloutError as error:
            show(f"The flag is left as it is: {error.message}")
            return {"changed": False, "act": "over", "hook": {}, "asked": {}, "stage": 0, "share": 0}
        path = located(drive.settings[metric_gates.TASKS], drive.settings["__rollout_search_paths"]) if verdict else ""
        return {
            "changed": True,
            "act": asked["act"],
            "asked": asked,
            "hook": {"step": "gate", "path": path, "verdict": verdict} if verdict else {},
            "stage": asked["step"] + 1,
            "share": asked["share"],
            "segments": asked.get("share_segments") or [],
        }

    def _drive(
        self,
        request: ReleaseRequest,
        places: FlagPlaces,
        settings: Result,
        arguments: Result,
        task_vars: Result,
        executors: Executors,
    ) -> ReleaseDrive:
        coordinator, common = ledger_calls(arguments, executors)
        members = members_of(self, arguments["hosts"], arguments["hosts"], task_vars)
        return ReleaseDrive(
            request=request,
            places=places,
            settings=settings,
            ledger=JudgedSteps("rollout_flag_release", coordinator, common),
            members=[member.member for member in members],
            counters=lambda: metric_gates.read_counters(settings["rollout_balancers"], executors),
            show=show,
            check_watch=lambda: process.say_if_gone(show),
        )


def _planned(request: ReleaseRequest, places: FlagPlaces) -> Result:
    """What the ledger has to know before anything is changed."""
    rehearsed = (places.set(step.share, check_mode=True) for step in request.steps)
    refused = next((failed for outcomes in rehearsed if (failed := [one for one in outcomes if one.failed])), [])
    return {
        "changed": False,
        "flag": request.flag.name,
        "place": request.flag.place,
        "command": request.flag.command(OFF),
        "steps": as_given(request.steps),
        "refused": f"on {refused[0].invocation.host}: {refused[0].result.get('msg')}" if refused else "",
        "found": places.read(),
    }


def _asked_first(drive: ReleaseDrive, arguments: Result) -> Result:
    """From the beginning, or after the user's steps have judged."""
    judged = arguments.get("judged") or {}
    if not judged:
        return drive.begin()
    failure = judged.get("failure")
    verdict: Verdict = {"verdict": "fail", "reason": failure["error"]} if failure else judged["hook"]["verdict"]
    return drive.resume(verdict)
