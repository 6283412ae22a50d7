# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Migrations in the ledger: which run may migrate a database, what came of it, and what may not be undone any more."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import migrations as rules
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import may_take, moment
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.migrations import (
    Boundary,
    DatabaseClaim,
    Migration,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host, Rollout
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import (
    Ledger,
    Session,
    open_session,
    required,
)

Params = t.Dict[str, t.Any]


def begin(ledger: Ledger, params: Params) -> dict[str, t.Any]:
    """Claims the database and records the intent; a phase that must wait is no error."""
    required(params, "service", "database", "phase")
    with open_session(ledger, params) as session:
        _refuse_other_runs(session, params["database"])
        phase = params["phase"]
        why = _why_not_yet(session, params) if phase != rules.EXPAND else ""
        if why:
            session.event("migration_waits", database=params["database"], phase=phase, why=why)
            message = f"{session.service}: the {phase} phase waits: {why}"
            return {"changed": False, "go": False, "interrupted": False, "msg": message}
        interrupted = session.records.running_migration(session.service, params["database"], params["phase"])
        session.records.save_database_claim(
            DatabaseClaim(params["database"], session.service, session.run, session.now)
        )
        session.records.add_migration(_begun(session, params))
        session.event(
            "migrating", database=params["database"], phase=params["phase"], version=params.get("version") or ""
        )
        return {
            "changed": True,
            "go": True,
            "interrupted": interrupted is not None,
            "msg": f"{session.service}: {params['phase']} of {params['database']} may begin",
        }


def end(ledger: Ledger, params: Params) -> dict[str, t.Any]:
    """Records where the database stands by its tool's word; a contract that changed it is a point of no return."""
    required(params, "service", "database", "phase")
    with open_session(ledger, params) as session:
        version = params.get("version") or ""
        _end(session, params, status=rules.DONE, version=version, error="")
        irreversible = bool(params.get("applied")) and (params["phase"] == rules.CONTRACT or params.get("irreversible"))
        if irreversible:
            note_boundary(session, params)
        session.event(
            "migrated", database=params["database"], phase=params["phase"], version=version, final=irreversible
        )
        note = "; there is no way back to versions that need what it removed" if irreversible else ""
        return {"changed": True, "msg": f"{session.service}: {params['phase']} of {params['database']} is done{note}"}


def fail(ledger: Ledger, params: Params) -> dict[str, t.Any]:
    required(params, "service", "database", "phase")
    with open_session(ledger, params) as session:
        error = params.get("error") or "no reason given"
        _end(session, params, status=rules.FAILED, version=params.get("version") or "", error=error)
        session.event("migration_failed", database=params["database"], phase=params["phase"], error=error)
        return {"changed": True, "msg": f"{session.service}: {params['phase']} of {params['database']} failed: {error}"}


def refuse_to_cross(session: Session, hosts: t.Sequence[Host]) -> None:
    """No plan leads to a version that needs what a contract has removed."""
    reverting = session.rollout.status == model.REVERTING
    found = rules.crossing(hosts, session.records.boundaries(session.service), reverting)
    if found is not None:
        raise _beyond_return(session.service, found)


def refuse_to_revert(session: Session, rollout: Rollout) -> None:
    """A rollout whose contract is done goes forward only."""
    hosts = session.records.hosts(rollout.id)
    found = rules.crossing(hosts, session.records.boundaries(session.service), reverting=True)
    if found is not None:
        raise _beyond_return(session.service, found)


def _beyond_return(service: str, found: rules.Crossing) -> InputError:
    boundary = found.boundary
    lost = f" ({boundary.lost})" if boundary.lost else ""
    return InputError(
        f"{service}: {found.version} on {', '.join(found.hosts[:5])} needs what the contract of {boundary.version} "
        f"removed from {boundary.database} at {moment(boundary.at)}{lost}, and it is not there any more. Nothing was "
        "touched. Roll a corrected version forward; to go back anyway, restore a backup from before, which loses "
        "what was written since."
    )


def _refuse_other_runs(session: Session, database: str) -> None:
    claim = session.records.database_claim(database)
    if claim is None or claim.run == session.run:
        return
    lease = session.records.lease(claim.service)
    if lease is not None and lease.run == claim.run and not may_take(lease, session.now, False, None):
        raise RolloutError(
            f"{session.service}: {database} is being migrated by a rollout of {claim.service} since {moment(claim.at)}. "
            "Wait until that is over, then run again.",
            kind="database_claimed",
        )


def _why_not_yet(session: Session, params: Params) -> str:
    """In words; empty where the phase may run."""
    if session.rollout.status != model.OPEN:
        return f"the rollout is {session.rollout.shown_status}"
    services = _services(session, params)
    for service, allowed in services if params["phase"] == rules.CONTRACT else services[:1]:
        if not allowed:
            return (
                f"{service} uses {params['database']} too, and it is not set which of its versions can do without what is "
                f"removed; name them in rollout_migrations.contract.services.{service}"
            )
        own = service == session.service
        hosts = session.records.hosts(session.rollout.id) if own else []
        seen = _seen(params) if own else {}
        if not own and not session.records.last_proofs(service):
            return f"no host of {service} has ever been proven, so it is not known which version it runs"
        proofs = session.records.last_proofs(service)
        why = rules.why_no_contract(hosts, proofs, seen, allowed)
        if why:
            return f"{'' if own else service + ': '}{why}"
    if params["phase"] != rules.CONTRACT:
        return ""
    until = rules.kept_until(
        session.records.last_proofs(session.service), durations.seconds("keep_for", params.get("keep_for") or 0)
    )
    if session.now < until:
        return f"what it removes is kept until {moment(until)}; run the playbook again after that"
    return ""


def _services(session: Session, params: Params) -> list[tuple[str, set[str]]]:
    """Every service that has ever migrated the database, with the versions that can do without what is removed."""
    given = {name: {str(one) for one in versions} for name, versions in (params.get("services") or {}).items()}
    allowed = {str(one) for one in params.get("versions") or [] if one} or {
        versions.plain(session.rollout.version) or ""
    }
    users = {*session.records.services_of(params["database"]), *given} - {session.service}
    return [(session.service, allowed), *((name, given.get(name, set())) for name in sorted(users))]


def _seen(params: Params) -> dict[str, str | None]:
    return {host["name"]: host.get("version") for host in params.get("hosts") or [] if host.get("healthy") is not None}


def _begun(session: Session, params: Params) -> Migration:
    return Migration(
        id=0,
        service=session.service,
        database=params["database"],
        rollout=session.rollout.id,
        run=session.run,
        phase=params["phase"],
        status=rules.RUNNING,
        version_before=params.get("version") or "",
        version="",
        at=session.now,
    )


def _end(session: Session, params: Params, **changes: t.Any) -> None:
    session.records.end_migrations(
        session.service, params["database"], params["phase"], {**changes, "ended_at": session.now}
    )
    session.records.drop_database_claim(params["database"], session.run)


def note_boundary(session: Session, params: Params) -> None:
    """From now on no plan leads to a version that once ran here and is not among those that can do without."""
    allowed = {str(one) for one in params.get("versions") or [] if one} or {
        versions.plain(session.rollout.version) or ""
    }
    proven = [version for versions in session.records.all_proofs(session.service).values() for version in versions]
    session.records.add_boundary(
        Boundary(
            id=0,
            service=session.service,
            database=params["database"],
            rollout=session.rollout.id,
            version=versions.plain(session.rollout.version) or "",
            forbidden=json.dumps(rules.forbidden_by_contract(proven, allowed)),
            lost=params.get("lost") or "",
            at=session.now,
        )
    )
