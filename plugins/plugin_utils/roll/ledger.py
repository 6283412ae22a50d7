# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's operations on one host, called where the ledger is: on the coordinator."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import versions
from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import RunOver, StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Executor, Unreachable

Answer = t.Dict[str, t.Any]

ASK_FOR = 5.0
"""Seconds that one call to a remote coordinator may wait for admission; then it is asked again."""
UNREACHABLE_FOR = 30.0
"""Seconds that the coordinator may be unreachable before a host that waits gives up: it is at no risk meanwhile."""
ASK_AGAIN_AFTER = 2.0
"""Seconds."""
COORDINATOR = "coordinator"


class HostLedger:
    """*common* are the options of every call: ledger, service, run and token."""

    def __init__(self, executor: Executor, host: str, common: t.Mapping[str, t.Any]) -> None:
        self._executor = executor
        self._host = host
        self._common = dict(common)
        self.service = str(common["service"])
        self.run = str(common["run"])
        self._is_reachable = True

    def wait_until_due(self) -> Answer:
        """Blocks until the host is about to be admitted, or none is any more."""
        return self._awaited(state="due")

    def admit(self, limit: float | None = None, **options: t.Any) -> Answer:
        """Blocks until the answer is something else than to wait."""
        return self._awaited(state="admitted", limit=limit, **options)

    def defer(self, objection: str, **options: t.Any) -> Answer:
        """Gives the slot of the host back: its service objects to losing it now."""
        return self._call(state="deferred", error=objection, **options)

    def _awaited(self, **options: t.Any) -> Answer:
        if self._executor.kind == "local":
            return self._call(**options)
        reached_at = time.monotonic()
        while True:
            try:
                answer = self._call(**options, timeout=ASK_FOR)
                reached_at = time.monotonic()
                if answer.get("verdict") != "wait":
                    return answer
            except StepFailed:
                if time.monotonic() - reached_at > UNREACHABLE_FOR:
                    raise
                time.sleep(ASK_AGAIN_AFTER)
            controller.leave_if_ended()

    def changing(self, step: str) -> Answer:
        """Records the intent to change the host."""
        return self._call(state="changing", step=step)

    def note_step(self, step: str) -> None:
        """Records what the host is at, for whoever watches. A coordinator that cannot be reached stops no step."""
        if self._is_reachable:
            try:
                self._call(state="changing", step=step, modifies=False)
            except StepFailed:
                pass

    def proven(self, version: str, measured: t.Mapping[str, t.Any]) -> Answer:
        return self._call(state="proven", **versions.target(version), **measured)

    def reverted(self, version: str, measured: t.Mapping[str, t.Any]) -> Answer:
        return self._call(state="reverted", **versions.target(version), **measured)

    def failed(self, kind: str, error: str) -> Answer:
        return self._call(state="failed", kind=kind, error=error)

    def stuck(self, kind: str, error: str) -> Answer:
        return self._call(state="stuck", kind=kind, error=error)

    def ask_for_last_gate(self) -> Answer:
        return self._call("rollout_gate", verdict="ask")

    def judge(self, gate: t.Mapping[str, t.Any], verdict: t.Mapping[str, t.Any]) -> Answer:
        """Records the verdict on a stage; a claim on the gate that was lost is the answer's kind, and no failure."""
        return self._call("rollout_gate", accept="gate_claim_lost", stage=gate["stage"], claim=gate["claim"], **verdict)

    def measure(self, **options: t.Any) -> Answer:
        """One measurement of the stage's metrics."""
        return self._call("metric_gate", once=True, **options)

    def _call(self, module: str = "rollout_host", accept: str = "", **options: t.Any) -> Answer:
        host = {"host": self._host} if module == "rollout_host" else {}
        try:
            answer = self._executor.call(module, {**self._common, **host, **options})
        except Unreachable as error:
            self._is_reachable = False
            raise StepFailed(COORDINATOR, error.message) from None
        self._is_reachable = True
        if not answer.get("failed"):
            return answer
        if answer.get("kind") == "lease_lost":
            raise RunOver(str(answer.get("msg")))
        if accept and answer.get("kind") == accept:
            return answer
        raise StepFailed(str(answer.get("kind") or COORDINATOR), str(answer.get("msg")), answer)
