# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The words of a shift: traffic that moves from a live group to a candidate group, through steps of share."""

from __future__ import annotations

import dataclasses
import json
import typing as t

BLUE_GREEN = "blue_green"
CANARY = "canary"
STRATEGIES = (BLUE_GREEN, CANARY)

CLEARING = "clearing"
"""The candidate group is relieved of traffic."""
PREPARING = "preparing"
SHIFTING = "shifting"
"""The share of the step at hand is being set."""
BAKING = "baking"
PROMOTING = "promoting"
"""The candidate group has all traffic, the other one is brought to the new version."""
SETTLING = "settling"
"""Both groups are on the new version, the usual split is being restored."""
OVER = "over"

DEMOTING = "demoting"
"""The promotion failed: the live group, without traffic, is rolled back."""
DRAINING = "draining"
"""The candidate group loses its share of the traffic."""
REVERTING = "reverting"
"""The candidate group, without traffic, is rolled back."""
RESTORING = "restoring"
"""Both groups are as before, the usual split is being restored."""

ROLLING_BACK = (DEMOTING, DRAINING, REVERTING, RESTORING)

STEP = "step"
END = "end"

Shares = t.Dict[str, float]
"""Percent of the traffic by group."""


class Step(t.NamedTuple):
    """Percent of the traffic for the candidate group, and the seconds that it bakes."""

    share: float
    bake: float


@dataclasses.dataclass(frozen=True)
class Shift:
    """One rollout's shift. Times are seconds of the coordinator's clock; what is structured is kept as JSON."""

    rollout: int
    strategy: str
    live: str
    candidate: str
    members: str
    """{group: {host: member}}"""
    steps: str
    usual: str
    """The split outside of a shift: restored at the end."""
    ready_for: float = 0.0
    """Seconds that the old colour is kept ready."""
    phase: str = CLEARING
    step: int = 0
    goal: str | None = None
    """The split that was last intended, or refused; on record before any balancer is changed."""
    shown: str | None = None
    """The split that every node was last seen to have."""
    tries: int = 0
    """How often the goal was handed out to be set, or refused beforehand."""
    baked_from: float | None = None
    promoted: str | None = None
    """The operator's word: STEP ends this step's bake, END goes to the last step."""
    promotes: int = 0
    """Whether the live group may be on its way to the new version."""
    verdicts: str = "[]"
    ready_until: float | None = None

    @property
    def groups(self) -> dict[str, dict[str, str]]:
        return t.cast("dict[str, dict[str, str]]", json.loads(self.members))

    @property
    def all_steps(self) -> list[Step]:
        return [Step(*step) for step in json.loads(self.steps)]

    @property
    def at_step(self) -> Step:
        return self.all_steps[self.step]

    @property
    def usual_split(self) -> Shares:
        return t.cast(Shares, json.loads(self.usual))

    @property
    def goal_split(self) -> Shares | None:
        return None if self.goal is None else json.loads(self.goal)

    @property
    def shown_split(self) -> Shares | None:
        return None if self.shown is None else json.loads(self.shown)

    @property
    def judged(self) -> list[dict[str, t.Any]]:
        return t.cast("list[dict[str, t.Any]]", json.loads(self.verdicts))

    @property
    def settled_split(self) -> Shares:
        """What is in force when all went well."""
        return self.split(100.0) if self.strategy == BLUE_GREEN else self.usual_split

    @property
    def only_confirms(self) -> bool:
        """Whether all was on the version, with its traffic, before this began: then a failure leaves nothing to undo."""
        if self.strategy == BLUE_GREEN:
            return self.usual_split == self.settled_split
        return self.phase == SETTLING and not self.promotes

    def split(self, share: float) -> Shares:
        """The shares of both groups when the candidate has *share* percent."""
        return {self.live: 100.0 - share, self.candidate: share}

    def group_of(self, host: str) -> str | None:
        return next((name for name, hosts in self.groups.items() if host in hosts), None)

    @property
    def in_work(self) -> str | None:
        """The group whose hosts may be changed now; it has no traffic."""
        group = {
            PREPARING: self.candidate,
            REVERTING: self.candidate,
            PROMOTING: self.live,
            DEMOTING: self.live,
        }.get(self.phase)
        return group if group and (self.shown_split or {}).get(group) == 0 else None


def in_words(split: Shares | None) -> str:
    """A split for people: 'blue 95 %, green 5 %'."""
    return ", ".join(f"{name} {share:.4g} %" for name, share in (split or {}).items()) or "unknown"
