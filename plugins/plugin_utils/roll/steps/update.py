# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done on the host itself: staged, switched and restarted, under the run's fence."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.roll import lines
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.steps.calls import HostCalls

Result = t.Dict[str, t.Any]
RETRIED = ("release", "start", "health", "smoke", "step")
"""Kinds of failures of the host itself, which another try may mend."""
NOTHING_TO_WAIT_FOR = {"state": "quiesced", "service": "-", "interrupted_run": "-", "timeout": 0}
"""A call that shows whether the host answers, and changes nothing."""


class Update(HostCalls):
    def fence_older_runs(self) -> None:
        """From here on no change of an older run is made on the host, also where that run comes back later.

        The first of the places that ask for it does it.
        """
        if self.claim and not self._is_fenced:
            self._is_fenced = True
            options = {
                "state": "fenced",
                "service": self.claim["service"],
                "ledger_id": self.claim["ledger"],
                "token": self.claim["token"],
                "coordinator": self.claim.get("coordinator"),
                "directory": self.claim.get("directory") or None,
            }
            self.journal.perform("fence", "release", lambda: self._on_host("rollout_claim", options))

    @property
    def environment(self) -> Result:
        """With it the modules of the user's steps check on the host that no later run has taken over."""
        return dict(self._last("fence").get("environment") or {})

    def wait_for_interrupted_run(self) -> None:
        """Nothing that an interrupted run started on the host may still be at work when this run changes it."""
        run = self.admission.get("interrupted_run")
        if run:
            options = {
                "state": "quiesced",
                "service": self.ledger.service,
                "interrupted_run": run,
                "timeout": self._seconds("rollout_step_timeout"),
            }
            self.journal.perform(
                "wait for interrupted run", "unreachable", lambda: self._on_host("rollout_host", options)
            )

    def stage(self) -> None:
        if self.now["rollout_artifact"]:
            if self._staged != self._version:
                self._stage()
        else:
            self.journal.perform("reach", "unreachable", lambda: self._on_host("rollout_host", NOTHING_TO_WAIT_FOR))

    def _stage(self) -> None:
        version = self._version
        self.journal.perform("stage", "release", lambda: self.artifacts.stage(self.now, version), lines.actions)
        self._staged = version

    def stage_if_missing(self) -> None:
        """The version to go back to is there as a rule; a host that has it needs no artifact."""
        if self.now["rollout_artifact"]:
            self.journal.perform(
                "stage", "release", lambda: self.artifacts.stage_if_missing(self.now, self._version), lines.actions
            )

    def record_intent(self) -> None:
        self.journal.perform("record intent", "coordinator", lambda: self.ledger.changing("update"))

    def activate_release(self) -> None:
        """Switches to the version and restarts the service, under the claim of this run on the host."""
        options = {
            "state": "active",
            "path": self.now["rollout_release_path"],
            "version": self._version,
            "shared": self.now["rollout_shared_paths"],
            "keep": self.now["rollout_keep_releases"],
            "allow_bad": self.now["rollout_allow_bad"],
            "claim": self.claim,
            **self._restart(),
        }
        self.journal.perform("activate", "release", lambda: self._on_host("release", options), lines.actions)

    def _restart(self) -> Result:
        if self.now["rollout_unit"]:
            return {"restart": self.now["rollout_unit"], "restart_timeout": self.now["rollout_step_timeout"]}
        commands = {
            "stop_command": self.now["rollout_stop_command"],
            "start_command": self.now["rollout_start_command"],
        }
        given = {name: command for name, command in commands.items() if command}
        return {**given, "restart_timeout": self.now["rollout_step_timeout"]} if given else {}

    def tries_again(self, failure: StepFailed) -> bool:
        """Whether a host that failed gets another try. What hung may still be at work, and what is lost cannot be asked."""
        last = self.journal.last_failure
        hung = bool(last and ((last.failure or {}).get("timed_out") or last.result.get("missing")))
        if hung or failure.kind not in RETRIED or self._tries >= int(self.now["rollout_retries"]):
            return False
        self._tries += 1
        message = f"{self._tries} of {self.now['rollout_retries']} (rollout_retries), after: {failure.error}"
        self.journal.perform("try again", "step", lambda: {"msg": message}, lines.message)
        return True
