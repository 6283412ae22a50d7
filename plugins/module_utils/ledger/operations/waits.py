# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What goes on in steps waits at the ledger: while it is paused, and while a step bakes."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.admit import POLL_EVERY, pause
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import lease, traffic_acts
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Ledger, Session, open_session

Params = t.Dict[str, t.Any]
Answer = t.Dict[str, t.Any]


class Baking(t.NamedTuple):
    """A step that bakes. *is_ended* by something else than its time; *answer* gets whether its time is over."""

    ends: float
    is_ended: bool
    answer: t.Callable[[bool], Answer]


def next_act(
    ledger: Ledger, params: Params, decide: t.Callable[[Ledger, Params], Answer], once: t.Sequence[str]
) -> Answer:
    """The next act but waiting: a pause is waited out here, without bound. *once* are what counts for one decision only."""
    seen = ledger.store.changes()
    answer = decide(ledger, params)
    waited = answer
    while answer["act"] == traffic_acts.WAIT and not ledger.check_mode:
        pause(ledger, seen)
        _leave_if_alone(ledger, params)
        seen = ledger.store.changes()
        # What the last act achieved is on record; asking again must not count it twice.
        answer = decide(ledger, {**params, **dict.fromkeys(once)})
    return answer if answer is waited else {**answer, "messages": [*waited["messages"], *answer["messages"]]}


def bake(ledger: Ledger, params: Params, look: t.Callable[[Session], Baking]) -> Answer:
    """Blocks until the step has baked, the operator or a failure has ended it, or *timeout* seconds are over."""
    timeout = durations.optional("timeout", params.get("timeout"))
    leave_at = None if timeout is None else ledger.clock.monotonic() + timeout
    while True:
        with open_session(ledger, params) as session:
            found, now = look(session), session.now
            is_late = leave_at is not None and ledger.clock.monotonic() >= leave_at
            if found.is_ended or now >= found.ends or is_late or ledger.check_mode:
                return found.answer(now >= found.ends and not found.is_ended)
        nap = min(lease.BEAT_EVERY, found.ends - now, (leave_at or math.inf) - ledger.clock.monotonic())
        until, seen = ledger.clock.monotonic() + nap, ledger.store.changes()
        while ledger.clock.monotonic() < until and ledger.store.changes() == seen:
            _leave_if_alone(ledger, params)
            ledger.clock.sleep(min(POLL_EVERY, max(until - ledger.clock.monotonic(), 0.01)))


def _leave_if_alone(ledger: Ledger, params: Params) -> None:
    if not ledger.is_alive():
        raise RolloutError(f"{params['service']}: the controller that asked is gone; left without changing anything.")
