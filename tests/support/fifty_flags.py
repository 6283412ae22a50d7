# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fifty flags of all kinds, and, written by hand, what an audit has to find among them."""

from __future__ import annotations

import re

from ansible_collections.steady.rollout.plugins.module_utils.flags import audit
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag

NOW = 1_770_000_000.0
DAY = 86400.0
RULES = audit.Rules(90 * DAY, 14 * DAY, (), re.compile("[A-Z][A-Z0-9]+-[0-9]+"))


def flag(
    name: str, age: float = 5, on_for: float | None = None, seen: bool = True, ticket: str = "SHOP-1", **given: object
) -> Flag:
    known: dict[str, object] = {
        "exists": True,
        "kind": "release",
        "description": f"{name} {ticket}",
        "created": NOW - age * DAY,
        "last_seen": NOW if seen else None,
        "on": on_for is not None,
        "percent": 100 if on_for is not None else 0,
        "changed": NOW - (on_for if on_for is not None else age) * DAY,
    }
    return Flag(name, **{**known, **given})  # type: ignore[arg-type]


FIFTY = [
    *(flag(f"young{number}", age=number) for number in range(1, 21)),
    *(flag(f"half{number}", age=80, on_for=60, percent=50) for number in range(10)),
    *(flag(f"kill{number}", age=80, kind="kill-switch") for number in range(5)),
    flag("at_the_limit", age=90),
    flag("just_below", age=89.99),
    flag("old", age=400),
    flag("old_and_full", age=400, on_for=300),
    flag("full", age=30, on_for=14),
    flag("not_yet_full", age=30, on_for=13.9),
    flag("full_but_for_rules", age=30, on_for=20, rules=("strategy userWithId",)),
    flag("full_since_unknown", age=30, on_for=0, changed=None),
    flag("unseen", age=2, seen=False),
    flag("unseen_today", age=0.5, seen=False),
    flag("stale", stale=True),
    flag("no_ticket", ticket="soon"),
    flag("killed", age=20, killed=True, reason="x"),
    flag("age_unknown", created=None, changed=None),
    Flag("absent"),
]
BY_HAND = [
    ("at_the_limit", "old", "is 90 days old"),
    ("old", "old", "is 400 days old"),
    ("old_and_full", "old", "is 400 days old"),
    ("old_and_full", "full", "has been on for everybody for 300 days"),
    ("full", "full", "has been on for everybody for 14 days"),
    ("full_since_unknown", "full", "has been on for everybody for 30 days"),
    ("unseen", "never_seen", "was never evaluated"),
    ("stale", "stale", "is marked as stale"),
    ("no_ticket", "no_ticket", "names no ticket"),
]
