# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a host's run tells the ledger: it is changing, it is proven, it failed, it is back, it is stuck."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import tables as texts
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import failure, model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Desk, Session, required, session


def change(desk: Desk, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Says that a step begins and how many seconds it may take; until then the lease is held for it."""
    required(params, "host", "step")
    with session(desk, params) as held:
        upkeep.sweep(held)
        before = _of_this_run(held, params["host"], *model.IN_FLIGHT)
        limit = float(params.get("limit") or before.limit_seconds)
        host = held.change_host(
            before,
            phase=model.CHANGING if before.phase in model.GOING_FORWARD else model.BACK_CHANGING,
            step=params["step"],
            limit_seconds=limit,
            deadline_at=held.now + limit,
        )
        held.event("changing", host.name, step=host.step, limit=limit)
        return _reported(held, before, host, f"{host.name}: {host.step}, at most {limit:g} s")


def prove(desk: Desk, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The host is verified in service on its target."""
    required(params, "host", "version")
    with session(desk, params) as held:
        before = held.host(params["host"])
        _refuse_other_version(before, params["version"])
        if before.phase == model.PROVEN:
            return {**_reported(held, before, before, _in_service(held, before)), "changed": False}
        # A host that was given up as vanished and comes after all is in service; it stays counted as a failure.
        is_late = before.phase == model.FAILED and before.kind == failure.VANISHED
        if before.phase not in model.GOING_FORWARD and not is_late:
            raise _out_of_turn(before, "proven")
        host = _back_in_service(held, before, model.PROVEN, params)
        held.event(
            "proven", host.name, version=host.target_version, drained_for=host.drained_for, out_for=host.out_for,
            **({"details": params["details"]} if params.get("details") else {}),
        )  # fmt: skip
        upkeep.sweep(held)
        upkeep.note_complete_stages(held)
        return _reported(held, before, host, _in_service(held, host))


def revert(desk: Desk, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The host is verified in service on the version it goes back to."""
    required(params, "host", "version")
    with session(desk, params) as held:
        before = held.host(params["host"])
        _refuse_other_version(before, params["version"])
        if before.phase == model.REVERTED:
            return {**_reported(held, before, before, _in_service(held, before)), "changed": False}
        if held.rollout.direction == model.BACK and before.phase == model.PROVEN:
            return {**_reported(held, before, before, _in_service(held, before)), "changed": False}
        goes_forward = held.rollout.direction == model.BACK and before.phase in model.GOING_FORWARD
        if before.phase not in (*model.GOING_BACK, model.STUCK) and not goes_forward:
            raise _out_of_turn(before, "reverted")
        # In a rollback the way back is what was asked for: a host that arrives is proven.
        host = _back_in_service(held, before, model.PROVEN if goes_forward else model.REVERTED, params)
        held.event("reverted", host.name, version=host.target_version, out_for=host.out_for)
        upkeep.sweep(held)
        return _reported(held, before, host, _in_service(held, host))


def fail(desk: Desk, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The host failed: the answer says whether it goes back at once, to what, and whether the rollout stops."""
    required(params, "host", "kind")
    if params["kind"] not in failure.KINDS:
        raise InputError(f"kind: '{params['kind']}' is not one of {', '.join(failure.KINDS)}.")
    with session(desk, params) as held:
        before = held.host(params["host"])
        error = _error(params)
        if before.phase in (*model.GOING_BACK, model.BACK_WAITING, model.STUCK):
            return _stuck(held, before, error, params["kind"])
        if params["kind"] == failure.FOREIGN:
            return _leave_alone(held, before, error)
        target = failure.way_home(
            before,
            held.records.proofs(held.service, before.name),
            held.rollout.version,
            held.records.bad_versions(held.service),
        )
        goes_back = failure.goes_back_at_once(before, held.rollout.direction, params["kind"], target, held.run)
        limit = float(params.get("limit") or before.limit_seconds)
        host = held.change_host(
            before,
            phase=_phase_after_failure(before, goes_back),
            target_version=target if goes_back else before.target_version,
            counted=1,
            kind=params["kind"],
            error=error,
            run=held.run,
            deadline_at=held.now + limit if goes_back else None,
            limit_seconds=limit,
        )
        held.event("failed", host.name, kind=host.kind, error=error, back_to=target if goes_back else None)
        held.change_rollout(progress_at=held.now)
        upkeep.count_failure(held, host, params["kind"], error)
        upkeep.sweep(held)
        way = f"goes back to {target}" if goes_back else "stays as it is"
        return _reported(held, before, host, f"{host.name} failed ({host.kind}: {error}) and {way}", goes_back)


def stick(desk: Desk, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The host could not go back either; somebody has to look at it."""
    required(params, "host")
    with session(desk, params) as held:
        return _stuck(held, held.host(params["host"]), _error(params), params.get("kind"))


def _stuck(held: Session, before: Host, error: str, kind: str | None) -> dict[str, t.Any]:
    # The kind of the first failure stays: it says why the host had to go back at all.
    kind = before.kind or kind or "restore"
    host = held.change_host(
        before, phase=model.STUCK, counted=1, kind=kind, error=error, run=held.run, deadline_at=None
    )
    held.event("stuck", host.name, error=error)
    held.change_rollout(progress_at=held.now)
    upkeep.count_failure(held, host, kind, error)
    upkeep.sweep(held)
    return _reported(held, before, host, f"{host.name} is stuck on its way back: {error}")


def _leave_alone(held: Session, before: Host, error: str) -> dict[str, t.Any]:
    """Somebody else took it out since the plan was made; what this run had marked is undone already."""
    host = held.change_host(before, phase=model.EXCLUDED, live=model.OUT_FOREIGN, error=error, deadline_at=None)
    held.records.note_back(held.service, host.name)
    held.event("left_alone", host.name, error=error)
    return _reported(held, before, host, f"{host.name} is left alone: {error}")


def _error(params: dict[str, t.Any]) -> str:
    return (params.get("error") or "no reason given").strip().rstrip(".")


def _phase_after_failure(host: Host, goes_back: bool) -> str:
    if goes_back:
        return model.BACK_CHANGING
    # A host that is in service on the new version stays there until the rollout as a whole goes back.
    return model.PROVEN if host.phase == model.PROVEN else model.FAILED


def _back_in_service(held: Session, host: Host, phase: str, params: dict[str, t.Any]) -> Host:
    host = held.change_host(
        host,
        phase=phase,
        live=model.IN_SERVICE,
        condition=model.CURRENT,
        in_service_at=held.now,
        drained_for=params.get("drained_for"),
        deadline_at=None,
        step=None,
        # Whatever an earlier run left here is over: a later failure on this host is this run's own.
        ours=0,
        was_run=None,
    )
    held.records.note_back(held.service, host.name)
    held.records.add_proofs(held.service, [(host.name, host.target_version or "")], held.now)
    held.change_rollout(progress_at=held.now)
    return host


def _of_this_run(held: Session, name: str, *phases: str) -> Host:
    host = held.host(name)
    if host.phase not in phases or host.run != held.run:
        raise _out_of_turn(host, "changing")
    return host


def _out_of_turn(host: Host, wanted: str) -> RolloutError:
    return RolloutError(
        f"{host.name}: cannot become {wanted}, the ledger has it as {host.phase}"
        f"{f' ({host.error})' if host.error else ''}; only a host that this run was given by admission can."
    )


def _refuse_other_version(host: Host, version: str) -> None:
    if version != host.target_version:
        raise RolloutError(
            f"{host.name}: reported in service on {version}, but {host.target_version} is meant for it; "
            "nothing was recorded."
        )


def _in_service(held: Session, host: Host) -> str:
    done, total = _progress(held)
    return (
        f"{host.name} in service on {host.target_version}, drained {texts.seconds(host.drained_for)}, "
        f"out for {texts.seconds(host.out_for)} ({done}/{total})"
    )


def _progress(held: Session) -> tuple[int, int]:
    tally = held.records.tally(held.rollout.id)
    if held.rollout.status == model.REVERTING:
        back = tally.in_phase(model.REVERTED, model.BACK_WAITING, model.STUCK, *model.GOING_BACK)
        return tally.in_phase(model.REVERTED), back
    return tally.on_target, tally.in_scope


def _reported(held: Session, before: Host, host: Host, msg: str, goes_back: bool = False) -> dict[str, t.Any]:
    done, total = _progress(held)
    is_late = failure.comes_late(before, held.run) and before.step is not None
    was_changed = before.phase in (model.CHANGING, model.BACK_CHANGING) or bool(before.ours) or is_late
    return {
        "changed": True,
        "host": host.name,
        "phase": host.phase,
        "go_back": goes_back,
        "was_changed": was_changed,
        "target": {"version": host.target_version},
        "stop": held.rollout.status != model.OPEN,
        "reason": held.rollout.reason or "",
        "done": done,
        "total": total,
        "msg": msg,
        "diff": {"before": {"phase": before.phase}, "after": {"phase": host.phase}},
    }
