# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A host requests admission, and waits here until the answer is go, stop or: run this gate."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.gate import hand_out
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.guard import guard_of
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import (
    admission,
    block,
    failure,
    lease,
    model,
    traffic_rules,
    versions,
    veto,
    window,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.admission import Decision, Inputs
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.veto import Quorum, Taken
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import (
    Ledger,
    Session,
    open_session,
    read_session,
    required,
)

POLL_EVERY = 0.1
"""Seconds between two looks at whether anything was written, of the host that is next; as much more for each that waits before one."""
MOST_COUNTED = 3
"""Hosts that are counted before one. Whatever is written has all of them decide again, which takes milliseconds for each."""
ALIVE_EVERY = 1.0
"""Seconds between two looks at whether the controller still lives."""
DECIDE_EVERY = 3.0
"""Seconds after which time alone may have changed the answer. A decision costs milliseconds, and many may wait."""
YIELD_FOR = 1.0
"""Seconds that a free place is left to hosts earlier in the plan: whoever waits looks some times a second."""
DEFAULT_LIMIT = 3600.0


def admit(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Blocks until the answer is not 'wait', or *timeout* seconds are over. A pause is waited out without bound."""
    required(params, "host")
    timeout = 0.0 if ledger.check_mode else durations.optional("timeout", params.get("timeout"))
    waits = WaitLog(ledger, timeout)
    # Noted before the decision: what is written while it is made must wake this host too.
    seen, decided = ledger.store.changes(), ledger.clock.monotonic()
    answer = _decide_and_record(ledger, params, waits)
    while answer["verdict"] == admission.WAIT:
        if timeout is not None and waits.total >= timeout:
            break
        if waits.is_far:
            ledger.clock.sleep(ALIVE_EVERY)
        else:
            pause(ledger, seen, POLL_EVERY * (1 + waits.before))
        waits.note(answer)
        if not ledger.is_alive():
            raise RolloutError(
                f"{params['host']}: the controller that asked for admission is gone; left without changing anything."
            )
        decide_every = YIELD_FOR if answer["waiting_for"] == admission.ORDER else DECIDE_EVERY
        is_woken = ledger.store.changes() != seen and not waits.is_far
        if is_woken or ledger.clock.monotonic() - decided >= decide_every:
            seen, decided = ledger.store.changes(), ledger.clock.monotonic()
            answer = _look(ledger, params, waits) or _decide_and_record(ledger, params, waits)
    return {**answer, "waited": round(waits.total, 3), "waits": waits.listed()}


class WaitLog:
    """How long was waited for what."""

    def __init__(self, ledger: Ledger, timeout: float | None) -> None:
        self._clock = ledger.clock
        self._timeout = timeout
        self.is_far = False
        """Whether more hosts wait before this one than may be out at once: then nothing that is written can let it go."""
        self.before = 0
        """Hosts earlier in the plan that wait, MOST_COUNTED or fewer."""
        self._yielded_for = 0.0
        self._started = self._last = ledger.clock.monotonic()
        self._seconds: dict[str, float] = {}
        self._words: dict[str, str] = {}

    @property
    def total(self) -> float:
        return self._clock.monotonic() - self._started

    @property
    def yields(self) -> bool:
        """Not for longer than this call may take, or a host that asks often and briefly would never go."""
        most = YIELD_FOR if self._timeout is None else min(YIELD_FOR, self._timeout)
        return self._yielded_for < most

    def note(self, answer: dict[str, t.Any]) -> None:
        now = self._clock.monotonic()
        self._yielded_for = self._yielded_for + now - self._last if answer["waiting_for"] == admission.ORDER else 0.0
        self._seconds[answer["waiting_for"]] = self._seconds.get(answer["waiting_for"], 0.0) + now - self._last
        self._words[answer["waiting_for"]] = answer["reason"]
        self._last = now

    def listed(self) -> list[dict[str, t.Any]]:
        return [
            {"waiting_for": waiting_for, "reason": self._words[waiting_for], "seconds": round(seconds, 3)}
            for waiting_for, seconds in self._seconds.items()
        ]


def pause(ledger: Ledger, seen: int, poll_every: float = POLL_EVERY) -> None:
    """Until another process has written, but not longer than the controller may be out of sight."""
    until = ledger.clock.monotonic() + ALIVE_EVERY
    while ledger.clock.monotonic() < until and ledger.store.changes() == seen:
        ledger.clock.sleep(poll_every)


def _look(ledger: Ledger, params: dict[str, t.Any], waits: WaitLog) -> dict[str, t.Any] | None:
    """The answer where it is still 'wait' and nothing needs to be written; else None."""
    with ledger.store.reading() as records:
        session = read_session(ledger, records, params)
        if lease.beat_is_due(session.lease, session.now) or records.overdue(session.rollout.id, session.now):
            return None
        decision = admission.decide(inputs_of(session, session.host(params["host"]), waits, quorums_of(params)))
        return _answer(session, session.host(params["host"]), decision) if decision.verdict == admission.WAIT else None


def _decide_and_record(ledger: Ledger, params: dict[str, t.Any], waits: WaitLog) -> dict[str, t.Any]:
    with open_session(ledger, params) as session:
        upkeep.expire_overdue(session)
        host = session.host(params["host"])
        limit = durations.positive("limit", params.get("limit") or DEFAULT_LIMIT)
        quorums = quorums_of(params)
        if host.phase in model.IN_FLIGHT and host.run == session.run:
            answer = _answer(session, host, Decision(admission.GO, f"{host.name} was admitted already"))
        else:
            decision = admission.decide(inputs_of(session, host, waits, quorums))
            answer = _RECORD[decision.verdict](session, host, decision, limit, waits)
        return {**answer, "remaining": _remaining(session, host, quorums)}


def quorums_of(params: dict[str, t.Any]) -> tuple[Quorum, ...]:
    return veto.quorums(params.get("quorums"), params["host"])


def _taken(session: Session, host: Host, quorums: t.Sequence[Quorum]) -> list[Taken]:
    return veto.taken(quorums, session.records.out_or_in_flight(session.rollout.id), host.name) if quorums else []


def _remaining(session: Session, host: Host, quorums: t.Sequence[Quorum]) -> list[str]:
    """Who of its groups this rollout still changes. A host to be repaired goes before them, so it waits for none."""
    if veto.was_weak(host):
        return []
    members = {name for quorum in quorums for name in quorum.hosts} - {host.name}
    phases = (*model.ASKING, *model.IN_FLIGHT)
    found = session.records.hosts(session.rollout.id, *phases) if members else []
    return sorted(other.name for other in found if other.in_scope and other.name in members)


def inputs_of(session: Session, host: Host, waits: WaitLog, quorums: t.Sequence[Quorum] = ()) -> Inputs:
    limits = session.limits
    last = session.records.last_of_head(host, limits.max_unavailable)
    waits.is_far = last is not None and host.position > last
    waits.before = session.records.waiting_before(host, MOST_COUNTED)
    return Inputs(
        asker=host,
        rollout=session.rollout,
        limits=limits,
        tally=session.records.tally(session.rollout.id),
        gates=session.records.gates(session.rollout.id),
        now=session.now,
        yields=waits.yields,
        is_first=not waits.yields or not waits.before,
        blocked=blocked_by(session),
        veto_reason=traffic_rules.veto_reason(session.records.shift(session.rollout.id), host.name),
        quorums=_taken(session, host, quorums),
    )


def blocked_by(session: Session) -> str:
    """Who blocks the service and why; empty where nobody does."""
    found = block.in_force(session.records.blocks(session.service), session.now)
    return found.text if found else ""


def _go(session: Session, host: Host, decision: Decision, limit: float, waits: WaitLog) -> dict[str, t.Any]:
    """Intent first: from here on the host counts as out of service, whatever becomes of this run."""
    admitted = session.change_host(
        host,
        phase=model.BACK_ADMITTED if host.phase == model.BACK_WAITING else model.ADMITTED,
        lb_state=model.DRAINED_BY_US,
        lb_before=host.lb_state,
        vetoed_until=None,
        slot=decision.slot or host.slot,
        run=session.run,
        admitted_at=session.now,
        in_service_at=None,
        drained_at=None,
        step=None,
        step_at=None,
        modified=0,
        limit_seconds=limit,
        deadline_at=session.now + limit,
    )
    session.records.note_left_out(session.service, admitted, session.run, session.now)
    session.event(
        "admitted",
        host.name,
        to=host.target_version,
        slot=decision.slot,
        limit=limit,
        waited=round(waits.total, 1),
    )
    return {**_answer(session, admitted, decision), "changed": True}


def _gate(session: Session, host: Host, decision: Decision, limit: float, waits: WaitLog) -> dict[str, t.Any]:
    gate = session.records.gates(session.rollout.id)[decision.stage]
    return {**_answer(session, host, decision), "changed": True, "gate": hand_out(session, gate, host.name)}


def _refuse(session: Session, host: Host, decision: Decision, limit: float, waits: WaitLog) -> dict[str, t.Any]:
    phase = model.STUCK if host.phase == model.BACK_WAITING else model.EXCLUDED
    refused = session.change_host(host, phase=phase, error=decision.reason)
    session.event("refused", host.name, reason=decision.reason)
    return {**_answer(session, refused, dataclasses.replace(decision, verdict=admission.STOP)), "changed": True}


def _give_up(session: Session, host: Host, decision: Decision, limit: float, waits: WaitLog) -> dict[str, t.Any]:
    upkeep.stop(session, decision.reason, "progress")
    return {**_answer(session, host, dataclasses.replace(decision, verdict=admission.STOP)), "changed": True}


def _stop(session: Session, host: Host, decision: Decision, limit: float, waits: WaitLog) -> dict[str, t.Any]:
    """A window that closes, or a block, is on record once, for the last line of the run."""
    kind = decision.waiting_for
    if kind in (window.CLOSED, block.BLOCKED) and session.rollout.reason_kind != kind:
        session.change_rollout(reason=decision.reason, reason_kind=kind)
        session.event("no_further_host", kind=kind, reason=decision.reason)
    return _answer(session, host, decision)


def _as_is(session: Session, host: Host, decision: Decision, limit: float, waits: WaitLog) -> dict[str, t.Any]:
    return _answer(session, host, decision)


_RECORD = {
    admission.GO: _go,
    admission.GATE: _gate,
    admission.REFUSE: _refuse,
    admission.GIVE_UP: _give_up,
    admission.STOP: _stop,
    admission.WAIT: _as_is,
}


def _answer(session: Session, host: Host, decision: Decision) -> dict[str, t.Any]:
    goes = decision.verdict == admission.GO
    return {
        "changed": False,
        "verdict": decision.verdict,
        "reason": decision.reason,
        "waiting_for": decision.waiting_for,
        "host": host.name,
        "phase": host.phase,
        "target": versions.target(host.target_version),
        "previous": _previous(session, host) if goes else None,
        "direction": model.BACK if host.phase in (*model.GOING_BACK, model.BACK_WAITING) else session.rollout.direction,
        "drained_by_us": bool(host.drained_by_us),
        "interrupted_run": host.interrupted_run,
        "stage": decision.stage,
        "slot": host.slot,
        "gate": None,
        "guard": guard_of(session.limits, session.records.guarded(session.rollout.id, host.zone)) if goes else None,
        "msg": f"{host.name}: {decision.verdict}, {decision.reason}",
    }


def _previous(session: Session, host: Host) -> dict[str, t.Any] | None:
    """The version that was proven on the host before this rollout."""
    bad = session.records.bad_versions(session.service)
    version = failure.rollback_target(
        host, session.records.proofs(session.service, host.name), session.rollout.version, bad
    )
    return None if version is None else versions.target(version)
