# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The verbs of a shift: what to do next, and waiting out a bake."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import upkeep, waits
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.shift_course import Course, shift_of
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.waits import Baking
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import (
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
    """Records what came of the last act and says the next one."""
    return waits.next_act(ledger, params, _decide_and_record, once=("verdict", "balancers", "nodes", "checked"))


def bake(ledger: Ledger, params: dict[str, t.Any]) -> Answer:
    return waits.bake(ledger, params, _baking)


def _baking(session: Session) -> Baking:
    shift = shift_of(session)
    is_ended = bool(shift.promoted) or session.rollout.status != model.OPEN or shift.phase != traffic_model.BAKING
    ends = (shift.baked_from or session.now) + shift.at_step.bake
    return Baking(ends, is_ended, lambda is_over: _baked(session, shift, is_over))


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
