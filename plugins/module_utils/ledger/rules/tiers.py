# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A release of several services: which one is next, and what the end of one service's rollout means for the others.

Each service is an ordinary rollout of its own. It is changed once everything that it needs is on its new version, and
rolled back once everything that needs it has been rolled back.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, versions

PENDING = "pending"
GOING = "in_progress"
"""Its rollout has a plan, so hosts may have been changed."""
DONE = "done"
SKIPPED = "skipped"
"""Every host was already on the version, so there is nothing to roll back."""
REVERTED = "reverted"
THERE = (DONE, SKIPPED)
SUPERSEDED = model.SUPERSEDED
REQUESTED = "the operator asked for a rollback"


@dataclasses.dataclass(frozen=True)
class Tier:
    """One service of a release."""

    release: int
    name: str
    service: str
    version: str
    position: int = 0
    fleet: str = ""
    needs: str = "[]"
    state: str = PENDING
    changed: int = 0
    """Whether this release has had a host of it to change."""
    rollout: int | None = None
    message: str = ""
    """How its last rollout ended."""

    @property
    def needed(self) -> list[str]:
        return [str(name) for name in json.loads(self.needs)]

    @property
    def must_go_back(self) -> bool:
        return self.state in (GOING, DONE) and bool(self.changed)


@dataclasses.dataclass(frozen=True)
class TieredRelease:
    """One intent: these versions of these services, or the rollback from them."""

    id: int
    services: str
    """The names of the services, in the alphabetical order in which their leases are taken, as JSON."""
    run: str
    direction: str = model.FORWARD
    reason: str = ""
    """Why it is rolled back."""
    revert_requested: int = 0
    stopped: str = ""
    """Why the current run stops, although the release is not finished."""
    stopped_kind: str = ""
    created_at: float = 0.0
    concluded_at: float | None = None
    """The end of the last run; None while a run is under way or was killed."""
    outcome: str = ""
    message: str = ""

    @property
    def goes_forward(self) -> bool:
        return self.direction == model.FORWARD


State = t.Tuple[TieredRelease, t.Tuple[Tier, ...]]


def in_order(needs: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """Each service after those that it needs, otherwise as written. InputError if there is no such order."""
    for name, needed in needs.items():
        for other in needed:
            if other not in needs:
                raise InputError(f"rollout_tiers.{name}.needs: expected one of {', '.join(needs)}, found {other}")
    done: list[str] = []
    while len(done) < len(needs):
        ready = next((name for name in needs if name not in done and set(needs[name]) <= set(done)), None)
        if ready is None:
            raise InputError(
                f"rollout_tiers has a circular dependency: {' needs '.join(_cycle(needs, done))}. Remove one of these needs"
            )
        done.append(ready)
    return done


def _cycle(needs: t.Mapping[str, t.Sequence[str]], done: t.Collection[str]) -> list[str]:
    path = [next(name for name in needs if name not in done)]
    while path[-1] not in path[:-1]:
        path.append(next(other for other in needs[path[-1]] if other not in done))
    return path[path.index(path[-1]) :]


def turn(state: State) -> Tier | None:
    """The service to roll out next or, in a rollback, to roll back next; None if this run is over."""
    release, tiers = state
    if release.stopped:
        return None
    if release.goes_forward:
        return next((tier for tier in tiers if tier.state not in THERE), None)
    return next((tier for tier in reversed(tiers) if tier.must_go_back), None)


def planned(tier: Tier, rollout: int, changes: bool) -> Tier:
    """Its rollout has a plan, which is on record before the first host is touched."""
    return dataclasses.replace(tier, state=GOING, rollout=rollout, changed=int(changes or tier.changed))


def concluded(state: State, service: str, outcome: str, message: str, kind: str = "") -> State:
    """The rollout of one service has ended."""
    release, tiers = state
    if outcome == REVERTED:
        after = REVERTED
        if release.goes_forward:
            release = _turned(release, message)
    elif outcome == DONE and release.goes_forward:
        after = DONE if _named(tiers, service).changed else SKIPPED
    else:
        return stopped(state, service, message, kind)
    return release, _with(tiers, service, state=after, message=message)


def stopped(state: State, service: str, why: str, kind: str = "") -> State:
    """The service is left as it is: no other one is touched, and the next run continues with this one."""
    release, tiers = state
    tier = _named(tiers, service)
    # What has failed after the last host, such as a migration, is tried again by a run that finds nothing to do on the hosts.
    again = GOING if release.goes_forward and tier.state in THERE else tier.state
    release = dataclasses.replace(release, stopped=why, stopped_kind=kind)
    return release, _with(tiers, service, state=again, message=why)


def resumed(state: State, run: str, revert: bool) -> State:
    """The same release in another run: it keeps its direction, unless the operator reverts it."""
    release, tiers = state
    release = dataclasses.replace(
        release, run=run, stopped="", stopped_kind="", concluded_at=None, outcome="", message=""
    )
    if revert and release.goes_forward:
        release = _turned(release, REQUESTED)
    return (dataclasses.replace(release, revert_requested=1) if revert else release), tiers


def outcome_of(state: State) -> str:
    """The release's, as endings.py has it for one service."""
    release, tiers = state
    if turn((dataclasses.replace(release, stopped=""), tiers)) is not None:
        return model.INCOMPLETE if release.goes_forward else model.STOPPED
    return DONE if release.goes_forward else REVERTED


def why_back(state: State) -> str:
    """In a few words, for each service that is rolled back because of another one."""
    release, tiers = state
    failed = [tier for tier in tiers if tier.state == REVERTED]
    return (
        REQUESTED
        if release.revert_requested or not failed
        else f"{failed[-1].name} {failed[-1].version} was rolled back"
    )


def is_over(release: TieredRelease) -> bool:
    return release.outcome in (DONE, REVERTED, SUPERSEDED)


def is_drill(services: t.Iterable[Tier]) -> bool:
    return any(versions.fails_on_purpose(tier.version) for tier in services)


def targets(services: t.Iterable[Tier]) -> dict[str, str | None]:
    """What each service is released to. A drill is the same drill whichever service is to fail."""
    return {
        tier.service: versions.plain(tier.version) if versions.is_drill(tier.version) else tier.version
        for tier in services
    }


def _turned(release: TieredRelease, why: str) -> TieredRelease:
    return dataclasses.replace(release, direction=model.BACK, reason=why)


def _named(tiers: t.Sequence[Tier], service: str) -> Tier:
    return next(tier for tier in tiers if tier.service == service)


def _with(tiers: t.Sequence[Tier], service: str, **changes: t.Any) -> tuple[Tier, ...]:
    return tuple(dataclasses.replace(tier, **changes) if tier.service == service else tier for tier in tiers)
