# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Pause, resume and abort, from another terminal: they need no lease and change only whether the next host may go."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import flag_release, model, traffic_model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Lease
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Ledger, Session, required

RUNNING = (model.OPEN, model.FAILING, model.REVERTING)
PROMOTABLE = (traffic_model.SHIFTING, traffic_model.BAKING)


def pause(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """No further host is admitted until resumed; those in flight finish, those waiting wait on."""
    return steer(
        ledger, params, "paused", "no further host starts; resume with state=resumed of steady.rollout.rollout", _pause
    )


def resume(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    return steer(ledger, params, "resumed", "the rollout continues", _resume)


def promote(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Ends the bake of a step, of traffic or of a flag, or goes on with the last one at once; this gate is not awaited."""
    to = params.get("to") or traffic_model.STEP
    return steer(
        ledger, params, "promoted", "the shift continues without waiting", lambda session: _promote(session, to)
    )


def abort(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Ends a rollout where it stands: hosts in flight finish, nothing is rolled back, no version is marked bad."""
    return steer(ledger, params, "aborted", "no further host starts, hosts in flight finish", _abort)


def _pause(session: Session) -> None:
    if session.rollout.paused_at is None:
        session.change_rollout(paused_at=session.now)


def _resume(session: Session) -> None:
    if session.rollout.paused_at is not None:
        session.change_rollout(paused_at=None, progress_at=session.now)


def _promote(session: Session, to: str) -> None:
    release = session.records.flag_release(session.rollout.id)
    if release is not None and session.rollout.status == model.OPEN and release.phase in flag_release.PROMOTABLE:
        session.records.save_flag_release(dataclasses.replace(release, promoted=to))
        session.change_rollout(paused_at=None, progress_at=session.now)
        return
    shift = session.records.shift(session.rollout.id)
    if shift is None or session.rollout.status != model.OPEN or shift.phase not in PROMOTABLE:
        raise RolloutError(
            f"{session.service}: the rollout of {session.rollout.what} has no step that could be promoted"
            + (f", the shift is {shift.phase}." if shift else "; it shifts no traffic.")
        )
    session.records.save_shift(dataclasses.replace(shift, promoted=to))
    session.change_rollout(paused_at=None, progress_at=session.now)


def _moves_users(session: Session) -> bool:
    if session.rollout.direction == model.FLAG:
        return True
    return session.records.shift(session.rollout.id) is not None and session.rollout.direction == model.FORWARD


def _abort(session: Session) -> None:
    if _moves_users(session):
        # They cannot be left where they are with nobody looking: an aborted shift, or release by flag, is rolled back.
        session.change_rollout(
            status=model.REVERTING, paused_at=None, reason="the operator aborted it", reason_kind="aborted"
        )
        return
    session.change_rollout(
        status=model.ABORTED, paused_at=None, reason="aborted by the operator", reason_kind="aborted"
    )


def steer(
    ledger: Ledger, params: dict[str, t.Any], word: str, effect: str, act: t.Callable[[Session], None]
) -> dict[str, t.Any]:
    required(params, "service")
    with ledger.writing() as records:
        lease = records.lease(params["service"]) or Lease(params["service"])
        rollout = records.current(params["service"])
        if rollout is None or rollout.status not in RUNNING:
            raise RolloutError(
                f"{params['service']}: no rollout is under way that could be {word}"
                f"{f'; the last one, of {rollout.what}, is {rollout.status}' if rollout else ''}."
            )
        session = Session(records, lease, rollout, ledger.clock.now())
        act(session)
        changed = session.rollout != rollout
        if changed:
            why = {"reason": params["reason"]} if params.get("reason") else {}
            session.event(word, by=params.get("owner") or {}, **why)
        return {
            "changed": changed,
            "rollout": rollout.id,
            "status": session.rollout.shown_status,
            "msg": f"{params['service']}: the rollout of {rollout.what} is {word}; {effect}",
            "diff": {"before": {"status": rollout.shown_status}, "after": {"status": session.rollout.shown_status}},
        }
