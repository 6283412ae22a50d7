# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a poll of the sources is made of: the questions, the points of the answers, and what was measured.

A source is asked one or more questions for a metric; its answers are points, and points become the judge's samples.
Times are seconds of the coordinator's clock.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.model import Sample

MEASURED = "measured"
NOTHING = "no_data"
"""Asked and answered, but with nothing: no traffic, an empty result, NaN."""
FAILED = "error"
"""No answer, or one that cannot be read."""

BAD = "bad"
TOTAL = "total"
FIGURE = "value"


class Trouble(Exception):
    """A measurement that cannot be made now: the text says where and why."""


class Nothing(Exception):
    """A question that was answered with no data: the text says in what way."""


@dataclasses.dataclass(frozen=True)
class Moment:
    """When a poll is taken and what for."""

    now: float
    began: float
    """When the step began."""
    since: float
    """When the previous poll was; the step's beginning on its first."""
    groups: t.Mapping[str, tuple[str, ...]]
    """The members of canary and baseline, by the names that the load balancer has."""
    aliases: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Other names of members, such as their addresses."""

    def group_of(self, member: str) -> str | None:
        return next((group for group, members in self.groups.items() if member in members), None)


@dataclasses.dataclass(frozen=True)
class Question:
    """One thing to ask a source. *group* None: the answer names its group. *part* is what the number is."""

    raw: t.Any
    group: str | None = None
    part: str = FIGURE


@dataclasses.dataclass(frozen=True)
class Point:
    """One number of an answer. *at* None: of this very poll. *count* is how many requests stand behind it, 0 unknown."""

    number: float
    group: str | None = None
    host: str = ""
    part: str | None = None
    """Overrides what the question was for."""
    at: float | None = None
    count: float = 0.0


@dataclasses.dataclass(frozen=True)
class Reply:
    """What a source answered. *asked* and *answered* are kept on record, without secrets."""

    asked: str
    answered: str
    points: tuple[Point, ...]
    details: tuple[str, ...] = ()
    """What a reason should name, such as the alerts that fire."""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What one poll found out for one metric."""

    metric: str
    at: float
    source: str
    asked: str
    answered: str
    outcome: str
    why: str = ""
    """Why nothing was measured."""
    samples: tuple[Sample, ...] = ()
    details: tuple[str, ...] = ()


class Source(t.Protocol):
    """Something that answers questions about the service."""

    kind: str
    """Its type as the user writes it."""
    asks_by_group: bool
    """Whether what it is set to ask differs by group."""

    def ask(self, question: Question, moment: Moment) -> Reply:
        """Raises Trouble where it cannot be asked and Nothing where it has no data."""

    def check(self, metric: t.Any, where: str) -> None:
        """Raises InputError where the source could never answer the metric's query."""
