# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A rollout that stops all hosts behind a maintenance page: where it stands, and what a failure there means."""

from __future__ import annotations

import dataclasses
import json
import typing as t

BEGUN, PAGE_ON, DRAIN, STOP, BACKUP, MIGRATE, UPDATE, HEALTH, SMOKE, SERVE, PAGE_OFF = (
    "begun", "page on", "drain", "stop", "backup", "migrate", "update", "health", "smoke", "serve", "page off",
)  # fmt: skip
DONE, RESTORED, STUCK = "done", "restored", "stuck"
FORWARD = (BEGUN, PAGE_ON, DRAIN, STOP, BACKUP, MIGRATE, UPDATE, HEALTH, SMOKE, SERVE, PAGE_OFF)
OVER = (DONE, RESTORED)
KEPT_FACTS = ("backup", "database_version", "migrated")


@dataclasses.dataclass(frozen=True)
class Recreate:
    """*step* is recorded before it is begun. *facts* are what later steps and runs need, as JSON."""

    rollout: int
    service: str
    step: str = BEGUN
    facts: str = "{}"
    began_at: float = 0.0
    page_at: float | None = None
    """When the page first went up, and since when nobody but the migration writes to the database."""
    over_at: float | None = None

    @property
    def known(self) -> dict[str, t.Any]:
        return dict(json.loads(self.facts))

    @property
    def is_over(self) -> bool:
        return self.step in OVER

    @property
    def users_may_have_written(self) -> bool:
        """From the moment at which the page is taken away, a backup lacks what users write."""
        return self.step in (PAGE_OFF, DONE)


def inherited(before: Recreate | None) -> dict[str, t.Any]:
    """What a new rollout takes over from one that never let users in again: the backup from before both of them."""
    if before is None or before.is_over or before.users_may_have_written:
        return {}
    return {name: value for name, value in before.known.items() if name in KEPT_FACTS}


def restores_database(recreate: Recreate, policy: str) -> str:
    """How the database gets back to a state that the old version can use: backup, down, or nothing (empty)."""
    if not recreate.known.get("migrated") or recreate.users_may_have_written:
        return ""
    return policy if policy in ("backup", "down") else ""


def is_beyond_return(recreate: Recreate, policy: str) -> bool:
    """Whether the old version cannot run any more once users are let in: the database would have had to be restored."""
    return bool(recreate.known.get("migrated")) and policy in ("backup", "down")
