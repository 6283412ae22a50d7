# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The reports on a host: it is changing, proven, failed, rolled back, stuck."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import tables
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.admit import DEFAULT_LIMIT
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import failure, model, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import (
    Ledger,
    Session,
    open_session,
    required,
)


def change(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Says that a step begins and how many seconds it may take; until then the lease is held for it."""
    required(params, "host", "step")
    with open_session(ledger, params) as session:
        upkeep.expire_overdue(session)
        before = _of_this_run(session, params["host"], *model.IN_FLIGHT)
        limit = durations.positive("limit", params.get("limit") or before.limit_seconds or DEFAULT_LIMIT)
        modifies = params.get("modifies") is not False
        host = session.change_host(
            before,
            phase=_phase_of_step(before, modifies),
            step=params["step"],
            step_at=session.now,
            vetoed_at=None,
            modified=int(modifies or bool(before.modified)),
            drained_at=_drained_at(session, before, params),
            limit_seconds=limit,
            deadline_at=session.now + limit,
        )
        session.event("changing", host.name, step=host.step, limit=limit)
        return _reported(session, before, host, f"{host.name}: {host.step}, at most {limit:g} s")


def prove(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The host is verified in service on its target."""
    required(params, "host", "version")
    with open_session(ledger, params) as session:
        before = session.host(params["host"])
        _refuse_other_version(before, versions.of_target(params))
        if before.phase == model.PROVEN:
            return {**_reported(session, before, before, _in_service(session, before)), "changed": False}
        # A host that was given up as vanished and comes after all is in service; it stays counted as a failure.
        is_late = before.phase == model.FAILED and before.kind == failure.LOST
        if before.phase not in model.GOING_FORWARD and not is_late:
            raise _out_of_turn(before, "proven")
        host = _back_in_service(session, before, model.PROVEN, params)
        session.event(
            "proven", host.name, version=host.target_version, drained_for=host.drained_for, out_for=host.out_for,
            **({"details": params["details"]} if params.get("details") else {}),
        )  # fmt: skip
        upkeep.expire_overdue(session)
        upkeep.note_complete_stages(session)
        return _reported(session, before, host, _in_service(session, host))


def revert(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The host is verified in service on the version that it was rolled back to."""
    required(params, "host", "version")
    with open_session(ledger, params) as session:
        before = session.host(params["host"])
        _refuse_other_version(before, versions.of_target(params))
        if before.phase == model.REVERTED:
            return {**_reported(session, before, before, _in_service(session, before)), "changed": False}
        if session.rollout.direction == model.BACK and before.phase == model.PROVEN:
            return {**_reported(session, before, before, _in_service(session, before)), "changed": False}
        goes_forward = session.rollout.direction == model.BACK and before.phase in model.GOING_FORWARD
        if before.phase not in (*model.GOING_BACK, model.STUCK) and not goes_forward:
            raise _out_of_turn(before, "reverted")
        # In a rollback the way back is what was asked for: a host that arrives is proven.
        host = _back_in_service(session, before, model.PROVEN if goes_forward else model.REVERTED, params)
        session.event("reverted", host.name, version=host.target_version, out_for=host.out_for)
        upkeep.expire_overdue(session)
        return _reported(session, before, host, _in_service(session, host))


def fail(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The host failed: the answer says whether it is rolled back at once, to what, and whether the rollout stops."""
    required(params, "host", "kind")
    if params["kind"] not in failure.KINDS:
        raise InputError(f"kind: '{params['kind']}' is not one of {', '.join(failure.KINDS)}.")
    with open_session(ledger, params) as session:
        before = session.host(params["host"])
        error = _error(params)
        if before.phase in (*model.GOING_BACK, model.BACK_WAITING, model.STUCK):
            return _stuck(session, before, error, params["kind"])
        if params["kind"] == failure.DRAINED_EXTERNALLY:
            return _skip(session, before, error)
        target = None if session.rollout.keeps_release else _rollback_target(session, before)
        is_rolled_back = failure.is_rolled_back_at_once(
            before, session.rollout.direction, params["kind"], target, session.run
        )
        limit = durations.positive("limit", params.get("limit") or before.limit_seconds or DEFAULT_LIMIT)
        host = session.change_host(
            before,
            phase=_phase_after_failure(before, is_rolled_back),
            target_version=target if is_rolled_back else before.target_version,
            counted=1,
            kind=params["kind"],
            error=error,
            run=session.run,
            deadline_at=session.now + limit if is_rolled_back else None,
            limit_seconds=limit,
        )
        session.event("failed", host.name, kind=host.kind, error=error, back_to=target if is_rolled_back else None)
        session.change_rollout(progress_at=session.now)
        upkeep.count_failure(session, host, params["kind"], error)
        upkeep.expire_overdue(session)
        consequence = f"rolling back to {target}" if is_rolled_back else _stays(before)
        return _reported(
            session, before, host, f"{host.name} failed ({host.kind}: {error}); {consequence}", is_rolled_back
        )


def _rollback_target(session: Session, host: Host) -> str | None:
    return failure.rollback_target(
        host,
        session.records.proofs(session.service, host.name),
        session.rollout.version,
        session.records.bad_versions(session.service),
    )


def _stays(host: Host) -> str:
    """A release that cannot be staged takes no host out of service."""
    if host.phase == model.WAITING and host.is_serving:
        return f"it stayed in service on {host.from_version or 'its old version'}"
    return "left as it is"


def mark_stuck(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The host could not go back either; somebody has to look at it."""
    required(params, "host")
    with open_session(ledger, params) as session:
        return _stuck(session, session.host(params["host"]), _error(params), params.get("kind"))


def _stuck(session: Session, before: Host, error: str, kind: str | None) -> dict[str, t.Any]:
    # The kind of the first failure stays: it says why the host had to go back at all.
    kind = before.kind or kind or "restore"
    host = session.change_host(
        before, phase=model.STUCK, counted=1, kind=kind, error=error, run=session.run, deadline_at=None
    )
    session.event("stuck", host.name, error=error)
    session.change_rollout(progress_at=session.now)
    upkeep.count_failure(session, host, kind, error)
    upkeep.expire_overdue(session)
    return _reported(session, before, host, f"{host.name} is stuck: the rollback failed: {error}")


def _skip(session: Session, before: Host, error: str) -> dict[str, t.Any]:
    """Somebody else took it out since the plan was made; what this run had marked is undone already."""
    host = session.change_host(
        before, phase=model.EXCLUDED, lb_state=model.DRAINED_EXTERNALLY, error=error, deadline_at=None
    )
    session.records.note_back(session.service, host.name)
    session.event("skipped", host.name, error=error)
    return _reported(session, before, host, f"{host.name} is skipped: {error}")


def _phase_of_step(host: Host, modifies: bool) -> str:
    if not modifies:
        return host.phase
    return model.CHANGING if host.phase in model.GOING_FORWARD else model.BACK_CHANGING


def _drained_at(session: Session, host: Host, params: dict[str, t.Any]) -> float | None:
    """From the seconds that the run has measured: between them and the report lies everything that users do not see."""
    out_for = _measured("out_for", params)
    return host.drained_at if out_for is None else session.now - out_for


def _measured(name: str, params: dict[str, t.Any]) -> float | None:
    return None if params.get(name) is None else durations.seconds(name, params[name])


def _error(params: dict[str, t.Any]) -> str:
    return (params.get("error") or "no reason given").strip().rstrip(".")


def _phase_after_failure(host: Host, is_rolled_back: bool) -> str:
    if is_rolled_back:
        return model.BACK_CHANGING
    # A host that is in service on the new version stays there until the rollout as a whole is rolled back.
    return model.PROVEN if host.phase == model.PROVEN else model.FAILED


def _back_in_service(session: Session, host: Host, phase: str, params: dict[str, t.Any]) -> Host:
    host = session.change_host(
        host,
        phase=phase,
        lb_state=model.IN_SERVICE,
        condition=model.CURRENT,
        in_service_at=session.now,
        drained_at=_drained_at(session, host, params),
        drained_for=_measured("drained_for", params),
        deadline_at=None,
        step=None,
        step_at=None,
        modified=0,
        # Whatever an earlier run left here is over: a later failure on this host is this run's own.
        drained_by_us=0,
        interrupted_run=None,
    )
    session.records.note_back(session.service, host.name)
    session.records.forget_observed(session.rollout.id, host.name)
    session.records.add_proofs(session.service, [(host.name, host.target_version or "")], session.now)
    if session.rollout.operation and phase == model.PROVEN:
        session.records.note_operated(session.service, host.name, session.rollout.operation, session.now)
    session.change_rollout(progress_at=session.now)
    return host


def _of_this_run(session: Session, name: str, *phases: str) -> Host:
    host = session.host(name)
    if host.phase not in phases or host.run != session.run:
        raise _out_of_turn(host, "changing")
    return host


def _out_of_turn(host: Host, wanted: str) -> RolloutError:
    return RolloutError(
        f"{host.name}: cannot become {wanted}, the ledger has it as {host.phase}"
        f"{f' ({host.error})' if host.error else ''}; only a host admitted in this run can."
    )


def _refuse_other_version(host: Host, version: str | None) -> None:
    if version != host.target_version:
        raise RolloutError(
            f"{host.name}: reported in service on {version}, but its target is {host.target_version}; "
            "nothing was recorded."
        )


def _in_service(session: Session, host: Host) -> str:
    done, total = _progress(session)
    return (
        f"{host.name} in service on {host.target_version}, drained {tables.seconds(host.drained_for)}, "
        f"out for {tables.seconds(host.out_for)} ({done}/{total})"
    )


def _progress(session: Session) -> tuple[int, int]:
    tally = session.records.tally(session.rollout.id)
    if session.rollout.status == model.REVERTING:
        back = tally.in_phase(model.REVERTED, model.BACK_WAITING, model.STUCK, *model.GOING_BACK)
        return tally.in_phase(model.REVERTED), back
    return tally.on_target, tally.in_scope


def _reported(session: Session, before: Host, host: Host, msg: str, is_rolled_back: bool = False) -> dict[str, t.Any]:
    done, total = _progress(session)
    # What an earlier run left drained may be half updated, whatever this one did to it.
    was_changed = bool(before.modified) or bool(before.drained_by_us)
    return {
        "changed": True,
        "host": host.name,
        "phase": host.phase,
        "go_back": is_rolled_back,
        "was_changed": was_changed,
        "target": versions.target(host.target_version),
        "stop": session.rollout.status != model.OPEN,
        "reason": session.rollout.reason or "",
        "done": done,
        "total": total,
        "msg": msg,
        "diff": {"before": {"phase": before.phase}, "after": {"phase": host.phase}},
    }
