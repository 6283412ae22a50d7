# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The rows of a plan: what each host of the fleet has to do, from what was seen and what earlier runs left."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import failure, fleet, model, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.fleet import Seen
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Session


def planned_hosts(session: Session, seen: t.Sequence[Seen], left_out: dict[str, dict[str, t.Any]]) -> list[Host]:
    old = {host.name: host for host in session.records.hosts(session.rollout.id)}
    proofs = session.records.all_proofs(session.service)
    bad = session.records.bad_versions(session.service)
    rows = [
        _host_plan(session, host, old.get(host.name), left_out.get(host.name), proofs.get(host.name, []), bad)
        for host in seen
    ]
    if session.rollout.direction == model.BACK:
        _refuse_unproven_rollback(session, rows)
    return rows


def _host_plan(
    session: Session,
    seen: Seen,
    old: Host | None,
    left: dict[str, t.Any] | None,
    proofs: list[str],
    bad: t.Container[str],
) -> Host:
    target = _target(session, seen, proofs, bad)
    known = seen.version or (proofs[-1] if proofs else None)
    if old is not None and old.phase == model.OUTSIDE:
        # No run of this rollout has come to it, so what is seen now is all there is to know.
        old = None
    host = Host(
        rollout=session.rollout.id,
        name=seen.name,
        zone=seen.zone,
        member=seen.member,
        condition=fleet.condition_of(seen, target, left is not None, known, _needs_change(session, seen)),
        lb_state=seen.lb_state,
        from_version=old.from_version if old else known,
        target_version=target,
        last_good_version=_last_good(session, old, target, proofs, bad),
        interrupted_run=left["run"] if left and left["run"] != session.run else None,
        drained_by_us=int(left is not None),
    )
    if not seen.in_scope:
        return _out_of_scope(host, old)
    if session.rollout.status == model.REVERTING:
        return _rolling_back(host, old, seen)
    if seen.lb_state == model.DRAINED_EXTERNALLY and not _was_proven(old, seen):
        return dataclasses.replace(host, phase=model.EXCLUDED, error=_drained_externally(seen))
    if session.rollout.direction == model.RECOVER:
        return _recovering(host, seen, proofs, bad)
    if old is not None and _was_proven(old, seen) and (host.condition == model.CURRENT or not host.is_serving):
        return dataclasses.replace(old, position=0, in_scope=1, lb_state=host.lb_state, condition=model.CURRENT)
    if session.rollout.direction == model.BACK and _stays(session, host, known):
        return dataclasses.replace(host, phase=model.UP_TO_DATE, condition=model.CURRENT, target_version=known)
    return dataclasses.replace(host, phase=model.UP_TO_DATE if host.condition == model.CURRENT else model.WAITING)


def _out_of_scope(host: Host, old: Host | None) -> Host:
    """Its history stays recorded for the run that has it in scope again; it waits for nothing in this one."""
    if old is None or old.phase in (model.WAITING, model.EXCLUDED):
        return dataclasses.replace(host, phase=model.OUTSIDE, in_scope=0)
    return dataclasses.replace(_with_new_state(old, host), in_scope=0, deadline_at=None)


def _with_new_state(old: Host, host: Host) -> Host:
    """What the rollout did so far stays recorded; only the observed state is new."""
    return dataclasses.replace(
        old,
        in_scope=1,
        lb_state=host.lb_state,
        condition=host.condition,
        interrupted_run=host.interrupted_run,
        drained_by_us=host.drained_by_us,
        zone=host.zone,
        member=host.member,
    )


def _target(session: Session, seen: Seen, proofs: list[str], bad: t.Container[str]) -> str | None:
    rollout = session.rollout
    if rollout.operation and rollout.direction == model.FORWARD:
        return _operated_on(session, seen, proofs)
    if rollout.direction == model.FORWARD:
        return versions.kept(rollout.version, seen.version or (proofs[-1] if proofs else None))
    if rollout.direction == model.RECOVER:
        return seen.version
    if rollout.version:
        return next((proven for proven in reversed(proofs) if versions.covers(rollout.version, proven)), None)
    return failure.last_proven_version(proofs, rollout.source_version, bad)


