# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The release of a feature by its flag is begun, resumed, or sent back to off."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import flag_release as messages
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import open as opening
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.flag_release import readings, saved
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.stopped_writer import (
    end_stopped_writer,
    note_ended_writer,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import flag_release as rules
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import flag_steps, lease, model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flag_release import FlagRelease, Reading
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flag_steps import Share, Step
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Rollout
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import (
    Ledger,
    Session,
    required,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.records import Records

Params = t.Dict[str, t.Any]
Answer = t.Dict[str, t.Any]


def open_release(ledger: Ledger, params: Params) -> Answer:
    """Takes the lease; continues a release that is unfinished, or begins one."""
    required(params, "service", "flag", "steps", "found")
    steps, found = flag_steps.parsed_steps(params["steps"]), readings(params["found"]) or ()
    ended = end_stopped_writer(ledger, params)
    with ledger.writing() as records:
        now = ledger.clock.now()
        before, new_lease = opening.take_lease(records, params, now, rehearsal=ledger.check_mode)
        known = _unfinished(records, params["service"])
        if known is None and params.get("resume") != opening.REVERT and rules.is_done(steps, found):
            return _nothing_to_do(params, steps)
        session = Session(records, new_lease, known[1] if known else _new_rollout(params), now)
        if params.get("resume") == opening.REVERT:
            release = _revert(session, known, params)
        elif known is not None:
            release = _resume(session, known[0], params, steps)
        else:
            release = _begin(session, params, steps, found)
        session.change_rollout(run=new_lease.run)
        owner = params.get("owner") or {}
        session.event("opened", owner=owner, token=new_lease.token, resumed=known is not None, flag=release.flag,
                      steps=flag_steps.as_given(release.all_steps), status=session.rollout.status,
                      taken_from=before.run)  # fmt: skip
        note_ended_writer(session, ended)
        session.beat()
        return {
            "changed": True,
            "run": "" if ledger.check_mode else session.run,
            "token": 0 if ledger.check_mode else session.lease.token,
            "rollout": session.rollout.id,
            "resumed": known is not None,
            "nothing_to_do": False,
            "status": session.rollout.shown_status,
            "text": messages.plan(release, session.rollout, known is not None),
            "msg": f"{session.service}: {'resumed' if known else 'opened'} the release of {session.rollout.what}",
            "diff": {"before": {"holder": lease.holder(before)}, "after": {"flag": release.flag}},
        }


def _nothing_to_do(params: Params, steps: t.Sequence[Step]) -> Answer:
    message = f"{params['service']}: {params['flag']} is on for {steps[-1].share.in_words}; there is nothing to do"
    return {
        "changed": False,
        "run": "",
        "token": 0,
        "rollout": 0,
        "resumed": False,
        "nothing_to_do": True,
        "status": model.DONE,
        "text": [message],
        "msg": message,
    }


def _new_rollout(params: Params) -> Rollout:
    return Rollout(
        id=0, service=params["service"], version=None, direction=model.FLAG, operation=f"flag {params['flag']}"
    )


def _unfinished(records: Records, service: str) -> tuple[FlagRelease, Rollout] | None:
    """The last release by a flag, if a run has left it half-way."""
    release = records.latest_flag_release(service)
    rollout = records.rollout(release.rollout) if release is not None else None
    if release is None or rollout is None:
        return None
    is_left = rollout.concluded_at is None or rollout.outcome in model.LEFT_HALF_WAY
    return (release, rollout) if is_left else None


def refuse_unfinished(session: Session) -> None:
    """A new version is not rolled out to hosts that serve a feature to some users only, with nobody judging it."""
    known = _unfinished(session.records, session.service)
    if known is not None:
        release = known[0]
        raise RolloutError(
            f"{session.service}: the release of {known[1].what} is not finished ({messages.where(release)}). Run flag.yml "
            "again to resume it, or to turn the flag off with -e rollout_resume=revert; then run this one."
        )


def _begin(session: Session, params: Params, steps: t.Sequence[Step], found: t.Sequence[Reading]) -> FlagRelease:
    latest = session.records.latest(session.service, model.FORWARD, model.BACK)
    if latest is not None and (latest.concluded_at is None or latest.outcome in model.LEFT_HALF_WAY):
        raise RolloutError(
            f"{session.service}: the rollout of {latest.what} is not complete, so not every host may serve the feature. "
            "Run its playbook again to finish it, or to roll it back with -e rollout_resume=revert; then run this one."
        )
    rules.refuse_start(params["flag"], steps, found)
    _refuse_refused(params)
    session.rollout = session.records.add_rollout(
        dataclasses.replace(session.rollout, created_at=session.now, planned_at=session.now, progress_at=session.now)
    )
    shown = max((one.share for one in found), default=Share())
    release = FlagRelease(
        rollout=session.rollout.id,
        service=session.service,
        flag=params["flag"],
        place=params.get("place") or "",
        command=params.get("command") or "",
        steps=json.dumps(steps),
        shown=shown.percent,
        shown_segments=json.dumps(shown.segments),
    )
    session.records.save_flag_release(release)
    return release


def _resume(session: Session, release: FlagRelease, params: Params, steps: t.Sequence[Step]) -> FlagRelease:
    """The same release goes on; a step that was baking starts its bake again, as nothing has judged it meanwhile."""
    is_back = release.phase == rules.WITHDRAWING or session.rollout.status in (model.FAILING, model.REVERTING)
    if release.flag != params["flag"] or not (is_back or tuple(release.all_steps) == tuple(steps)):
        raise InputError(
            f"{session.service}: the release of {session.rollout.what} is not finished ({messages.where(release)}). Run it "
            f"again with the steps {messages.in_words(release.all_steps)} to resume it, or with -e rollout_resume=revert to "
            "turn the flag off; then begin another one."
        )
    if not is_back:
        _refuse_refused(params)
    session.change_rollout(
        status=model.REVERTING if is_back else model.OPEN,
        reason=session.rollout.reason if is_back else None,
        reason_kind=session.rollout.reason_kind if is_back else None,
        concluded_at=None,
        outcome=None,
        message=None,
    )
    return saved(session, dataclasses.replace(release, tries=0, baked_from=session.now))


def _refuse_refused(params: Params) -> None:
    """What the flag system would refuse is refused while nothing is changed; turning a flag off never waits for it."""
    if params.get("refused"):
        raise InputError(str(params["refused"]))


def _revert(session: Session, known: tuple[FlagRelease, Rollout] | None, params: Params) -> FlagRelease:
    if known is None or known[0].flag != params["flag"]:
        other = "" if known is None else f"; the unfinished one is of {known[0].flag}"
        raise RolloutError(
            f"{session.service}: there is no unfinished release of {params['flag']}{other}. Turn a flag off with state=off of "
            "steady.rollout.feature_flag."
        )
    session.change_rollout(
        status=model.REVERTING,
        revert_requested=1,
        paused_at=None,
        concluded_at=None,
        outcome=None,
        message=None,
        reason=session.rollout.reason or "the operator asked for a rollback",
    )
    return saved(session, dataclasses.replace(known[0], tries=0))
