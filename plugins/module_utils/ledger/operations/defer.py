# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""An admitted host may not go now: its place is given back, or the run ends where that has lasted for too long."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import admission, model, versions, veto
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.veto import Deferral, Objection
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import (
    Ledger,
    Session,
    open_session,
    required,
)

LONGEST = 500
"""Characters of an objection that are kept."""


def defer(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The answer's verdict is 'wait', and admission is asked for again, or 'stop' where the objection lasted too long."""
    required(params, "host", "error")
    wait = durations.seconds("wait", params.get("wait") or 0.0)
    poll = durations.positive("poll", params.get("poll") or 1.0)
    with open_session(ledger, params) as session:
        upkeep.expire_overdue(session)
        before = _admitted(session, params["host"])
        said = str(params["error"]).strip().rstrip(".")[:LONGEST]
        counts, is_last_word = params.get("counts") is not False, bool(params.get("last_word"))
        objection = Objection(said, session.now, wait, poll, counts, is_last_word, _standstill(session))
        deferral = veto.deferred(before, objection)
        if veto.is_recorded_in_service(before):
            session.records.note_back(session.service, before.name)
        host = _given_up(session, before, deferral) if deferral.is_over else _deferred(session, before, deferral)
        return _answer(before, host, deferral)


def _admitted(session: Session, name: str) -> Host:
    host = session.host(name)
    if not veto.is_deferrable(host) or host.run != session.run:
        raise RolloutError(
            f"{name}: cannot be deferred, because the ledger has it as {host.phase}; only a host that was admitted in this run "
            "and that no step has changed can be deferred."
        )
    return host


def _standstill(session: Session) -> float | None:
    in_flight = session.records.tally(session.rollout.id).in_flight
    return veto.standstill(session.limits, in_flight, session.rollout.progress_at or 0.0, session.now)


def _deferred(session: Session, before: Host, deferral: Deferral) -> Host:
    host = session.change_host(before, **deferral.changes)
    if before.veto != host.veto or before.vetoed_at != host.vetoed_at:
        session.event("deferred", host.name, objection=host.veto)
    if host.vetoed_at is not None:
        # While an objection is waited for, which has a limit of its own, nobody is expected to make progress.
        session.change_rollout(progress_at=session.now)
    return host


def _given_up(session: Session, before: Host, deferral: Deferral) -> Host:
    host = session.change_host(before, **veto.given_up(before, deferral))
    if host.phase == model.STUCK:
        session.event("stuck", host.name, error=deferral.reason)
    else:
        session.change_rollout(reason=deferral.reason, reason_kind=veto.VETO)
        session.event("no_further_host", host.name, kind=veto.VETO, reason=deferral.reason)
    return host


def _answer(before: Host, host: Host, deferral: Deferral) -> dict[str, t.Any]:
    reason = deferral.reason if deferral.is_over else host.veto or ""
    return {
        "changed": True,
        "host": host.name,
        "phase": host.phase,
        "verdict": admission.STOP if deferral.is_over else admission.WAIT,
        "reason": reason,
        "waiting_for": veto.VETO,
        "target": versions.target(host.target_version),
        "msg": f"{host.name}: {'not changed in this run' if deferral.is_over else 'deferred'}, {reason}",
        "diff": {"before": {"phase": before.phase}, "after": {"phase": host.phase}},
    }
