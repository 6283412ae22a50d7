# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A host asks to be taken, and waits here until the answer is go, stop or: run this gate."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import gate as gates
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import admission, failure, lease, model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import traffic as shift_core
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.admission import Decision, View
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import (
    Desk,
    Session,
    look_in,
    required,
    session,
)

POLL_EVERY = 0.25
"""Seconds between two looks at whether anything was written. Each of all hosts that wait wakes up so often."""
ALIVE_EVERY = 1.0
"""Seconds between two looks at whether the controller still lives."""
DECIDE_EVERY = 3.0
"""Seconds after which time alone may have changed the answer. A decision costs milliseconds, and many may wait."""
LET_PASS_FOR = 1.0
"""Seconds that a free place is left to hosts earlier in the plan: whoever waits looks some times a second."""
DEFAULT_LIMIT = 3600.0


def admit(desk: Desk, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Blocks until the answer is not 'wait', or *timeout* seconds are over. A pause is waited out without bound."""
    required(params, "host")
    timeout = 0.0 if desk.check_mode else params.get("timeout")
    waits = Waits(desk, timeout)
    # Noted before the decision: what is written while it is made must wake this host too.
    seen, decided = desk.store.changes(), desk.clock.monotonic()
    answer = _decide_and_record(desk, params, waits)
    while answer["verdict"] == admission.WAIT:
        if timeout is not None and waits.total >= timeout:
            break
        pause(desk, seen)
        waits.note(answer)
        if not desk.is_alive():
            raise RolloutError(
                f"{params['host']}: the controller that asked for admission is gone; left without changing anything."
            )
        decide_every = LET_PASS_FOR if answer["about"] == admission.ORDER else DECIDE_EVERY
        if desk.store.changes() != seen or desk.clock.monotonic() - decided >= decide_every:
            seen, decided = desk.store.changes(), desk.clock.monotonic()
            answer = _look(desk, params, waits) or _decide_and_record(desk, params, waits)
    return {**answer, "waited": round(waits.total, 3), "waits": waits.listed()}


class Waits:
    """How long was waited for what."""

    def __init__(self, desk: Desk, timeout: float | None) -> None:
        self._clock = desk.clock
        self._timeout = timeout
        self._let_pass_for = 0.0
        self._started = self._last = desk.clock.monotonic()
        self._seconds: dict[str, float] = {}
        self._words: dict[str, str] = {}

    @property
    def total(self) -> float:
        return self._clock.monotonic() - self._started

    @property
    def lets_pass(self) -> bool:
        """Not for longer than this call may take, or a host that asks often and briefly would never go."""
        most = LET_PASS_FOR if self._timeout is None else min(LET_PASS_FOR, self._timeout)
        return self._let_pass_for < most

    def note(self, answer: dict[str, t.Any]) -> None:
        now = self._clock.monotonic()
        self._let_pass_for = self._let_pass_for + now - self._last if answer["about"] == admission.ORDER else 0.0
        self._seconds[answer["about"]] = self._seconds.get(answer["about"], 0.0) + now - self._last
        self._words[answer["about"]] = answer["reason"]
        self._last = now

    def listed(self) -> list[dict[str, t.Any]]:
        return [
            {"about": about, "reason": self._words[about], "seconds": round(seconds, 3)}
            for about, seconds in self._seconds.items()
        ]


def pause(desk: Desk, seen: int) -> None:
    """Until another process has written, but not longer than the controller may be out of sight."""
    until = desk.clock.monotonic() + ALIVE_EVERY
    while desk.clock.monotonic() < until and desk.store.changes() == seen:
        desk.clock.sleep(POLL_EVERY)


def _look(desk: Desk, params: dict[str, t.Any], waits: Waits) -> dict[str, t.Any] | None:
    """The answer where it is still 'wait' and nothing needs to be written; else None."""
    with desk.store.reading() as records:
        held = look_in(desk, records, params)
        if lease.beat_is_due(held.lease, held.now) or records.overdue(held.rollout.id, held.now):
            return None
        decision = admission.decide(_view(held, held.host(params["host"]), waits))
        return _answer(held, held.host(params["host"]), decision) if decision.verdict == admission.WAIT else None


def _decide_and_record(desk: Desk, params: dict[str, t.Any], waits: Waits) -> dict[str, t.Any]:
    with session(desk, params) as held:
        upkeep.sweep(held)
        host = held.host(params["host"])
        limit = float(params.get("limit") or DEFAULT_LIMIT)
        if host.phase in model.IN_FLIGHT and host.run == held.run:
            return _answer(held, host, Decision(admission.GO, f"{host.name} was admitted already"))
        decision = admission.decide(_view(held, host, waits))
        return _RECORD[decision.verdict](held, host, decision, limit, waits)


def _view(held: Session, host: Host, waits: Waits) -> View:
    return View(
        asker=host,
        rollout=held.rollout,
        limits=held.limits,
        tally=held.records.tally(held.rollout.id),
        gates=held.records.gates(held.rollout.id),
        now=held.now,
        lets_pass=waits.lets_pass,
        is_first=not waits.lets_pass or not held.records.is_anybody_before(host),
        objection=shift_core.objection(held.records.shift(held.rollout.id), host.name),
    )


def _go(held: Session, host: Host, decision: Decision, limit: float, waits: Waits) -> dict[str, t.Any]:
    """Intent first: from here on the host counts as out of service, whatever becomes of this run."""
    admitted = held.change_host(
        host,
        phase=model.BACK_ADMITTED if host.phase == model.BACK_WAITING else model.ADMITTED,
        live=model.OUT_OURS,
        place=decision.place or host.place,
        run=held.run,
        admitted_at=held.now,
        in_service_at=None,
        limit_seconds=limit,
        deadline_at=held.now + limit,
    )
    held.records.note_left_out(held.service, admitted, held.run, held.now)
    held.event(
        "admitted",
        host.name,
        to=host.target_version,
        place=decision.place,
        limit=limit,
        waited=round(waits.total, 1),
    )
    return {**_answer(held, admitted, decision), "changed": True}


def _gate(held: Session, host: Host, decision: Decision, limit: float, waits: Waits) -> dict[str, t.Any]:
    gate = held.records.gates(held.rollout.id)[decision.stage]
    return {**_answer(held, host, decision), "changed": True, "gate": gates.claimed(held, gate, host.name)}


def _refuse(held: Session, host: Host, decision: Decision, limit: float, waits: Waits) -> dict[str, t.Any]:
    phase = model.STUCK if host.phase == model.BACK_WAITING else model.EXCLUDED
    refused = held.change_host(host, phase=phase, error=decision.reason)
    held.event("refused", host.name, reason=decision.reason)
    return {**_answer(held, refused, dataclasses.replace(decision, verdict=admission.STOP)), "changed": True}


def _give_up(held: Session, host: Host, decision: Decision, limit: float, waits: Waits) -> dict[str, t.Any]:
    upkeep.stop(held, decision.reason, "progress")
    return {**_answer(held, host, dataclasses.replace(decision, verdict=admission.STOP)), "changed": True}


def _as_is(held: Session, host: Host, decision: Decision, limit: float, waits: Waits) -> dict[str, t.Any]:
    return _answer(held, host, decision)


_RECORD = {
    admission.GO: _go,
    admission.GATE: _gate,
    admission.REFUSE: _refuse,
    admission.GIVE_UP: _give_up,
    admission.STOP: _as_is,
    admission.WAIT: _as_is,
}


def _answer(held: Session, host: Host, decision: Decision) -> dict[str, t.Any]:
    goes = decision.verdict == admission.GO
    return {
        "changed": False,
        "verdict": decision.verdict,
        "reason": decision.reason,
        "about": decision.about,
        "host": host.name,
        "phase": host.phase,
        "target": {"version": host.target_version},
        "previous": _previous(held, host) if goes else None,
        "direction": model.BACK if host.phase in (*model.GOING_BACK, model.BACK_WAITING) else held.rollout.direction,
        "ours": bool(host.ours),
        "was_run": host.was_run,
        "stage": decision.stage,
        "place": host.place,
        "gate": None,
        "guard": _guard(held, host) if goes else None,
        "msg": f"{host.name}: {decision.verdict}, {decision.reason}",
    }


def _guard(held: Session, host: Host) -> dict[str, t.Any]:
    """Of the zones only the host's own: taking it out leaves the others as they are."""
    guard = json.loads(held.rollout.guard or "{}")
    return {**guard, "zones": [zone for zone in guard.get("zones", []) if zone["name"] == host.zone]}


def _previous(held: Session, host: Host) -> dict[str, t.Any] | None:
    """The version that was proven on the host before this rollout."""
    bad = held.records.bad_versions(held.service)
    version = failure.way_home(host, held.records.proofs(held.service, host.name), held.rollout.version, bad)
    return None if version is None else {"version": version}
