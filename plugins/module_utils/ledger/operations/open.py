# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Taking the lease and finding out which rollout the run works on: a new one, or one left unfinished."""

from __future__ import annotations

import dataclasses
import socket
import typing as t
import uuid

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import tiers as tier_messages
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import operation, tier_notes
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.block import refuse_blocked
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.migrate import refuse_to_revert
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.stopped_writer import (
    end_stopped_writer,
    note_ended_writer,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import (
    holder,
    may_take,
    moment,
    proven_gone,
    refusal,
    refuse_unreserved,
    reserved,
    taken,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Lease, Rollout
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Ledger, Session, required
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.records import Records
from ansible_collections.steady.rollout.plugins.module_utils.release.plan import check_version

CONTINUE = "continue"
REVERT = "revert"


@dataclasses.dataclass(frozen=True)
class OpenRequest:
    """What the caller asks for."""

    service: str
    version: str | None
    direction: str
    resume: str
    allow_bad: bool
    operation: str = ""
    """As in Rollout.operation; a restart without a name gets one."""
    revision: str = ""

    @classmethod
    def from_params(cls, params: dict[str, t.Any]) -> OpenRequest:
        if params.get("version"):
            check_version(params["version"])
        if params.get("revision"):
            versions.check_revision(params["revision"])
        return cls(
            service=params["service"],
            version=versions.of_target(params) or None,
            direction=params.get("direction") or model.FORWARD,
            resume=params.get("resume") or CONTINUE,
            allow_bad=bool(params.get("allow_bad")),
            operation=operation.asked(params),
            revision=params.get("revision") or "",
        )


def open_rollout(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Takes the lease or says who holds it; continues what is unfinished or starts a new rollout."""
    required(params, "service")
    ended = end_stopped_writer(ledger, params)
    with ledger.writing() as records:
        before = records.lease(params["service"]) or Lease(params["service"])
        session, resumed = open_in(records, params, ledger.clock.now(), rehearsal=ledger.check_mode)
        note_ended_writer(session, ended)
        session.beat()
        rollout = session.rollout
        return {
            "changed": True,
            "run": session.run if not ledger.check_mode else "",
            "token": session.lease.token if not ledger.check_mode else 0,
            "ledger_id": records.ledger_id(),
            "coordinator": socket.gethostname(),
            "rollout": rollout.id,
            **versions.target(rollout.version),
            "operation": rollout.operation,
            "direction": rollout.direction,
            "status": rollout.shown_status,
            "resumed": resumed,
            "previous_owner": holder(before),
            "in_flight": left_behind(session),
            "bad": sorted(records.bad_versions(session.service)),
            "msg": f"{session.service}: {'resumed' if resumed else 'opened'} the rollout of {rollout.what} "
            f"({rollout.shown_status})",
            "diff": {
                "before": {"holder": holder(before)},
                "after": {"version": rollout.version, "status": rollout.shown_status},
            },
        }


def open_in(records: Records, params: dict[str, t.Any], now: float, rehearsal: bool) -> tuple[Session, bool]:
    """The lease and the rollout inside a transaction; a *rehearsal* is thrown away, so the lease may be held."""
    request = _resolved(records, OpenRequest.from_params(params), now)
    lease, new_lease = take_lease(records, params, now, rehearsal)
    session = Session(records, new_lease, _unfinished(records, request) or _none_yet(request), now)
    resumed = _choose(session, request)
    session.change_rollout(run=new_lease.run)
    session.event("opened", owner=params.get("owner") or {}, token=new_lease.token, resumed=resumed,
                  version=session.rollout.version, direction=session.rollout.direction,
                  status=session.rollout.status, taken_from=lease.run, release_run=params.get("release_run"))  # fmt: skip
    return session, resumed


def take_lease(records: Records, params: dict[str, t.Any], now: float, rehearsal: bool) -> tuple[Lease, Lease]:
    """The lease as it was, and as it is to be saved for a new run; refused while the service is blocked or another run has it."""
    lease = records.lease(params["service"]) or Lease(params["service"])
    refuse_blocked(records, params["service"], now)
    if not rehearsal:
        _refuse_held(records, lease, params, now)
    ttl = durations.positive("lease_ttl", 60.0 if params.get("lease_ttl") is None else params["lease_ttl"])
    new_lease = taken(lease, str(uuid.uuid4()), params.get("owner") or {}, ttl, now)
    release_run = params.get("release_run")
    return lease, reserved(new_lease, release_run) if release_run else new_lease


def _resolved(records: Records, request: OpenRequest, now: float) -> OpenRequest:
    """With the name that a restart goes by, and the version that a new configuration comes to."""
    if request.operation == model.RESTART:
        return dataclasses.replace(request, operation=operation.named(records, request.service, now))
    if request.operation == model.RECONFIGURE and request.resume != REVERT:
        version = versions.plain(request.version) or operation.version_in_service(records, request.service)
        return dataclasses.replace(request, version=versions.joined(version, request.revision))
    return request


def left_behind(session: Session) -> list[dict[str, t.Any]]:
    """Hosts that earlier runs took out of service and nobody has seen back since."""
    found = []
    for name, left in session.records.left_out(session.service).items():
        host = session.records.host(left["rollout"], name)
        of = session.records.rollout(left["rollout"])
        found.append(
            {
                "host": name,
                "member": left["member"],
                "phase": host.phase if host else None,
                "step": host.step if host else None,
                "run": left["run"],
                "version": of.what if of else None,
                "since": moment(left["at"]),
            }
        )
    return found


def _refuse_held(records: Records, lease: Lease, params: dict[str, t.Any], now: float) -> None:
    release_run = params.get("release_run")
    if release_run:
        # Nobody else's rollout may come between: the release has had this lease since before its first service.
        refuse_unreserved(lease, release_run)
    elif not may_take(lease, now, bool(params.get("take_over")), proven_gone(params)):
        raise refusal(lease, what_holds(records, lease), now)


def what_holds(records: Records, lease: Lease) -> str:
    """What is being run under the lease, for a refusal."""
    rollout = records.rollout_of_run(lease.service, lease.run)
    if rollout is not None:
        return f"a rollout of {rollout.what}"
    release = tier_notes.state_of_run(records, lease.reserved_for)
    return tier_messages.refused_by(release) if release is not None else "a rollout"


def _none_yet(request: OpenRequest) -> Rollout:
    return Rollout(
        id=0,
        service=request.service,
        version=request.version,
        direction=request.direction,
        operation=request.operation,
    )


def _unfinished(records: Records, request: OpenRequest) -> Rollout | None:
    """The rollout to go on with or to replace; one that was opened and never planned has replaced nothing yet."""
    opened = records.latest(request.service, model.FORWARD, model.BACK, planned=False)
    if (
        opened is not None
        and opened.planned_at is None
        and opened.concluded_at is None
        and _is_the_same(opened, request)
    ):
        return opened
    latest = records.latest(request.service, model.FORWARD, model.BACK)
    if latest is None or latest.concluded_at is None:
        return latest
    return latest if latest.outcome in model.LEFT_HALF_WAY and _is_the_same(latest, request) else None


def _choose(session: Session, request: OpenRequest) -> bool:
    """Makes the session's rollout the one to work on; True when it was begun by an earlier run."""
    unfinished = session.rollout if session.rollout.id else None
    if request.resume == REVERT:
        return _revert(session, request)
    if request.direction == model.RECOVER:
        return _recover(session, request)
    _clear_or_refuse_bad(session, request, unfinished)
    if unfinished is not None and _is_the_same(unfinished, request):
        _go_on(session, request)
        return True
    _begin(session, request)
    return False


def _is_the_same(unfinished: Rollout, request: OpenRequest) -> bool:
    if unfinished.direction != request.direction:
        return False
    if unfinished.direction == model.FORWARD and unfinished.operation != request.operation:
        return False
    # A restart or a patch keeps whatever version there is.
    return unfinished.keeps_release or unfinished.version == request.version


def _revert(session: Session, request: OpenRequest) -> bool:
    of_release = tier_notes.rollout_to_revert(session)
    latest = of_release or session.records.latest(session.service, model.FORWARD)
    if latest is None or (latest.status == model.DONE and of_release is None):
        said = f"the last one, of {latest.version}, is done" if latest else "there was none yet"
        raise RolloutError(
            f"{session.service}: no unfinished rollout to revert: {said}. To leave a finished version, run rollback.yml."
        )
    if latest.keeps_release:
        raise RolloutError(
            f"{session.service}: a {latest.kind} cannot be rolled back, as it keeps the version. Fix the cause and run "
            f"{latest.kind}.yml again to resume."
        )
    refuse_to_revert(session, latest)
    session.rollout = latest
    session.change_rollout(
        status=model.REVERTING,
        revert_requested=1,
        concluded_at=None,
        outcome=None,
        message=None,
        reason=latest.reason or tier_notes.why_back(session),
    )
    return True


def _recover(session: Session, request: OpenRequest) -> bool:
    session.rollout = session.records.add_rollout(
        Rollout(id=0, service=request.service, version=None, direction=model.RECOVER, created_at=session.now)
    )
    return False


def _clear_or_refuse_bad(session: Session, request: OpenRequest, unfinished: Rollout | None) -> None:
    bad = session.records.bad_versions(session.service).get(request.version or "")
    if bad is None or request.operation.startswith((model.RESTART, model.PATCH)):
        return
    if request.allow_bad:
        session.records.unmark_bad(session.service, bad["version"])
        session.event("unmarked_bad", version=bad["version"], why="allow_bad was given")
        return
    if (
        unfinished is not None
        and _is_the_same(unfinished, request)
        and _is_rolled_back_automatically(session, unfinished)
    ):
        return
    raise InputError(
        f"{session.service}: {bad['version']} is marked bad since {moment(bad['at'])} ({bad['why']}). "
        "Roll out another version, or try this one again with -e rollout_allow_bad=true."
    )


def _is_rolled_back_automatically(session: Session, unfinished: Rollout) -> bool:
    if unfinished.status == model.REVERTING:
        return True
    return unfinished.status == model.FAILING and session.limits.on_failure == "revert"


def _go_on(session: Session, request: OpenRequest) -> None:
    """An unfinished rollout of the same intent: it continues its rollback if it was rolling back, else the rollout."""
    rollout = session.rollout
    if rollout.status == model.REVERTING:
        return
    if not rollout.keeps_release and rollout.version in session.records.bad_versions(session.service):
        session.change_rollout(status=model.REVERTING, concluded_at=None, outcome=None)
    else:
        session.change_rollout(
            status=model.OPEN,
            revert_requested=0,
            concluded_at=None,
            outcome=None,
            reason=None,
            reason_kind=None,
            message=None,
        )


def _begin(session: Session, request: OpenRequest) -> None:
    source_version, doing = None, request.operation
    if request.direction == model.BACK:
        source_version, doing = _version_to_leave(session, request)
    elif not request.version and not request.operation:
        raise InputError("version: needed to open a rollout.")
    if request.operation and request.direction == model.FORWARD:
        operation.refuse_to_replace(session.rollout)
    session.rollout = session.records.add_rollout(
        Rollout(
            id=0,
            service=request.service,
            version=request.version,
            direction=request.direction,
            operation=doing,
            source_version=source_version,
            created_at=session.now,
        )
    )


def _version_to_leave(session: Session, request: OpenRequest) -> tuple[str | None, str]:
    """And by which operation it is left: a configuration is rolled back as it was written."""
    rolled = [
        r
        for r in session.records.rollouts(session.service, 1000)
        if r.direction == model.FORWARD and r.planned_at and not r.keeps_release and not versions.is_drill(r.version)
    ]
    if rolled:
        return rolled[0].version, "" if request.version else rolled[0].operation
    if request.version:
        return None, ""
    raise InputError(
        f"{session.service}: this ledger has rolled out nothing yet, so there is no version to leave; "
        "name the version to go to with -e rollout_version=..."
    )
