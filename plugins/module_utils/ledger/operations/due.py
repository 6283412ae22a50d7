# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A host waits here until it is about to be admitted: then its release is staged, while it still serves.

If all did it at the start, a thousand hosts would fetch their artifact at the same time, and the first ones would wait.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.admit import WaitLog, inputs_of
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import admission
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.admission import Decision
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Ledger, read_session, required
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.records import Records

LOOK_EVERY = 0.5
"""Seconds between two looks at whether anything was written."""
LOOK_FROM_AFAR_EVERY = 2.0
"""Seconds, where more hosts are to go before this one than may be out of service twice over: all of a fleet waits."""
LOOK_AT_LEAST_EVERY = 5.0
"""Seconds, also where nothing was."""
LEFT_FREE_FOR = 10.0
"""Seconds that a place is left to the hosts before this one, which may still be staging."""


def wait_until_due(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The verdict is 'go' where the host is among the next, 'stop' where none is admitted any more, else 'wait'."""
    required(params, "host")
    timeout = 0.0 if ledger.check_mode else durations.optional("timeout", params.get("timeout"))
    turn = Turn(ledger, params)
    until = None if timeout is None else ledger.clock.monotonic() + timeout
    while turn.verdict == admission.WAIT and (until is None or ledger.clock.monotonic() < until):
        ledger.clock.sleep(LOOK_EVERY)
        if not ledger.is_alive():
            raise RolloutError(f"{params['host']}: the controller is gone; left without changing anything.")
        turn.look_again()
    return {"changed": False, "verdict": turn.verdict, "msg": f"{params['host']}: {turn.verdict}"}


class Turn:
    """What the ledger shows of a host's turn, looked at when something was written and every few seconds."""

    def __init__(self, ledger: Ledger, params: dict[str, t.Any]) -> None:
        self._ledger = ledger
        self._params = params
        self._seen = 0
        self._free_since: float | None = None
        self._is_far = False
        self._look()

    def look_again(self) -> None:
        age = self._ledger.clock.monotonic() - self._looked
        if self._is_far and age < LOOK_FROM_AFAR_EVERY:
            return
        if age >= LOOK_AT_LEAST_EVERY or self._has_moved():
            self._look()

    def _has_moved(self) -> bool:
        """Most of what is written is a step of some host, which changes nobody's turn. A look takes thirty statements, this three."""
        seen = self._ledger.store.changes()
        if seen == self._seen:
            return False
        self._seen = seen
        with self._ledger.store.reading() as records:
            return self._moves_with(records) != self._moved_with

    def _moves_with(self, records: Records) -> tuple[t.Any, ...]:
        rollout = records.rollout(self._host.rollout)
        heads = (records.last_of_head(self._host, size) for size in (self._window, 2 * self._window))
        return (rollout and rollout.status, *heads)

    def _look(self) -> None:
        self._seen, self._looked = self._ledger.store.changes(), self._ledger.clock.monotonic()
        self.verdict = self._found()

    def _found(self) -> str:
        with self._ledger.store.reading() as records:
            session = read_session(self._ledger, records, self._params)
            self._host = host = session.host(self._params["host"])
            # As many as may be out of service at a time: those that take the next places.
            self._window = session.limits.max_unavailable
            decision = admission.decide(inputs_of(session, host, WaitLog(self._ledger, 0.0)))
            self._moved_with = self._moves_with(records)
            _status, last, near = self._moved_with
            self._is_far = near is not None and host.position > near
        if decision.verdict in (admission.STOP, admission.GIVE_UP):
            return admission.STOP
        if last is None or host.position <= last or self._is_left_free(decision):
            return admission.GO
        return admission.WAIT

    def _is_left_free(self, decision: Decision) -> bool:
        """Hosts that left without being admitted are still before this one in the plan: whoever could be admitted need not wait."""
        if decision.verdict == admission.WAIT and decision.waiting_for != admission.ORDER:
            self._free_since = None
            return False
        self._free_since = self._looked if self._free_since is None else self._free_since
        return self._looked - self._free_since >= LEFT_FREE_FOR
