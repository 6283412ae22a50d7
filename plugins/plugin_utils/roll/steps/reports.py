# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ledger gets to know of a host, and what becomes of one that failed."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import versions
from ansible_collections.steady.rollout.plugins.plugin_utils.roll import lines
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.steps.calls import HostCalls

Result = t.Dict[str, t.Any]
TO_END = 15.0
"""Seconds that the processes of a step that hangs have to end."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What becomes of a host that failed."""

    go_back: bool
    was_changed: bool = False
    target: str | None = None


class Reports(HostCalls):
    def report_proven(self) -> None:
        self.journal.perform(
            "report proven",
            "coordinator",
            lambda: self.ledger.proven(str(self.target), self._measured()),
            lines.message,
        )

    def report_reverted(self) -> None:
        self.journal.perform(
            "report reverted",
            "coordinator",
            lambda: self.ledger.reverted(str(self.target), self._measured()),
            lines.message,
        )

    def report_stuck(self, failure: StepFailed) -> None:
        """A report that fails must not end the host's rollout: the last play names the host."""
        try:
            self.journal.perform(
                "report stuck", "coordinator", lambda: self.ledger.stuck(failure.kind, failure.error), lines.message
            )
        except StepFailed as unreported:
            self.show(f"{self.name}  not reported: {unreported.error}")

    def _end_what_hangs(self) -> None:
        """A step of the user's whose time was over may still be at work on the host: it must not change it any more."""
        failed = self.journal.last
        if failed and failed.failure and failed.failure.get("timed_out"):
            options = {"state": "quiesced", "service": self.ledger.service, "interrupted_run": self.ledger.run}
            try:
                self.journal.perform(
                    "end step",
                    "unreachable",
                    lambda: self._on_host("rollout_host", {**options, "terminate": True, "timeout": TO_END}),
                    lines.message,
                )
            except StepFailed as unended:
                self.show(f"{self.name}  {unended.error}")

    def report_failed(self, failure: StepFailed) -> Verdict:
        """The ledger's verdict or, where the coordinator cannot be reached, what is safe."""
        self._end_what_hangs()
        try:
            answer = self.journal.perform(
                "report failed", "coordinator", lambda: self.ledger.failed(failure.kind, failure.error), lines.message
            )
        except StepFailed as unreported:
            self.show(f"{self.name}  not reported: {unreported.error}")
            return self._safe_verdict(failure)
        if failure.kind == "drained_externally":
            return Verdict(go_back=False)
        return Verdict(bool(answer["go_back"]), bool(answer["was_changed"]), versions.of_target(answer["target"]))

    def _safe_verdict(self, failure: StepFailed) -> Verdict:
        """A host on which nothing was changed returns as it was; one that may have been changed is left as it is."""
        intent = self.journal.find("record intent")
        previous = versions.of_target(self.admission.get("previous") or {})
        untouched = intent is None or intent.failure is not None
        may_return = self.admission.get("verdict") == "go" and failure.kind != "drained_externally"
        return Verdict(may_return and untouched and bool(previous), False, previous)

    def _measured(self) -> Result:
        """How long the host was drained, and how long users did without it, in seconds."""
        drained, restored = self._last("drain"), self._last("restore")
        measured: Result = {}
        if "drained_for" in drained:
            measured["drained_for"] = drained["drained_for"]
        if "out_since" in drained and "in_rotation_at" in restored:
            measured["out_for"] = round(restored["in_rotation_at"] - drained["out_since"], 3)
        return measured
