# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A rollout that stops all hosts, in the ledger: each step is on record before it is begun."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import migrate, upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, policy, traffic_policy
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import recreate as rules
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.recreate import Recreate
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import (
    Ledger,
    Session,
    open_session,
    required,
)

Params = t.Dict[str, t.Any]
Answer = t.Dict[str, t.Any]


def policy_of(session: Session, allowed: policy.Policy) -> policy.Policy:
    """Without limits for a rollout that stops everything; any other one is refused while such a one is not over."""
    if allowed.all_at_once:
        return traffic_policy.loosened(allowed)
    last = session.records.latest_recreate(session.service)
    if last is not None and not last.is_over:
        of = session.records.rollout(last.rollout)
        raise InputError(
            f"{session.service}: the recreate of {of.what if of else 'a version'} is not finished (it is at the step "
            f"'{last.step}'), so the maintenance page may be up. Run recreate.yml again to resume, or to go back with "
            "-e rollout_resume=revert."
        )
    return allowed


def is_unfinished(session: Session) -> bool:
    """Whether an earlier run may have left the page up, although every host is on the version."""
    last = session.records.latest_recreate(session.service)
    return last is not None and not last.is_over


def begin(ledger: Ledger, params: Params) -> Answer:
    """Where to go on, and with what; what an earlier run backed up is kept as long as no user has written since."""
    with open_session(ledger, params) as session:
        found = session.records.recreate(session.rollout.id)
        if found is None or found.users_may_have_written:
            before = session.records.latest_recreate(session.service) if found is None else None
            facts = json.dumps(rules.inherited(before))
            found = Recreate(session.rollout.id, session.service, facts=facts, began_at=session.now)
            if before is not None and not before.is_over:
                session.records.save_recreate(dataclasses.replace(before, step=rules.RESTORED, over_at=session.now))
        session.records.save_recreate(found)
        return _answer(session, found, "may begin")


def note(ledger: Ledger, params: Params) -> Answer:
    """Records that a step begins, and what is known by now."""
    required(params, "step")
    with open_session(ledger, params) as session:
        found = _noted(session, params)
        if params["step"] == rules.PAGE_ON and found.page_at is None:
            found = dataclasses.replace(found, page_at=session.now)
        session.records.save_recreate(found)
        if params["step"] == rules.DRAIN:
            _take_out(session, durations.positive("limit", params.get("limit") or 3600.0))
        session.event("recreate", step=found.step, facts=params.get("facts") or {})
        return _answer(session, found, found.step)


def finish(ledger: Ledger, params: Params) -> Answer:
    """All hosts are in service on the version and users are let in."""
    with open_session(ledger, params) as session:
        found = dataclasses.replace(_noted(session, {**params, "step": rules.DONE}), over_at=session.now)
        session.records.save_recreate(found)
        for host in _hosts(session):
            _back(session, host, model.PROVEN, host.target_version)
        if rules.is_beyond_return(found, str(params.get("restore") or "")):
            about = {"database": params.get("database") or "the database", "lost": params.get("lost")}
            migrate.note_boundary(session, about)
        session.event("recreated", facts=params.get("facts") or {})
        upkeep.note_complete_stages(session)
        return _answer(session, found, "done")


def fail(ledger: Ledger, params: Params) -> Answer:
    """The rollout is rolled back; the version is marked bad if it failed by itself."""
    required(params, "kind", "error")
    with open_session(ledger, params) as session:
        found = _current(session)
        error = params["error"].strip().rstrip(".")
        upkeep.stop(session, f"{params['kind']}: {error}", params["kind"])
        if not found.users_may_have_written:
            session.change_rollout(status=model.REVERTING)
        session.event("recreate_failed", step=found.step, kind=params["kind"], error=error)
        return {**_answer(session, found, f"failed at '{found.step}'"), "go_back": not found.users_may_have_written}


def restore(ledger: Ledger, params: Params) -> Answer:
    """The old version serves again on all hosts."""
    with open_session(ledger, params) as session:
        found = dataclasses.replace(_noted(session, {**params, "step": rules.RESTORED}), over_at=session.now)
        session.records.save_recreate(found)
        for host in _hosts(session):
            _back(session, host, model.REVERTED, host.last_good_version or host.from_version)
        session.event("recreate_restored")
        return _answer(session, found, "the old version serves again")


def mark_stuck(ledger: Ledger, params: Params) -> Answer:
    """The way back failed too; the page stays up."""
    required(params, "error")
    with open_session(ledger, params) as session:
        found = _current(session)
        error = params["error"].strip().rstrip(".")
        for host in _hosts(session):
            session.change_host(
                host,
                phase=model.STUCK,
                counted=1,
                kind=host.kind or params.get("kind") or "restore",
                error=error,
                deadline_at=None,
            )
        session.event("recreate_stuck", step=found.step, error=error)
        return _answer(session, found, f"stuck: {error}")


def _current(session: Session) -> Recreate:
    found = session.records.recreate(session.rollout.id)
    if found is None:
        raise RolloutError(
            f"{session.service}: the rollout of {session.rollout.what} is not a recreate; run recreate.yml."
        )
    return found


def _noted(session: Session, params: Params) -> Recreate:
    found = _current(session)
    facts = json.dumps({**found.known, **(params.get("facts") or {})}, sort_keys=True)
    return dataclasses.replace(found, step=params["step"], facts=facts)


def _hosts(session: Session) -> list[Host]:
    return [
        host
        for host in session.records.hosts(session.rollout.id)
        if host.in_scope and host.phase not in (model.EXCLUDED, model.OUTSIDE)
    ]


def _take_out(session: Session, limit: float) -> None:
    back = session.rollout.status == model.REVERTING
    for host in _hosts(session):
        session.change_host(
            host,
            phase=model.BACK_CHANGING if back else model.CHANGING,
            run=session.run,
            lb_state=model.DRAINED_BY_US,
            modified=1,
            step="recreate",
            step_at=session.now,
            admitted_at=host.admitted_at or session.now,
            drained_at=host.drained_at or session.now,
            limit_seconds=limit,
            deadline_at=session.now + limit,
        )
        session.records.note_left_out(session.service, host, session.run, session.now)


def _back(session: Session, host: Host, phase: str, version: str | None) -> None:
    session.change_host(
        host,
        phase=phase,
        target_version=version,
        lb_state=model.IN_SERVICE,
        condition=model.CURRENT,
        in_service_at=session.now,
        deadline_at=None,
        step=None,
        step_at=None,
        modified=0,
        drained_by_us=0,
        interrupted_run=None,
    )
    session.records.note_back(session.service, host.name)
    session.records.forget_observed(session.rollout.id, host.name)
    if version:
        session.records.add_proofs(session.service, [(host.name, version)], session.now)
    session.event("proven" if phase == model.PROVEN else "reverted", host.name, version=version)
    session.change_rollout(progress_at=session.now)


def _answer(session: Session, found: Recreate, what: str) -> Answer:
    last = session.records.finished_recreate(session.service)
    return {
        "changed": True,
        "step": found.step,
        "facts": found.known,
        "page_at": found.page_at,
        "status": session.rollout.shown_status,
        "reason": session.rollout.reason or "",
        "users_may_have_written": found.users_may_have_written,
        "estimate": (last.known.get("downtime") if last else None),
        "targets": {host.name: host.target_version for host in _hosts(session)},
        "previous": {host.name: host.last_good_version or host.from_version for host in _hosts(session)},
        "msg": f"{session.service}: the recreate of {session.rollout.what}: {what}",
    }
