# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The words of the ledger: phases, conditions and the rows that the decisions are made from."""

from __future__ import annotations

import dataclasses
import typing as t

WAITING = "waiting"
ADMITTED = "admitted"
CHANGING = "changing"
PROVEN = "proven"
FAILED = "failed"
BACK_WAITING = "back_waiting"
BACK_ADMITTED = "back_admitted"
BACK_CHANGING = "back_changing"
REVERTED = "reverted"
STUCK = "stuck"
UP_TO_DATE = "skipped"
EXCLUDED = "excluded"
OUTSIDE = "outside"

GOING_FORWARD = (ADMITTED, CHANGING)
GOING_BACK = (BACK_ADMITTED, BACK_CHANGING)
IN_FLIGHT = GOING_FORWARD + GOING_BACK
ASKING = (WAITING, BACK_WAITING)
ON_TARGET = (PROVEN, UP_TO_DATE)

IN_SERVICE = "in_service"
DRAINED_BY_US = "drained_by_us"
DRAINED_EXTERNALLY = "drained_externally"
DOWN = "down"

UNKNOWN = "unknown"
HALF_UPDATED = "half_updated"
HEALTHY = "healthy"
CURRENT = "current"
WEAK = (DOWN, UNKNOWN, HALF_UPDATED)

FORWARD = "forward"
BACK = "back"
RECOVER = "recover"
FLAG = "flag"
"""The release of a feature by its flag: no host changes."""

OPEN = "open"
PAUSED = "paused"
FAILING = "failing"
REVERTING = "reverting"
DONE = "done"
ABORTED = "aborted"
SUPERSEDED = "superseded"

RESTART = "restart"
PATCH = "patch"
RECONFIGURE = "reconfigure"
OPERATIONS = (RESTART, PATCH, RECONFIGURE)

INCOMPLETE = "incomplete"
STOPPED = "failed"
LEFT_HALF_WAY = (INCOMPLETE, STOPPED)
"""Outcomes of a run after which the next one of the same version goes on with the same rollout."""


@dataclasses.dataclass(frozen=True)
class Host:
    """One member of the fleet in one rollout. Times are seconds of the coordinator's clock."""

    rollout: int
    name: str
    zone: str = ""
    member: str = ""
    position: int = 0
    slot: int | None = None
    condition: str = HEALTHY
    lb_state: str = IN_SERVICE
    phase: str = WAITING
    in_scope: int = 1
    """Whether the run at work may touch it; one out of scope keeps what earlier runs of the rollout did to it."""
    counted: int = 0
    from_version: str | None = None
    target_version: str | None = None
    last_good_version: str | None = None
    """What was proven here before this rollout: what it is rolled back to."""
    kind: str | None = None
    error: str | None = None
    step: str | None = None
    run: str | None = None
    interrupted_run: str | None = None
    drained_by_us: int = 0
    modified: int = 0
    """Whether a step that changes the host itself has begun since it was last in service."""
    step_at: float | None = None
    limit_seconds: float = 0.0
    admitted_at: float | None = None
    deadline_at: float | None = None
    drained_at: float | None = None
    in_service_at: float | None = None
    drained_for: float | None = None
    lb_before: str | None = None
    """Its state at the balancers when it was admitted: what an objection gives back."""
    veto: str | None = None
    """Who objected last, and what was said."""
    vetoed_at: float | None = None
    """The first objection of those that followed each other without a consent."""
    vetoed_until: float | None = None
    """Set while the host is deferred: nobody is asked again before."""

    @property
    def is_serving(self) -> bool:
        return self.lb_state == IN_SERVICE

    @property
    def is_weak(self) -> bool:
        return self.condition in WEAK or not self.is_serving

    @property
    def out_for(self) -> float | None:
        since = self.admitted_at if self.drained_at is None else self.drained_at
        if since is None or self.in_service_at is None:
            return None
        return round(self.in_service_at - since, 1)


