# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The ledger's rows about releases of several services."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.tiers import (
    State,
    Tier,
    TieredRelease,
    is_drill,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.tables import Tables

SCHEMA = """
CREATE TABLE tiered_release (
    id INTEGER PRIMARY KEY, services TEXT NOT NULL, run TEXT NOT NULL, direction TEXT NOT NULL, reason TEXT NOT NULL,
    revert_requested INTEGER NOT NULL, stopped TEXT NOT NULL, stopped_kind TEXT NOT NULL, created_at REAL NOT NULL, concluded_at REAL,
    outcome TEXT NOT NULL, message TEXT NOT NULL
);
CREATE TABLE tier (
    release INTEGER NOT NULL, name TEXT NOT NULL, service TEXT NOT NULL, version TEXT NOT NULL, position INTEGER NOT NULL,
    fleet TEXT NOT NULL, needs TEXT NOT NULL, state TEXT NOT NULL, changed INTEGER NOT NULL, rollout INTEGER,
    message TEXT NOT NULL, PRIMARY KEY (release, service)
) WITHOUT ROWID;
"""


class TieredReleases(Tables):
    """Part of Records."""

    def latest_release(self, services: t.Sequence[str]) -> State | None:
        """The newest of exactly these services."""
        return self._release_where("services = ?", json.dumps(sorted(services)))

    def latest_change(self, services: t.Sequence[str]) -> State | None:
        """The newest of exactly these services that had something to change, and was no drill."""
        rows = self._all(
            TieredRelease,
            "SELECT * FROM tiered_release WHERE services = ? AND id IN (SELECT release FROM tier WHERE changed = 1) "
            "ORDER BY id DESC",
            json.dumps(sorted(services)),
        )
        return next((state for state in map(self._with_tiers, rows) if not is_drill(state[1])), None)

    def release_of_run(self, run: str) -> State | None:
        return self._release_where("run = ?", run)

    def release_with(self, service: str) -> State | None:
        """The newest that the service is part of."""
        return self._release_where("id IN (SELECT release FROM tier WHERE service = ?)", service)

    def unfinished_releases(self) -> list[State]:
        rows = self._all(
            TieredRelease, "SELECT * FROM tiered_release WHERE outcome NOT IN ('done', 'reverted', 'superseded')"
        )
        return [self._with_tiers(row) for row in rows]

    def add_release(self, state: State) -> State:
        release, tiers = state
        cursor = self._insert("tiered_release", dataclasses.replace(release, id=None))  # type: ignore[arg-type]
        number = cursor.lastrowid or 0
        added = (
            dataclasses.replace(release, id=number),
            tuple(dataclasses.replace(tier, release=number) for tier in tiers),
        )
        self.save_release(added)
        return added

    def save_release(self, state: State) -> None:
        release, tiers = state
        self._replace("tiered_release", release)
        for tier in tiers:
            self._replace("tier", tier)

    def _release_where(self, condition: str, *values: t.Any) -> State | None:
        row = self._one(
            TieredRelease, f"SELECT * FROM tiered_release WHERE {condition} ORDER BY id DESC LIMIT 1", *values
        )
        return self._with_tiers(row) if row else None

    def _with_tiers(self, release: TieredRelease) -> State:
        return release, tuple(self._all(Tier, "SELECT * FROM tier WHERE release = ? ORDER BY position", release.id))

    # The leases that a release holds for its other services

    def beat_reserved(self, run: str, service: str, now: float, held_until: float) -> None:
        self._connection.execute(
            "UPDATE lease SET heartbeat_at = ?, held_until = ? WHERE reserved_for = ? AND service != ?",
            (now, held_until, run, service),
        )
