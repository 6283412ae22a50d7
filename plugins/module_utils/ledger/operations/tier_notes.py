# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the rollout of one service records for the release that it is part of, in the rollout's own transactions.

So the release and its services are consistent whenever a run is killed.
"""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, tiers, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Rollout
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.tiers import State, Tier
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Session
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.records import Records


def note_planned(session: Session, changes: bool) -> None:
    """Before the first host is touched. A rollout that is rolled back recorded it when it went forward."""
    state = _of(session)
    if state is None or not state[0].goes_forward or session.rollout.status != model.OPEN:
        return
    release, services = state
    noted = tuple(
        tiers.planned(tier, session.rollout.id, changes) if tier.service == session.service else tier
        for tier in services
    )
    session.records.save_release((release, noted))


def note_concluded(session: Session, outcome: str, message: str, unfinished: str) -> None:
    """*unfinished* is what failed after the last host: were it recorded later, a run killed in between would lose it."""
    state = _of(session)
    if state is None:
        return
    after = tiers.concluded(state, session.service, outcome, message, session.rollout.reason_kind or "")
    if unfinished and outcome == tiers.DONE:
        after = tiers.stopped(after, session.service, unfinished)
    session.records.save_release(after)


def rollout_to_revert(session: Session) -> Rollout | None:
    """The rollout of the service that its release has made; None outside of a release."""
    state = _of(session)
    if state is None:
        return None
    tier = _tier(state, session.service)
    own = session.records.rollout(tier.rollout) if tier.rollout is not None else None
    newest = _newest_change(session, own)
    if own is None or newest is None or not _is_of(newest, own):
        what = f"a rollout of {newest.what}" if newest else "another rollout"
        said = f"{what} has replaced it" if own else "it changed nothing"
        raise RolloutError(
            f"{session.service}: cannot roll back this release's rollout of {tier.version}: {said}. Roll this service back "
            "separately with rollback.yml."
        )
    return own


def _newest_change(session: Session, own: Rollout | None) -> Rollout | None:
    """What the service was rolled out to, or back to, last: no restart, patch or drill, and nothing that was rolled back."""
    for one in session.records.rollouts(session.service, 1000):
        if own is not None and one.id == own.id:
            return own if own.status != model.SUPERSEDED else None
        goes = one.direction in (model.FORWARD, model.BACK) and one.planned_at is not None
        stays = one.keeps_release or versions.is_drill(one.version) or one.outcome == tiers.REVERTED
        if goes and not stays and one.status != model.SUPERSEDED:
            return one
    return None


def _is_of(newest: Rollout, own: Rollout) -> bool:
    """The rollout itself, or one of the same version after it, which had nothing to do."""
    return newest.id == own.id or (newest.direction == own.direction and newest.version == own.version)


def why_back(session: Session) -> str:
    state = _of(session)
    return tiers.why_back(state) if state is not None else tiers.REQUESTED


def state_of_run(records: Records, run: str | None) -> State | None:
    return records.release_of_run(run) if run else None


def _of(session: Session) -> State | None:
    return state_of_run(session.records, session.lease.reserved_for)


def _tier(state: State, service: str) -> Tier:
    return next(tier for tier in state[1] if tier.service == service)