def _operated_on(session: Session, seen: Seen, proofs: list[str]) -> str | None:
    """The version stays. The one that the caller names stands in where none is on record."""
    rollout = session.rollout
    known = seen.version or (proofs[-1] if proofs else None) or rollout.version
    if known is None and seen.in_scope:
        raise InputError(
            f"{seen.name}: the version that it runs is not known, and a {rollout.kind} does not change it; roll a version out "
            "first, or name the one that runs with -e rollout_version=..."
        )
    return (
        known if rollout.keeps_release else versions.joined(versions.plain(known), versions.split(rollout.version)[1])
    )


def _needs_change(session: Session, seen: Seen) -> bool | None:
    """What was found on the host, or for a restart what the ledger has of it; None where the version decides."""
    if seen.outdated is not None or not session.rollout.keeps_release:
        return seen.outdated
    if session.rollout.kind == model.PATCH:
        return True
    return seen.name not in session.records.operated(session.service, session.rollout.operation)


def _last_good(
    session: Session, old: Host | None, target: str | None, proofs: list[str], bad: t.Container[str]
) -> str | None:
    if session.rollout.keeps_release:
        return target
    return old.last_good_version if old else failure.last_proven_version(proofs, None, bad)


def _stays(session: Session, host: Host, version: str | None) -> bool:
    """Under a rollback that names no version, a healthy host that is not on the version to leave has nothing to do."""
    return (
        session.rollout.version is None
        and host.condition in (model.HEALTHY, model.CURRENT)
        and version is not None
        and not versions.covers(session.rollout.source_version, version)
    )


def _was_proven(old: Host | None, seen: Seen) -> bool:
    """Proven by this rollout and still on its version, even if an operator has drained it since."""
    return (
        old is not None
        and old.phase == model.PROVEN
        and seen.version in (None, old.target_version)
        and seen.lb_state in (model.IN_SERVICE, model.DRAINED_EXTERNALLY)
    )


def _drained_externally(seen: Seen) -> str:
    return f"{seen.note} by somebody else"


def _rolling_back(host: Host, old: Host | None, seen: Seen) -> Host:
    if old is None or old.phase in (model.EXCLUDED, model.WAITING):
        if seen.lb_state == model.DRAINED_EXTERNALLY:
            return dataclasses.replace(host, phase=model.EXCLUDED, error=_drained_externally(seen))
        return dataclasses.replace(host, phase=model.WAITING)
    return _with_new_state(old, host)


def _recovering(host: Host, seen: Seen, proofs: list[str], bad: t.Container[str]) -> Host:
    if not host.drained_by_us or seen.lb_state == model.IN_SERVICE:
        return dataclasses.replace(host, phase=model.UP_TO_DATE, condition=model.CURRENT)
    why = None
    if not seen.healthy:
        why = "not healthy"
    elif seen.version is None or seen.version not in proofs:
        why = f"its version {seen.version or 'is unknown and'} was never proven there"
    elif seen.version in bad:
        why = f"{seen.version} is marked bad"
    if why:
        return dataclasses.replace(host, phase=model.EXCLUDED, error=why)
    return dataclasses.replace(host, phase=model.WAITING)


def _refuse_unproven_rollback(session: Session, hosts: t.Sequence[Host]) -> None:
    lost = [host.name for host in hosts if host.phase == model.WAITING and host.target_version is None]
    if lost:
        what = (
            f"{session.rollout.version} was never proven in service"
            if session.rollout.version
            else ("no earlier version that is not bad was proven in service")
        )
        raise InputError(
            f"{session.service}: {what} on {', '.join(lost[:5])}{', ...' if len(lost) > 5 else ''}, so there is no "
            "proven version to roll back to; name a version proven there, or roll a good version forward."
        )
