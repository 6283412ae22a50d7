# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What follows from the rows at any time: hosts that vanished, stages that are complete, a rollout that stops."""

from __future__ import annotations

import dataclasses

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import failure, model, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Gate, Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Session

UNCLEAR = "gate_unclear"
"""The kind of a stop by a gate that measured nothing bad, only nothing clear."""


def stop(session: Session, reason: str, kind: str) -> None:
    """No further host starts. A version that failed by itself is marked bad, unless a whole fleet had proven it."""
    if session.rollout.status == model.OPEN:
        session.change_rollout(status=model.FAILING, reason=reason, reason_kind=kind)
        session.event("stopped", reason=reason, kind=kind)
    elif session.rollout.status != model.FAILING:
        return
    _mark_bad(session, reason, kind)


def _mark_bad(session: Session, reason: str, kind: str) -> None:
    """A host in flight that fails after the rollout has stopped counts against the version all the same."""
    version = session.rollout.version
    if session.rollout.direction != model.FORWARD or session.rollout.keeps_release:
        return
    if version is None or versions.is_drill(version):
        return
    kinds = [kind, *session.records.failed_kinds(session.rollout.id)]
    is_known = session.records.was_rolled_out(session.service, version)
    if is_known or version in session.records.bad_versions(session.service) or not failure.makes_bad(kinds):
        return
    session.records.mark_bad(session.service, version, reason, session.now)
    session.event("marked_bad", version=version, why=reason)


def count_failure(session: Session, host: Host, kind: str, error: str) -> None:
    """Stops the rollout once the failures are more than the policy allows; *host* is saved already."""
    if session.rollout.direction == model.RECOVER and kind not in failure.STOPS_AT_ONCE:
        # What one host says about its own recovery says nothing about the next one's.
        return
    failures = len(session.records.failed_kinds(session.rollout.id))
    reason = failure.why_stop(session.limits, failures, kind, host.name, error)
    if reason is None and session.rollout.status == model.FAILING:
        # The budget is no matter any more; what the failure says of the version is.
        reason = failure.what_failed(kind, host.name, error)
    if reason is not None:
        stop(session, reason, kind)


def expire_overdue(session: Session) -> list[Host]:
    """Counts the hosts in flight whose declared time is over as failed; they stay recorded as out of service."""
    if session.rollout.limits is None:
        return []
    return [
        mark_lost(session, host, f"no report within the declared {host.limit_seconds:g} s")
        for host in session.records.overdue(session.rollout.id, session.now)
    ]


def mark_lost(session: Session, host: Host, error: str) -> Host:
    went_back = host.phase in model.GOING_BACK
    kind = host.kind if went_back and host.kind else failure.LOST
    host = session.change_host(
        host, phase=model.STUCK if went_back else model.FAILED, counted=1, kind=kind, error=error, deadline_at=None
    )
    session.event("lost", host.name, error=error)
    session.change_rollout(progress_at=session.now)
    count_failure(session, host, kind, error)
    return host


def note_complete_stages(session: Session) -> None:
    """Opens the gate of each stage whose places are all proven; without gates it has passed at once."""
    if session.rollout.direction != model.FORWARD:
        return
    limits = session.limits
    proven = session.records.tally(session.rollout.id).on_target
    gates = session.records.gates(session.rollout.id)
    for stage, slots in enumerate(limits.stages, start=1):
        if proven < slots:
            continue
        gate = gates.get(stage)
        if gate is None:
            gate = Gate(session.rollout.id, stage, complete_at=session.now, slots=slots)
            session.records.save_gate(gate)
            session.event("stage_complete", stage=stage, slots=slots)
        if not limits.gate and not gate.has_passed:
            session.records.save_gate(_passed_without_a_gate(gate, session.now))


def _passed_without_a_gate(gate: Gate, now: float) -> Gate:
    return dataclasses.replace(
        gate, status="passed", verdict="pass", reason="no gate configured", claim=None, until=None, at=now
    )


def drop_outdated_gates(session: Session) -> None:
    """A gate that judged another number of hosts says nothing about this plan's stage."""
    stages = session.limits.stages
    proven = session.records.tally(session.rollout.id).on_target
    for gate in session.records.gates(session.rollout.id).values():
        if gate.stage > len(stages) or stages[gate.stage - 1] != gate.slots or proven < gate.slots:
            session.records.remove_gate(gate)
