# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of targets in a target group, as AWS documents it: initial, healthy, unhealthy, draining, gone.

Pure state on a given clock; support.aws_elb puts it under moto's API, support.aws_plane feeds it real checks.
"""

from __future__ import annotations

import dataclasses
import typing as t

Key = t.Tuple[str, "int | None"]

REGISTER, DEREGISTER = "register", "deregister"


class Seen(t.NamedTuple):
    state: str
    reason: str | None = None
    description: str | None = None


NOT_REGISTERED = Seen("unused", "Target.NotRegistered", "Target is not registered to the target group")
NOT_IN_USE = Seen(
    "unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"
)
REGISTERING = Seen("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = Seen("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
DRAINING = Seen("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
FAILED = ("Target.FailedHealthChecks", "Health checks failed")


@dataclasses.dataclass
class Target:
    zone: str = ""
    events: list[tuple[float, str]] = dataclasses.field(default_factory=list)
    passes: bool = True
    """What its health checks say, once there was time for them."""
    failed_at: float = 0.0
    forced: Seen | None = None
    """The state that a test sets to be shown while it is registered, whatever its checks return."""


@dataclasses.dataclass
class Times:
    """Seconds. *initial* until a new target's checks count, *lag* until a change shows, *unhealthy_draining* of the
    attribute target_health_state.unhealthy.draining_interval_seconds."""

    initial: float = 0.3
    lag: float = 0.0
    deregistration_delay: float = 300.0
    unhealthy_draining: float = 0.0


class TargetRegistry:
    """The targets of one group."""

    def __init__(
        self, clock: t.Callable[[], float], times: t.Callable[[], Times], in_use: t.Callable[[], bool]
    ) -> None:
        self._clock = clock
        self._times = times
        self._in_use = in_use
        self.targets: dict[Key, Target] = {}

    def register(self, key: Key, zone: str = "") -> None:
        """Of a registered target nothing changes; a draining one starts from the beginning."""
        target = self.targets.setdefault(key, Target())
        target.zone = zone or target.zone
        if not target.events or target.events[-1][1] == DEREGISTER:
            target.events.append((self._clock(), REGISTER))
            target.passes, target.failed_at = True, 0.0

    def deregister(self, key: Key) -> None:
        """Of one that is not registered nothing changes, and no error comes."""
        target = self.targets.get(key)
        if target and target.events[-1][1] == REGISTER:
            target.events.append((self._clock(), DEREGISTER))

    def checked(self, key: Key, passes: bool) -> None:
        target = self.targets.get(key)
        if target and target.passes != passes:
            target.passes, target.failed_at = passes, self._clock()

    def seen(self, key: Key) -> Seen:
        target = self.targets.get(key)
        times, now = self._times(), self._clock()
        events = [event for event in target.events if event[0] <= now - times.lag] if target else []
        if target is None or not events:
            return NOT_REGISTERED
        since, kind = events[-1]
        if kind == DEREGISTER:
            return DRAINING if now - since < times.deregistration_delay else NOT_REGISTERED
        if target.forced:
            return target.forced
        if not self._in_use():
            return NOT_IN_USE
        if now - since < times.initial:
            return REGISTERING if now - since < times.initial / 2 else CHECKING
        if target.passes:
            return Seen("healthy")
        draining = now - target.failed_at < times.unhealthy_draining
        return Seen("unhealthy.draining" if draining else "unhealthy", *FAILED)

    def listed(self) -> list[Key]:
        """What DescribeTargetHealth lists when no target is named: the registered and the draining."""
        return [key for key in self.targets if self.seen(key) != NOT_REGISTERED]

    def registered(self) -> list[Key]:
        """Whose health is checked."""
        return [key for key, target in self.targets.items() if target.events[-1][1] == REGISTER]

    def routable(self) -> list[Key]:
        """Where new requests go; to all that are registered when none is healthy."""
        states = {key: self.seen(key).state for key in self.listed()}
        healthy = [key for key, state in states.items() if state == "healthy"]
        return healthy or [key for key, state in states.items() if state.startswith("unhealthy")]
