# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the collection requires of a system of feature flags of any type.

A new type is a folder with a subclass of FlagSystem and its options, and its row in registry.py.
"""

from __future__ import annotations

import abc
import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

ON = "on"
OFF = "off"
KILLED = "killed"
ABSENT = "absent"
STATES = (ON, OFF, KILLED, ABSENT)

# What a type may be able to do; see FlagSystem.capabilities.
CAN_PERCENT = "percent"
CAN_SEGMENTS = "segments"
CAN_RULES = "rules"
CAN_GIVE_REASON = "kill_reason"
CAN_COMPARE = "compare_and_set"
CAN_LISTENERS = "listeners"
CAN_AUDIT = "audit"
ALL_CAPABILITIES = (
    CAN_PERCENT,
    CAN_SEGMENTS,
    CAN_RULES,
    CAN_GIVE_REASON,
    CAN_COMPARE,
    CAN_LISTENERS,
    CAN_AUDIT,
)


class Unreachable(RolloutError):
    """The system did not answer, or not now."""


class Conflict(RolloutError):
    """Somebody else has changed the flag since it was read; nothing was changed."""


@dataclasses.dataclass(frozen=True)
class Flag:
    """One flag at one moment, as the system shows it."""

    name: str
    exists: bool = False
    on: bool = False
    percent: int = 0
    """The share of users that a flag which is on is on for; what it will be once it is on."""
    segments: tuple[str, ...] = ()
    """Segments whose users all have the feature while the flag is on, in alphabetical order."""
    excluded: tuple[str, ...] = ()
    """Segments whose users do not have the feature, even if all other users have it."""
    killed: bool = False
    reason: str = ""
    """Why it was killed."""
    killed_at: float | None = None
    rules: tuple[str, ...] = ()
    """What else decides for whom it is on, in words."""
    kind: str = ""
    description: str = ""
    created: float | None = None
    changed: float | None = None
    """When state or percentage last changed; None where that is not known."""
    last_seen: float | None = None
    """When an application last asked for it."""
    stale: bool = False
    """Somebody has marked it as no longer needed."""
    revision: str = ""
    """Whatever the type compares to notice that somebody else has changed the flag."""

    @property
    def state(self) -> str:
        if not self.exists:
            return ABSENT
        if self.killed:
            return KILLED
        return ON if self.on else OFF


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a flag is to be. *kind* and *description* are only for a flag that has to be created."""

    state: str
    percent: int = 100
    segments: tuple[str, ...] | None = None
    """Segments whose users are all to have the feature, in alphabetical order; None keeps those that there are."""
    reason: str = ""
    kind: str = "release"
    description: str = ""
    at: float = 0.0
    """Now, in seconds since the epoch."""


@dataclasses.dataclass(frozen=True)
class Listener:
    """One process that gets its flags from the system."""

    name: str
    last_seen: float | None


class FlagSystem(abc.ABC):
    """One place that applications get their flags from.

    Every method raises Unreachable where it does not answer and RolloutError where it refuses.
    """

    capabilities: t.ClassVar[frozenset[str]] = frozenset()
    lacks: t.ClassVar[t.Mapping[str, str]] = {}
    """For each of ALL_CAPABILITIES that is none of its capabilities the reason, as the end of a sentence."""

    def __init__(self, where: str) -> None:
        self.where = where
        """The place as messages name it."""

    @abc.abstractmethod
    def read(self, name: str) -> Flag:
        """What is true now."""

    @abc.abstractmethod
    def names(self) -> list[str]:
        """All flags there are."""

    @abc.abstractmethod
    def apply(self, flag: Flag, wanted: Wanted) -> None:
        """Makes *flag*, as it was read, what is wanted. Accepted is not reached: read back. Raises Conflict."""

    def audited(self, name: str) -> Flag:
        """The flag with what only an audit needs, where reading that costs more."""
        return self.read(name)

    def segments(self) -> list[str]:
        """The segments of users that a flag can be on for."""
        raise self.cannot("turn a flag on for segments", CAN_SEGMENTS)

    def listeners(self) -> list[Listener]:
        """The processes that get their flags from here."""
        raise self.cannot("say who gets its flags from it", CAN_LISTENERS)

    def cannot(self, what: str, capability: str) -> RolloutError:
        reason = self.lacks.get(capability)
        return InputError(f"{self.where}: this type of flag system cannot {what}{f': {reason}' if reason else ''}.")
