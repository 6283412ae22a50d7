# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host is admitted only once nobody objects; its slot is given back while somebody does."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.ledger import HostLedger
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.asking import Asking, Opinion
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.rules import quorums

Result = t.Dict[str, t.Any]
TAKEN_OUT = ("forward", "back")
"""Directions in which a host is taken out of service; one that is only put back is not asked about."""


@dataclasses.dataclass
class Consent:
    """*wait* and *poll* in seconds; *switches_over* says whether steps of the user's run between admission and drain."""

    host: str
    ledger: HostLedger
    asking: Asking
    wait: float
    poll: float
    switches_over: bool
    show: t.Callable[[str], None]
    monotonic: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self._shown = ""

    def admitted(self, limit: float) -> Result:
        """The answer of the ledger, 'go' only where nobody objects."""
        groups = self._groups()
        while True:
            controller.leave_if_ended()
            answer = self.ledger.admit(limit, quorums=groups or None)
            if answer["verdict"] != "go" or answer.get("direction") not in TAKEN_OUT:
                return answer
            opinion = self.asking.ask(self.host, answer.get("remaining") or [], not self.switches_over)
            if opinion.consents:
                return answer
            self._show(opinion)
            deferred = self._defer(opinion)
            if deferred["verdict"] == "stop":
                return self._stopped(deferred)

    def confirmed(self) -> Result:
        """Right before the drain, after steps of the user's: the host keeps its slot while somebody objects."""
        until = self.monotonic() + self.wait
        while True:
            controller.leave_if_ended()
            opinion = self.asking.ask(self.host, [], True)
            if opinion.consents:
                return {"verdict": "go"}
            self._show(opinion)
            if self.monotonic() >= until:
                return self._stopped(self._defer(opinion, last_word=True))
            self.sleep(min(self.poll, max(until - self.monotonic(), 0.0)))

    def _groups(self) -> list[Result]:
        try:
            return quorums(self.asking.rules_of(self.host))
        except (AnsibleError, RolloutError) as error:
            raise StepFailed("step", f"rollout_veto cannot be used: {error}") from None

    def _defer(self, opinion: Opinion, **options: t.Any) -> Result:
        return self.ledger.defer(
            opinion.objection, wait=str(self.wait), poll=str(self.poll), counts=opinion.counts, **options
        )

    def _show(self, opinion: Opinion) -> None:
        if opinion.objection != self._shown:
            self._shown = opinion.objection
            self.show(f"{self.host}  objection  {opinion.objection}")

    def _stopped(self, deferred: Result) -> Result:
        self.show(deferred["reason"])
        return deferred


def of_settings(
    settings: t.Mapping[str, t.Any], host: str, ledger: HostLedger, asking: Asking, show: t.Callable[[str], None]
) -> Consent:
    return Consent(
        host=host,
        ledger=ledger,
        asking=asking,
        wait=durations.seconds("rollout_veto_wait", settings["rollout_veto_wait"]),
        poll=durations.positive("rollout_veto_poll", settings["rollout_veto_poll"]),
        switches_over=bool(settings["rollout_before_drain_tasks"]),
        show=show,
    )
