# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Pause, resume and abort, from another terminal: they need no lease and change only whether the next host may go."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import traffic_model as shift_model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Lease
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Desk, Session, required

RUNNING = (model.OPEN, model.FAILING, model.REVERTING)
PROMOTABLE = (shift_model.SHIFTING, shift_model.BAKING)


def pause(desk: Desk, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """No further host is admitted until resumed; those in flight finish, those waiting wait on."""
    return _steer(
        desk, params, "paused", "no further host starts; resume with state=resumed of steady.rollout.rollout", _pause
    )


def resume(desk: Desk, params: dict[str, t.Any]) -> dict[str, t.Any]:
    return _steer(desk, params, "resumed", "goes on", _resume)


def promote(desk: Desk, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Ends the bake of a shift's step, or goes on with its last step at once; the gate of this step is not awaited."""
    to = params.get("to") or shift_model.STEP
    return _steer(desk, params, "promoted", "the shift goes on without waiting", lambda held: _promote(held, to))


def abort(desk: Desk, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Ends a rollout where it stands: hosts in flight finish, nothing is taken back, no version is marked bad."""
    return _steer(desk, params, "aborted", "no further host starts, hosts in flight finish", _abort)


def _pause(held: Session) -> None:
    if held.rollout.paused_at is None:
        held.change_rollout(paused_at=held.now)


def _resume(held: Session) -> None:
    if held.rollout.paused_at is not None:
        held.change_rollout(paused_at=None, progress_at=held.now)


def _promote(held: Session, to: str) -> None:
    shift = held.records.shift(held.rollout.id)
    if shift is None or held.rollout.status != model.OPEN or shift.phase not in PROMOTABLE:
        raise RolloutError(
            f"{held.service}: the rollout of {held.rollout.what} has no step that could be promoted"
            + (f", the shift is {shift.phase}." if shift else "; it shifts no traffic.")
        )
    held.records.save_shift(dataclasses.replace(shift, promoted=to))
    held.change_rollout(paused_at=None, progress_at=held.now)


def _abort(held: Session) -> None:
    if held.records.shift(held.rollout.id) is not None and held.rollout.direction == model.FORWARD:
        # Traffic cannot be left where it stands with nobody looking: an aborted shift goes home.
        held.change_rollout(
            status=model.REVERTING, paused_at=None, reason="the operator aborted it", reason_kind="aborted"
        )
        return
    held.change_rollout(status=model.ABORTED, paused_at=None, reason="aborted by the operator", reason_kind="aborted")


def _steer(
    desk: Desk, params: dict[str, t.Any], word: str, effect: str, act: t.Callable[[Session], None]
) -> dict[str, t.Any]:
    required(params, "service")
    with desk.writing() as records:
        lease = records.lease(params["service"]) or Lease(params["service"])
        rollout = records.current(params["service"])
        if rollout is None or rollout.status not in RUNNING or rollout.concluded_at is not None:
            raise RolloutError(
                f"{params['service']}: no rollout is under way that could be {word}"
                f"{f'; the last one, of {rollout.what}, is {rollout.status}' if rollout else ''}."
            )
        held = Session(records, lease, rollout, desk.clock.now())
        act(held)
        changed = held.rollout != rollout
        if changed:
            held.event(word, by=params.get("owner") or {})
        return {
            "changed": changed,
            "rollout": rollout.id,
            "status": held.rollout.shown_status,
            "msg": f"{params['service']}: the rollout of {rollout.what} is {word}; {effect}",
            "diff": {"before": {"status": rollout.shown_status}, "after": {"status": held.rollout.shown_status}},
        }
