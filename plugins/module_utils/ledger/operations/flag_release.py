# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The release of a feature by its flag: asked for its next act, baked and concluded."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import flag_release as messages
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import upkeep, waits
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.shift_course import KINDS, paused
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.waits import Baking
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import flag_release as rules
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import lease, model, traffic_acts
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flag_release import (
    Act,
    FlagRelease,
    Inputs,
    Reading,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_acts import NOT_GOOD, Stop, Transition
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import (
    Ledger,
    Session,
    open_session,
)

REVERTED = "reverted"
MOST_MOVES = 10
"""A release moves at most from a step to the next and to its end before something has to be done."""
LONGEST_REASON = 200

Params = t.Dict[str, t.Any]
Answer = t.Dict[str, t.Any]


def saved(session: Session, release: FlagRelease) -> FlagRelease:
    session.records.save_flag_release(release)
    return release


def release_of(session: Session) -> FlagRelease:
    release = session.records.flag_release(session.rollout.id)
    if release is None:
        raise RolloutError(f"{session.service}: {session.rollout.what} is not a release by a flag; run flag.yml.")
    return release


def readings(given: t.Any) -> tuple[Reading, ...] | None:
    if given is None:
        return None
    return tuple(_reading(one) for one in given)


def _reading(one: t.Mapping[str, t.Any]) -> Reading:
    texts = {name: str(one.get(name) or "") for name in ("where", "state", "why", "reason")}
    # What somebody wrote into a flag system is no line for a terminal.
    shown = "".join(letter if letter.isprintable() else " " for letter in texts["reason"][:LONGEST_REASON])
    segments = tuple(sorted(map(str, one.get("segments") or ())))
    return Reading(percent=int(one.get("percent") or 0), segments=segments, **{**texts, "reason": shown})


def next_act(ledger: Ledger, params: Params) -> Answer:
    """Records what was found and says what comes next."""
    return waits.next_act(ledger, params, _decide_and_record, once=("verdict", "reason", "found"))


def bake(ledger: Ledger, params: Params) -> Answer:
    return waits.bake(ledger, params, _baking)


def _baking(session: Session) -> Baking:
    release = release_of(session)
    is_ended = bool(release.promoted) or session.rollout.status != model.OPEN or release.phase != rules.BAKING
    ends = (release.baked_from or session.now) + release.at_step.bake

    def answer(is_over: bool) -> Answer:
        step = release.at_step.share.in_short
        message = f"{session.service}: the step of {step} {'has baked' if is_over else 'bakes'}"
        return {
            **_state(session, release),
            "changed": False,
            "act": traffic_acts.BAKE,
            "baked": is_over,
            "msg": message,
        }

    return Baking(ends, is_ended, answer)


def _decide_and_record(ledger: Ledger, params: Params) -> Answer:
    with open_session(ledger, params) as session:
        course = _Course(session, params)
        for dummy in range(MOST_MOVES):
            act = course.step()
            if act is not None:
                return course.answer(act)
        raise RolloutError(
            f"{session.service}: the release of {session.rollout.what} does not settle; read its events with rollout_info."
        )


class _Course:
    """One call's way to the next act that the run has to carry out."""

    def __init__(self, session: Session, params: Params) -> None:
        self._session = session
        self._release = release_of(session)
        self._params = params
        self._verdict = params.get("verdict") or ""
        self._found = readings(params.get("found"))
        self._messages: list[str] = []

    def step(self) -> Act | None:
        inputs = Inputs(
            release=self._release,
            status=self._session.rollout.status,
            paused=paused(self._session),
            found=self._found,
            verdict=self._verdict,
            reason=self._params.get("reason") or "",
            now=self._session.now,
        )
        decision = rules.decide(inputs)
        if isinstance(decision, Act):
            self._intend(decision)
            return decision
        if isinstance(decision, Stop):
            self._note_verdict()
            upkeep.stop(self._session, decision.reason, KINDS.get(decision.kind, decision.kind))
            self._messages.append(f"stopped: {decision.reason}; turning {self._release.flag} off")
        else:
            self._move(decision)
        return None

    def _intend(self, act: Act) -> None:
        """Intent first: what the flag is to be is on record before it is changed."""
        if act.kind not in (traffic_acts.SET, rules.OFF):
            return
        is_same = act.kind == rules.OFF or self._release.intended == act.share
        tries = self._release.tries + 1 if is_same else 1
        why = "; ".join(one.why for one in self._found or () if one.why)
        share = self._release.intended if act.kind == rules.OFF else act.share
        self._save(goal=share.percent, goal_segments=json.dumps(share.segments), tries=tries, why=why)
        self._session.event("flag_intended", None, flag=self._release.flag, **rules.as_data(act.share), number=tries)

    def _move(self, decision: Transition) -> None:
        before = self._release.phase
        if before == rules.BAKING:
            self._note_verdict()
        self._save(**decision.changes)
        self._session.change_rollout(progress_at=self._session.now)
        if decision.word:
            self._session.event(decision.word, None, flag=self._release.flag, **decision.data)
            self._messages.append(messages.moved(self._release))

    def _note_verdict(self) -> None:
        """A verdict counts once, for the step it was given on."""
        if self._release.phase != rules.BAKING or not (self._verdict or self._release.promoted):
            return
        share, verdict = self._release.at_step.share, self._verdict or "promoted"
        reason = self._params.get("reason") or ("by the operator" if not self._verdict else "")
        evidence = self._params.get("evidence") or {}
        self._session.event(
            "flag_gate",
            None,
            flag=self._release.flag,
            **rules.as_data(share),
            verdict=verdict,
            reason=reason,
            evidence=evidence,
        )
        if verdict not in NOT_GOOD:
            self._messages.append(f"gate at {share.in_short}: {verdict}" + (f", {reason}" if reason else ""))
        self._verdict = ""

    def _save(self, **changes: t.Any) -> None:
        self._release = saved(self._session, dataclasses.replace(self._release, **changes))

    def answer(self, act: Act) -> Answer:
        reason = f", {act.reason}" if act.reason else ""
        if act.kind == traffic_acts.OVER and act.reason:
            self._save(why=act.reason)
        return {
            **_state(self._session, self._release),
            "changed": act.kind in (traffic_acts.SET, rules.OFF),
            "act": act.kind,
            "percent": act.percent,
            "segments": list(act.segments),
            "seconds": act.seconds,
            "reason": act.reason,
            "messages": self._messages,
            "msg": f"{self._session.service}: {act.kind}{reason}",
        }


def _state(session: Session, release: FlagRelease) -> Answer:
    return {
        "step": release.step,
        "share": release.at_step.percent,
        "share_segments": list(release.at_step.segments),
        "phase": release.phase,
        "status": session.rollout.shown_status,
        "messages": [],
    }


# The end


def conclude(ledger: Ledger, params: Params) -> Answer:
    """Success only if the flag was seen to have the last step's share, or to be off where the operator asked for that."""
    with open_session(ledger, params) as session:
        release = release_of(session)
        outcome = _outcome(session, release)
        message = messages.outcome(session.rollout, release, outcome)
        status = model.DONE if outcome == model.DONE else model.STOPPED
        session.change_rollout(
            status=status, outcome=outcome, concluded_at=session.now, paused_at=None, message=message
        )
        session.event("concluded", outcome=outcome, message=message)
        session.lease = lease.released(session.lease)
        return {
            "changed": True,
            "succeeded": outcome == model.DONE or (outcome == REVERTED and bool(session.rollout.revert_requested)),
            "outcome": outcome,
            "message": message,
            "reason_kind": session.rollout.reason_kind or "",
            "msg": message,
        }


def _outcome(session: Session, release: FlagRelease) -> str:
    if session.rollout.status == model.OPEN:
        return model.DONE if release.phase == rules.FINISHED else model.INCOMPLETE
    return REVERTED if release.phase == rules.FINISHED else model.STOPPED
