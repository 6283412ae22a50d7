# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes before a host is taken out of service: staging, its turn, the gates that fall to it, who objects."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import versions
from ansible_collections.steady.rollout.plugins.plugin_utils.metric_gates import LETS_PASS
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight import hosts as preflight
from ansible_collections.steady.rollout.plugins.plugin_utils.roll import gate as gates
from ansible_collections.steady.rollout.plugins.plugin_utils.roll import lines
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.limits import longest_rollout
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.steps.proof import Proof
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.steps.traffic import Traffic
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.steps.update import Update
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.consent import Consent
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.consent import of_settings as consent_of_settings

Result = t.Dict[str, t.Any]
GATE_TASKS = "gate"


class Admission(Update, Proof, Traffic):
    def stage_before_admission(self) -> None:
        """Fetched and unpacked while the host serves: one that cannot be staged is never taken out of service.

        Nobody connects to a host before its turn, or evaluates its settings: all at the same time would delay the first ones.
        """
        if not self.planned:
            return
        turn = self.journal.perform(lines.WAIT, "coordinator", self.ledger.wait_until_due, lines.waited)
        if turn.get("verdict") == "stop":
            return
        if self.now["rollout_unit"]:
            self.journal.perform("check unit", "release", self._check_unit)
        if self.now["rollout_artifact"]:
            self._stage()

    def connect_before_admission(self) -> None:
        """Also fences the host while it waits for its slot: whatever comes after its admission keeps the next one waiting."""
        turn = self.journal.find(lines.WAIT)
        if turn is None or turn.result.get("verdict") == "stop":
            return
        if self.journal.find("admit") is None:
            self._nodes().connect()
        self.fence_older_runs()

    def _check_unit(self) -> Result:
        unit = self._read_unit(self.now["rollout_unit"], 0)
        missing = preflight.missing_unit(self.name, self.now, unit) if unit else None
        if missing:
            raise StepFailed("release", missing)
        return {}

    def admit(self) -> str:
        """Waits for a slot, running the gates that fall to this host meanwhile; the direction to go, empty to stop."""
        while True:
            answer = self.journal.perform(
                "admit",
                "coordinator",
                self._admitted,
                lines.admitted,
            )
            if answer["verdict"] != "gate":
                break
            self.run_gate(answer["gate"])
        self.admission = answer
        if answer["verdict"] != "go":
            return ""
        self.target = versions.of_target(answer["target"])
        return str(answer["direction"])

    def _admitted(self) -> Result:
        limit = longest_rollout(self.now)
        consent = self._consent()
        return consent.admitted(limit) if consent else self.ledger.admit(limit)

    def is_objected_to(self) -> bool:
        """Asked once more after steps of the user's, such as a switchover: a host on which nothing was changed stays."""
        consent = self._consent()
        if consent is None or not self.now["rollout_before_drain_tasks"]:
            return False
        answer = self.journal.perform("consent", "coordinator", consent.confirmed)
        return bool(answer["verdict"] != "go")

    def _consent(self) -> Consent | None:
        if not self.now["rollout_veto"] or self.asking is None:
            return None
        return consent_of_settings(self.now, self.name, self.ledger, self.asking, self.show)

    # Gates

    def judge_last_stage(self) -> None:
        """Runs the gate of the last stage, where every host is proven and nobody waits for admission any more."""
        answer = self.journal.perform("last gate", "coordinator", self.ledger.ask_for_last_gate)
        if answer["verdict"] == "gate":
            self.run_gate(answer["gate"])

    def run_gate(self, gate: Result) -> None:
        """Measures the stage, has the user's steps judge it, and records the verdict."""
        verdict: Result = {"verdict": "pass", "reason": "nothing is measured"}
        if self.now["rollout_metrics"]:
            verdict = self.journal.perform(
                "measure stage",
                "gate",
                lambda: gates.measure(gate, self.now, self.ledger, self.executors),
                lines.verdict,
            )
        if verdict["verdict"] in LETS_PASS and self.now["rollout_gate_tasks"]:
            verdict = self._judged_by_tasks(verdict)
        self.journal.perform("judge stage", "coordinator", lambda: self.ledger.judge(gate, verdict), lines.message)

    def _judged_by_tasks(self, verdict: Result) -> Result:
        try:
            self.fence_older_runs()
            self._hook(GATE_TASKS, "rollout_gate_tasks")
        except StepFailed as failure:
            return {"verdict": "fail", "reason": failure.error}
        return {"verdict": "pass", "reason": f"the gate's steps succeeded on {self.name}"}
