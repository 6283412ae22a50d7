# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The verbs of a shift: what to do next, and waiting out a bake."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.admit import (
    POLL_EVERY,
    pause,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.shift_course import Course, shift_of
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import (
    lease,
    model,
    traffic_acts,
    traffic_model,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Shift
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Ledger, Session, open_session

MOST_MOVES = 30
"""A shift has some ten phases; whoever moves more often goes round in circles."""

Answer = t.Dict[str, t.Any]


def next_act(ledger: Ledger, params: dict[str, t.Any]) -> Answer:
    """Records what came of the last act and says the next one. A pause is waited out here, without bound."""
    seen = ledger.store.changes()
    answer = _decide_and_record(ledger, params)
    waited = answer
    while answer["act"] == traffic_acts.WAIT and not ledger.check_mode:
        pause(ledger, seen)
        _leave_if_alone(ledger, params)
        seen = ledger.store.changes()
        # What the last act achieved is on record; asking again must not count it twice.
        answer = _decide_and_record(
            ledger, {**params, "verdict": None, "balancers": None, "nodes": None, "checked": None}
        )
    return answer if answer is waited else {**answer, "messages": [*waited["messages"], *answer["messages"]]}


def bake(ledger: Ledger, params: dict[str, t.Any]) -> Answer:
    """Blocks until the step has baked, the operator or a failure has ended it, or *timeout* seconds are over."""
    timeout = durations.optional("timeout", params.get("timeout"))
    leave_at = None if timeout is None else ledger.clock.monotonic() + timeout
    while True:
        with open_session(ledger, params) as session:
            shift = shift_of(session)
            ends = (shift.baked_from or session.now) + shift.at_step.bake
            is_ended = (
                bool(shift.promoted) or session.rollout.status != model.OPEN or shift.phase != traffic_model.BAKING
            )
            is_late = leave_at is not None and ledger.clock.monotonic() >= leave_at
            if is_ended or session.now >= ends or is_late or ledger.check_mode:
                return _baked(session, shift, session.now >= ends and not is_ended)
        nap = min(lease.BEAT_EVERY, ends - session.now, (leave_at or math.inf) - ledger.clock.monotonic())
        until, seen = ledger.clock.monotonic() + nap, ledger.store.changes()
        while ledger.clock.monotonic() < until and ledger.store.changes() == seen:
            _leave_if_alone(ledger, params)
            ledger.clock.sleep(min(POLL_EVERY, max(until - ledger.clock.monotonic(), 0.01)))


def _baked(session: Session, shift: Shift, is_over: bool) -> Answer:
    share = shift.at_step.share if shift.all_steps else 0.0
    return {
        "changed": False,
        "act": traffic_acts.BAKE,
        "baked": is_over,
        "step": shift.step,
        "share": share,
        "phase": shift.phase,
        "status": session.rollout.shown_status,
        "messages": [],
        "msg": f"{session.service}: the step of {share:g} % {'has baked' if is_over else 'bakes'}",
    }


def _leave_if_alone(ledger: Ledger, params: dict[str, t.Any]) -> None:
    if not ledger.is_alive():
        raise RolloutError(f"{params['service']}: the controller that asked is gone; left without changing anything.")


def _decide_and_record(ledger: Ledger, params: dict[str, t.Any]) -> Answer:
    with open_session(ledger, params) as session:
        upkeep.expire_overdue(session)
        course = Course(session, params)
        for dummy in range(MOST_MOVES):
            act = course.step()
            if act is not None:
                return course.answer(act)
        raise RolloutError(
            f"{session.service}: the traffic shift of {session.rollout.what} does not settle; read its events with rollout_info."
        )