@dataclasses.dataclass(frozen=True)
class Rollout:
    """One intent: this version on this service's fleet, or the rollback from one."""

    id: int
    service: str
    version: str | None
    direction: str = FORWARD
    status: str = OPEN
    reason: str | None = None
    """Why it stopped or is rolled back."""
    reason_kind: str | None = None
    revert_requested: int = 0
    source_version: str | None = None
    run: str | None = None
    limits: str | None = None
    created_at: float = 0.0
    planned_at: float | None = None
    progress_at: float | None = None
    paused_at: float | None = None
    concluded_at: float | None = None
    outcome: str | None = None
    message: str | None = None
    """The last line of its last run."""
    operation: str = ""
    """What is done on a version that stays, such as 'restart 20261122T010500Z'; empty where a version is rolled out."""

    @property
    def kind(self) -> str:
        return self.operation.partition(" ")[0]

    @property
    def keeps_release(self) -> bool:
        """Version and revision stay, so that nothing counts against them and there is nothing to roll back to."""
        return self.kind in (RESTART, PATCH)

    @property
    def shown_status(self) -> str:
        return PAUSED if self.paused_at is not None and self.status in (OPEN, REVERTING) else self.status

    @property
    def what(self) -> str:
        """How messages name the intent."""
        if self.keeps_release or self.direction == FLAG:
            return self.operation
        if self.version:
            return self.version
        return f"the rollback from {self.source_version}" if self.source_version else "recovery"


@dataclasses.dataclass(frozen=True)
class Gate:
    """The gate of one stage; it exists from the moment the stage is complete."""

    rollout: int
    stage: int
    complete_at: float
    slots: int
    status: str = "pending"
    claim: str | None = None
    claimed_by: str | None = None
    until: float | None = None
    verdict: str | None = None
    reason: str | None = None
    evidence: str | None = None
    at: float | None = None

    @property
    def has_passed(self) -> bool:
        return self.status == "passed"

    def is_claimed(self, now: float) -> bool:
        return self.status == "claimed" and self.until is not None and now <= self.until


@dataclasses.dataclass(frozen=True)
class Lease:
    """Who may change a service. *token* only ever grows; *run* is None while the lease is free."""

    service: str
    token: int = 0
    run: str | None = None
    owner: str = "{}"
    taken_at: float = 0.0
    heartbeat_at: float = 0.0
    ttl: float = 60.0
    held_until: float = 0.0
    watch_at: float | None = None
    """When the run's watch last reported."""
    reserved_for: str | None = None
    """The run of a release of several services, which holds the lease from before its first service until after the last."""


class Group(t.NamedTuple):
    """So many hosts alike."""

    zone: str
    lb_state: str
    phase: str
    condition: str
    size: int


class Tally:
    """The fleet as counts: all that a decision needs, whatever the size of the fleet."""

    def __init__(self, groups: t.Iterable[Group]) -> None:
        self.groups = tuple(groups)

    def count(self, test: t.Callable[[Group], bool]) -> int:
        return sum(group.size for group in self.groups if test(group))

    @property
    def fleet(self) -> int:
        return self.count(lambda group: True)

    @property
    def serving(self) -> int:
        return self.count(lambda group: group.lb_state == IN_SERVICE)

    def serving_in(self, zone: str) -> int:
        return self.count(lambda group: group.lb_state == IN_SERVICE and group.zone == zone)

    @property
    def out(self) -> int:
        return self.count(lambda group: group.lb_state != IN_SERVICE)

    def in_phase(self, *phases: str) -> int:
        return self.count(lambda group: group.phase in phases)

    @property
    def in_flight(self) -> int:
        return self.in_phase(*IN_FLIGHT)

    @property
    def on_target(self) -> int:
        return self.in_phase(*ON_TARGET)

    @property
    def in_scope(self) -> int:
        return self.count(lambda group: group.phase not in (OUTSIDE, EXCLUDED))

    def weak_asking(self, phase: str) -> int:
        """A host that goes down while it waits for its update may have no worker yet, so nobody waits for it to go first."""
        by_state = phase != WAITING
        return self.count(
            lambda group: (
                group.phase == phase and (group.condition in WEAK or (by_state and group.lb_state != IN_SERVICE))
            )
        )

    def out_asking(self, phase: str) -> int:
        return self.count(lambda group: group.phase == phase and group.lb_state != IN_SERVICE)
