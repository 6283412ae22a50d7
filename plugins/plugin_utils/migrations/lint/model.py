# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the linter works with: a phase, a rule, a statement, a finding."""

from __future__ import annotations

import dataclasses
import typing as t

POSTGRESQL, MYSQL = "postgresql", "mysql"
EXPAND, MIGRATE, CONTRACT = "expand", "migrate", "contract"
PHASES = (EXPAND, MIGRATE, CONTRACT)
ERROR, WARNING, ALLOWED = "error", "warning", ""

LOCKS, BREAKS, LOSES, UNKNOWN = "locks", "breaks", "loses", "unknown"
"""Why a statement is refused: it blocks users, breaks the version that still runs, loses data, or cannot be read."""

NORMAL, POOLER_PAUSED, STOPPED = "normal", "paused", "stopped"
HARMLESS_WHILE: dict[str, tuple[str, ...]] = {NORMAL: (), POOLER_PAUSED: (LOCKS,), STOPPED: (LOCKS, BREAKS)}
TRAFFIC = tuple(HARMLESS_WHILE)
LETTERS = {"E": ERROR, "W": WARNING, "-": ALLOWED}


@dataclasses.dataclass(frozen=True)
class Rule:
    """*severities* has a letter for each phase in their order: E for error, W for warning, - for allowed."""

    name: str
    reason: str
    severities: str
    problem: str
    """What goes wrong; {} stands for what the statement names."""
    safe: str
    """The safe way to the same end."""

    def severity(self, phase: str, traffic: str) -> str:
        """While the pooler is paused nobody waits; while the service is stopped nothing old is left to break either."""
        if self.reason in HARMLESS_WHILE[traffic]:
            return ALLOWED
        return LETTERS[self.severities[PHASES.index(phase)]]


@dataclasses.dataclass(frozen=True)
class Statement:
    """One statement of a file. *words* is its tokens in capitals, without comments, one space between two."""

    text: str
    words: str
    line: int
    accepted: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Rules that a comment accepts here, with the reason that it gives."""
    last_line: int = 0
    algorithm: str = ""
    lock: str = ""
    problem: str = ""
    """Why it could not even be split into tokens."""


class Hit(t.NamedTuple):
    """A rule that a statement breaks, with what it names."""

    rule: str
    subject: str


@dataclasses.dataclass(frozen=True)
class Finding:
    file: str
    line: int
    rule: str
    severity: str
    message: str
    statement: str
    accepted: str = ""
    """The reason why somebody accepts it."""
    found_by: tuple[str, ...] = ("steady.rollout",)
    last_line: int = 0
    """Of the statement."""

    @property
    def text(self) -> str:
        accepted = f" Accepted: {self.accepted}." if self.accepted else ""
        return f"{self.file}:{self.line}: {self.severity}: {self.rule}: {self.message}{accepted}"


@dataclasses.dataclass
class Setting:
    """What a verdict depends on beside the statement. The linter adds what earlier statements of the file did."""

    database: str = POSTGRESQL
    phase: str = EXPAND
    in_transaction: bool = True
    traffic: str = NORMAL
    created: set[str] = dataclasses.field(default_factory=set)
    """Tables of this migration's own: nobody uses them yet."""
    not_null_checks: dict[str, str] = dataclasses.field(default_factory=dict)
    """Constraints CHECK (column IS NOT NULL), with 'table.column'."""
    validated: set[str] = dataclasses.field(default_factory=set)
    """The constraints that were validated."""
    locked: set[str] = dataclasses.field(default_factory=set)
    """Tables that this transaction has locked so far."""
    renamed: dict[str, str] = dataclasses.field(default_factory=dict)
    """Tables renamed so far in this file, new name by old."""
