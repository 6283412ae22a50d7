# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the run's watch has seen: beats for the run, and makes a failure of what fails after it was proven."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import flag_release, interruption
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import refused, upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import failure, lease, model, observation
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.observation import Consequence, Record
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_nodes import with_idle_in_rotation
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Ledger, Session, read_session
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.records import Records

HEALTH = "health"


def observe(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Records what was read, and answers with what is in flight and what to observe next."""
    with ledger.writing() as records:
        try:
            session = read_session(ledger, records, params)
        except lease.LeaseLost as lost:
            if _is_handed_back(records, params):
                return {**_lost(params, lost), "is_over": True, "messages": []}
            refused.record(records, params, ledger.clock.now(), "watch")
            return _lost(params, lost)
        session.lease = dataclasses.replace(session.lease, watch_at=session.now)
        messages: list[str] = []
        if session.rollout.limits is not None:
            upkeep.expire_overdue(session)
            messages = _record(session, params)
        session.beat()
        return {**_answer(session, messages), "if_interrupted": _if_interrupted(session, params)}


def _record(session: Session, params: dict[str, t.Any]) -> list[str]:
    read_at = params.get("read_at")
    observed_at = session.now if read_at is None else read_at
    health = {entry["name"]: entry for entry in params.get("hosts") or []}
    balancers = params.get("balancers")
    if session.records.shift(session.rollout.id) is not None:
        balancers = with_idle_in_rotation(balancers)
    left_out = session.records.left_out(session.service)
    limits = session.limits
    before = session.records.observed(session.rollout.id)
    after: dict[str, Record] = {}
    messages: list[str] = []
    for host in session.records.hosts(session.rollout.id):
        if not observation.concerns(host, observed_at):
            continue
        probed = health.get(host.name) or {}
        seen = observation.observed(
            host.member, probed.get("healthy"), probed.get("why") or "", balancers, host.name in left_out
        )
        found = observation.consequence(host, seen, before.get(host.name, Record()), limits)
        if found.record != before.get(host.name, Record()):
            after[host.name] = found.record
        messages += _apply(session, host, found, seen.note)
    session.records.save_observed(session.rollout.id, after)
    return messages


def _apply(session: Session, host: Host, found: Consequence, note: str) -> list[str]:
    if found.failure:
        return [_fail(session, host, found)]
    if found.lb_state == host.lb_state:
        return []
    if found.lb_state == model.DRAINED_EXTERNALLY:
        return [_note_drained(session, host, note)]
    session.change_host(host, lb_state=found.lb_state)
    session.event("observed", host.name, lb_state=found.lb_state, before=host.lb_state, note=note)
    back = f"{host.name}: in service again" if found.lb_state == model.IN_SERVICE else f"{host.name}: {note}"
    return [back]


def _fail(session: Session, host: Host, found: Consequence) -> str:
    """Out of service from here on, as far as the limits are concerned: a member that serves errors serves nobody."""
    kind = host.kind or HEALTH
    failed = session.change_host(
        host, phase=model.FAILED, lb_state=found.lb_state, counted=1, kind=kind, error=found.failure
    )
    session.event("failed", host.name, kind=kind, error=found.failure, after_proof=True)
    session.change_rollout(progress_at=session.now)
    upkeep.count_failure(session, failed, kind, found.failure)
    return failure.what_failed(kind, host.name, found.failure)


def _note_drained(session: Session, host: Host, note: str) -> str:
    """Counts as out of service. One that was still to be changed is skipped by this run, whoever returns it."""
    error = f"{note} by somebody else"
    waits = host.phase == model.WAITING and bool(host.in_scope)
    session.change_host(
        host,
        lb_state=model.DRAINED_EXTERNALLY,
        phase=model.EXCLUDED if waits else host.phase,
        error=error if waits else host.error,
    )
    session.event(model.DRAINED_EXTERNALLY, host.name, note=note, phase=host.phase)
    return f"{host.name}: {error}" + ("; it is skipped" if waits else "")


def _answer(session: Session, messages: list[str]) -> dict[str, t.Any]:
    rollout, records = session.rollout, session.records
    release = records.flag_release(rollout.id)
    proven = [host for host in records.hosts(rollout.id, model.PROVEN) if host.in_scope]
    tally = records.tally(rollout.id)
    return {
        "changed": True,
        "holds_lease": True,
        "is_over": False,
        "holder": None,
        "now": session.now,
        "status": rollout.shown_status,
        "stop": rollout.status != model.OPEN,
        "reason": rollout.reason or "",
        "in_flight": [_in_flight(host, session.now) for host in records.hosts(rollout.id, *model.IN_FLIGHT)],
        "observe": {host.name: host.target_version for host in proven if host.lb_state != model.DRAINED_EXTERNALLY},
        "waiting": tally.in_phase(*model.ASKING),
        "done": tally.on_target,
        "total": tally.in_scope,
        "progress": flag_release.progress(release, session.now) if release else "",
        "messages": messages,
        "msg": "; ".join(messages) or f"{session.service}: {rollout.shown_status}",
    }


def _if_interrupted(session: Session, params: dict[str, t.Any]) -> list[str]:
    """The watch keeps it at hand for the moment at which nobody can ask the ledger any more."""
    records, rollout = session.records, session.rollout
    release = records.flag_release(rollout.id)
    if release is not None:
        return flag_release.if_interrupted(release, rollout)
    return interruption.lines(
        rollout,
        records.hosts(rollout.id, *model.IN_FLIGHT),
        records.left_out(session.service),
        params.get("balancers") or [],
        records.shift(rollout.id),
    )


def _in_flight(host: Host, now: float) -> dict[str, t.Any]:
    since = host.step_at if host.step_at is not None else host.admitted_at
    return {
        "host": host.name,
        "phase": host.phase,
        "step": host.step or "",
        "seconds": round(max(now - since, 0.0), 1) if since is not None else 0.0,
        "limit": host.limit_seconds,
        "version": host.target_version,
    }


def _is_handed_back(records: Records, params: dict[str, t.Any]) -> bool:
    """The run's rollout has ended, and the release that it is part of continues with the next service."""
    held = records.lease(params["service"])
    return (
        held is not None
        and held.reserved_for is not None
        and held.reserved_for == records.release_run_of(params["service"], params["run"])
    )


def _lost(params: dict[str, t.Any], lost: lease.LeaseLost) -> dict[str, t.Any]:
    return {
        "changed": False,
        "holds_lease": False,
        "is_over": False,
        "holder": lost.result.get("holder"),
        "status": "",
        "stop": True,
        "reason": lost.message,
        "in_flight": [],
        "observe": {},
        "if_interrupted": [],
        "waiting": 0,
        "done": 0,
        "total": 0,
        "progress": "",
        "messages": [lost.message],
        "msg": lost.message,
    }
