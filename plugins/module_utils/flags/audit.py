# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Which flags are not needed any more, by what their system reports of them: functions of flags and of the time."""

from __future__ import annotations

import re
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.flags import contract, planning
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages.tables import table
from ansible_collections.steady.rollout.plugins.module_utils.plurals import counted

DAY = 86400.0
SETTLED = 1.0 * DAY
"""Seconds; a younger flag may not have been asked for yet."""
COLUMNS = ("flag", "state", "kind", "created", "findings")
STALE, OLD, FULL, NEVER_SEEN, NO_TICKET = "stale", "old", "full", "never_seen", "no_ticket"


class Rules(t.NamedTuple):
    older_than: float
    """Seconds; for flags of the *kinds* only."""
    full_for: float
    kinds: tuple[str, ...]
    """Empty for all."""
    ticket: t.Pattern[str] | None
    """What a description has to hold; None where that is not asked for."""


class Finding(t.NamedTuple):
    flag: str
    check: str
    why: str


def findings(flags: t.Iterable[Flag], rules: Rules, now: float, sees_use: bool) -> list[Finding]:
    """In the order of the flags. *sees_use* is whether their system records when a flag was evaluated."""
    return [
        Finding(flag.name, check, why)
        for flag in flags
        for check, why in _of(flag, rules, now, sees_use).items()
        if why
    ]


def _of(flag: Flag, rules: Rules, now: float, sees_use: bool) -> dict[str, str]:
    if not flag.exists or (rules.kinds and flag.kind not in rules.kinds):
        return {}
    age = None if flag.created is None else now - flag.created
    return {
        STALE: "is marked as stale" if flag.stale else "",
        OLD: f"is {_days(age)} old" if age is not None and age >= rules.older_than else "",
        FULL: _full(flag, rules, now),
        NEVER_SEEN: _never_seen(flag, age) if sees_use else "",
        NO_TICKET: "names no ticket" if rules.ticket and not rules.ticket.search(flag.description) else "",
    }


def _full(flag: Flag, rules: Rules, now: float) -> str:
    since = flag.changed if flag.changed is not None else flag.created
    is_full = flag.state == contract.ON and flag.percent == 100 and not flag.rules
    if not is_full or since is None or now - since < rules.full_for:
        return ""
    return f"has been on for everybody for {_days(now - since)}"


def _never_seen(flag: Flag, age: float | None) -> str:
    return "was never evaluated" if flag.last_seen is None and (age is None or age >= SETTLED) else ""


def _days(seconds: float) -> str:
    return counted(int(seconds // DAY), "day")


def text(flags: t.Sequence[Flag], found: t.Sequence[Finding]) -> list[str]:
    """One line for each flag, in columns."""
    return table(COLUMNS, [_row(flag, found) for flag in flags])


def markdown(flags: t.Sequence[Flag], found: t.Sequence[Finding]) -> str:
    """A table for an issue, of the flags with findings; empty where there are none."""
    names = {finding.flag for finding in found}
    rows = [_row(flag, found) for flag in flags if flag.name in names]
    if not rows:
        return ""
    head = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n"
    return head + "".join(f"| {' | '.join(_in_markdown(cell) for cell in row)} |\n" for row in rows)


def _row(flag: Flag, found: t.Sequence[Finding]) -> tuple[str, ...]:
    created = "" if flag.created is None else time.strftime("%Y-%m-%d", time.gmtime(flag.created))
    why = ", ".join(finding.why for finding in found if finding.flag == flag.name)
    return flag.name, planning.in_words(flag), flag.kind, created, why


def _in_markdown(text: str) -> str:
    """A name that somebody chose must not become a link, a mention or another column."""
    return re.sub(r"([\\`*_{}\[\]<>|@#!])", r"\\\1", " ".join(text.split()))
