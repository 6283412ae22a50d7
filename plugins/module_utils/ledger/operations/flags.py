# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Feature flags in the ledger: what a rollout is about to do to one, what came of it, and a kill by somebody else."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import conclude, control, endings
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import flag_release, model, traffic_model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import flags as rules
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flags import Member, RolloutFlag
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import moment
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Rollout
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import (
    Ledger,
    Session,
    open_session,
    required,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.records import Records

Params = t.Dict[str, t.Any]
Answer = t.Dict[str, t.Any]


def begin(ledger: Ledger, params: Params) -> Answer:
    """May the flag be changed now, and if so the intent is on record; that it must wait is no error."""
    required(params, "flag", "goal")
    with open_session(ledger, params) as session:
        known = known_of(session, params["flag"])
        why = (
            _why_not_on(session, params, known) if params["goal"] == rules.ON else _why_not_off(session, params, known)
        )
        tried = known is not None and known.status == rules.FAILED and known.run == session.run
        if not why:
            _save(session, params, goal=params["goal"], status=rules.INTENDED)
        return {
            "changed": not why,
            "go": not why,
            "tried": tried and known is not None and known.goal == params["goal"],
            "why": why,
            "msg": f"{session.service}: {params['flag']} {'stays as it is: ' + why if why else 'may be changed'}",
        }


def end(ledger: Ledger, params: Params) -> Answer:
    """Records that the flag was read back as wanted, and answers why it must not be: somebody has killed it meanwhile."""
    required(params, "flag", "goal")
    with open_session(ledger, params) as session:
        known = known_of(session, params["flag"])
        _save(session, params, goal=params["goal"], status=rules.DONE)
        session.event("flag_set", flag=params["flag"], goal=params["goal"], place=params.get("place") or "")
        return {
            "changed": True,
            "why": _killed(known) if params["goal"] == rules.ON else "",
            "msg": f"{session.service}: {params['flag']} is {params['goal']}",
        }


def fail(ledger: Ledger, params: Params) -> Answer:
    """Records that the flag could not be changed, or that it is not known whether it was."""
    required(params, "flag", "goal", "error")
    with open_session(ledger, params) as session:
        _save(session, params, goal=params["goal"], status=rules.FAILED, error=params["error"])
        session.event("flag_failed", flag=params["flag"], goal=params["goal"], error=params["error"])
        return {"changed": True, "msg": f"{session.service}: {params['flag']} could not be turned {params['goal']}"}


def kill(ledger: Ledger, params: Params) -> Answer:
    """Somebody has killed the flag: the rollout under way is paused and will not turn it on again. Needs no lease."""
    required(params, "flag", "reason")
    reason = f"{params['flag']} was killed: {params['reason']}"

    def hold(session: Session) -> None:
        if _is_released(session.records, session.rollout, params["flag"]):
            session.change_rollout(
                status=model.REVERTING, paused_at=None, reason=reason, reason_kind=flag_release.KILLED
            )
            return
        if session.rollout.paused_at is None:
            session.change_rollout(paused_at=session.now)
        _save(session, params, goal=rules.KILLED, status=rules.DONE, error=params["reason"])

    effect = "no further host starts, and the rollout leaves the flag off; resume with state=resumed of rollout_control"
    word = "paused"
    with ledger.store.reading() as records:
        if _is_released(records, records.current(params["service"]), params["flag"]):
            word, effect = "stopped", "the flag stays killed, and the release ends"
    return control.steer(ledger, {**params, "reason": reason}, word, effect, hold)


def _is_released(records: Records, rollout: Rollout | None, flag: str) -> bool:
    """Whether the rollout is the release by that very flag."""
    release = records.flag_release(rollout.id) if rollout is not None else None
    return release is not None and release.flag == flag


def shown(flag: RolloutFlag) -> dict[str, t.Any]:
    """For rollout_info."""
    text = f"flag {flag.flag} at {flag.place or 'an unknown place'}: {flag.goal}, {flag.status} at {moment(flag.at)}"
    return {**dataclasses.asdict(flag), "at": moment(flag.at), "text": f"{text} ({flag.error})" if flag.error else text}


def known_of(session: Session, flag: str) -> RolloutFlag | None:
    """What this rollout has done to it."""
    found = session.records.flag(session.service, flag)
    return found if found is not None and found.rollout == session.rollout.id else None


def _save(session: Session, params: Params, goal: str, status: str, error: str = "") -> None:
    known = known_of(session, params["flag"])
    if known is not None and known.goal == rules.KILLED:
        return  # A kill stands until the next rollout, whatever a run that is resumed does to the flag.
    is_left = rules.is_left_on(session.records.flag(session.service, params["flag"]))
    session.records.save_flag(
        RolloutFlag(
            service=session.service,
            flag=params["flag"],
            rollout=session.rollout.id,
            run=session.run,
            place=params.get("place") or "",
            goal=goal,
            status=status,
            error=error,
            at=session.now,
            by_rollback=int(is_left or session.rollout.status != model.OPEN or session.rollout.direction == model.BACK),
        )
    )


def _why_not_off(session: Session, params: Params, known: RolloutFlag | None) -> str:
    last = session.records.flag(session.service, params["flag"])
    is_left = rules.is_left_on(last)
    if params.get("left"):
        return "" if is_left else "no rollback has left it on"
    known = last if known is None and is_left else known
    return rules.why_not_off(params.get("found") or "", known, session.rollout.status, bool(params.get("refuse")))


def _killed(known: RolloutFlag | None) -> str:
    """What a rollout says that leaves the flag off; empty where nobody has killed it."""
    if known is None or known.goal != rules.KILLED:
        return ""
    return f"it was killed during this rollout: {known.error}"


def _why_not_on(session: Session, params: Params, known: RolloutFlag | None) -> str:
    """Only where the run would conclude that everything is done, and nobody outside of its scope is behind."""
    killed = _killed(known)
    if killed:
        return killed
    if not rules.is_due(session.records.flag(session.service, params["flag"])):
        return "no rollout has turned it off"
    if session.rollout.status != model.OPEN or session.rollout.direction != model.FORWARD:
        return f"the rollout is {session.rollout.shown_status}"
    if session.rollout.paused_at is not None:
        return "the rollout is paused"
    rows = session.records.hosts(session.rollout.id)
    view = conclude.current_view(session, params)
    found = [endings.Ending.of(session, host, view) for host in rows if host.in_scope]
    if view.seen is None or view.unreachable:
        raise RolloutError(
            f"{session.service}: not every host and load balancer could be read, so no flag is turned on."
        )
    outcome = endings.outcome_of(session, found, view.split_fault)
    if outcome != endings.DONE:
        return f"the rollout is not complete ({outcome})"
    proven = {ending.host.name for ending in found if ending.is_there}
    shift = session.records.shift(session.rollout.id)
    idle = shift is not None and shift.strategy == traffic_model.BLUE_GREEN
    members = [
        Member(seen, seen.name in proven, not idle or shift is None or shift.group_of(seen.name) == shift.candidate)
        for seen in view.seen.values()
    ]
    return rules.why_not_on(session.rollout.version, members)
