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
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import admission, model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Ledger, read_session, required

AHEAD = 2
"""Times max_unavailable: those who stage while the window is full, and take the next places."""
LOOK_EVERY = 0.5
"""Seconds between two looks at whether anything was written."""
LOOK_AT_LEAST_EVERY = 5.0
"""Seconds, also where nothing was."""


def wait_until_due(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The verdict is 'go' where the host is among the next, 'stop' where none is admitted any more, else 'wait'."""
    required(params, "host")
    timeout = 0.0 if ledger.check_mode else durations.optional("timeout", params.get("timeout"))
    until = None if timeout is None else ledger.clock.monotonic() + timeout
    seen, looked, verdict = ledger.store.changes(), ledger.clock.monotonic(), _verdict(ledger, params)
    while verdict == admission.WAIT and (until is None or ledger.clock.monotonic() < until):
        ledger.clock.sleep(LOOK_EVERY)
        if not ledger.is_alive():
            raise RolloutError(f"{params['host']}: the controller is gone; left without changing anything.")
        if ledger.store.changes() != seen or ledger.clock.monotonic() - looked >= LOOK_AT_LEAST_EVERY:
            seen, looked, verdict = ledger.store.changes(), ledger.clock.monotonic(), _verdict(ledger, params)
    return {"changed": False, "verdict": verdict, "msg": f"{params['host']}: {verdict}"}


def _verdict(ledger: Ledger, params: dict[str, t.Any]) -> str:
    with ledger.store.reading() as records:
        session = read_session(ledger, records, params)
        if session.rollout.status != model.OPEN:
            return admission.STOP
        host = session.host(params["host"])
        last = records.last_of_head(host, AHEAD * session.limits.max_unavailable)
        return admission.GO if last is None or host.position <= last else admission.WAIT
