# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The ledger's rows about migrations of databases."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.migrations import (
    Boundary,
    DatabaseClaim,
    Migration,
    Proof,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.tables import Tables

SCHEMA = """
CREATE TABLE migration (
    id INTEGER PRIMARY KEY, service TEXT NOT NULL, database TEXT NOT NULL, rollout INTEGER NOT NULL, run TEXT NOT NULL,
    phase TEXT NOT NULL, status TEXT NOT NULL, version_before TEXT NOT NULL, version TEXT NOT NULL, at REAL NOT NULL,
    ended_at REAL, error TEXT NOT NULL
);
CREATE TABLE database_claim (
    database TEXT PRIMARY KEY, service TEXT NOT NULL, run TEXT NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE boundary (
    id INTEGER PRIMARY KEY, service TEXT NOT NULL, database TEXT NOT NULL, rollout INTEGER NOT NULL,
    version TEXT NOT NULL, forbidden TEXT NOT NULL, lost TEXT NOT NULL, at REAL NOT NULL
);
"""


class Migrations(Tables):
    """Part of Records."""

    def database_claim(self, database: str) -> DatabaseClaim | None:
        return self._one(DatabaseClaim, "SELECT * FROM database_claim WHERE database = ?", database)

    def save_database_claim(self, claim: DatabaseClaim) -> None:
        self._replace("database_claim", claim)

    def drop_database_claim(self, database: str, run: str) -> None:
        self._connection.execute("DELETE FROM database_claim WHERE database = ? AND run = ?", (database, run))

    def add_migration(self, migration: Migration) -> None:
        self._insert("migration", dataclasses.replace(migration, id=None))  # type: ignore[arg-type]

    def running_migration(self, service: str, database: str, phase: str) -> Migration | None:
        """The newest that was begun and whose end was not reported."""
        return self._one(
            Migration,
            "SELECT * FROM migration WHERE service = ? AND database = ? AND phase = ? AND status = 'running' "
            "ORDER BY id DESC LIMIT 1",
            service,
            database,
            phase,
        )

    def end_migrations(self, service: str, database: str, phase: str, changes: t.Mapping[str, t.Any]) -> None:
        """All that were begun: the tool has reported the database's version, which settles interrupted ones too."""
        columns = ", ".join(f"{name} = ?" for name in changes)
        self._connection.execute(
            f"UPDATE migration SET {columns} WHERE service = ? AND database = ? AND phase = ? AND status = 'running'",
            (*changes.values(), service, database, phase),
        )

    def migrations(self, service: str, limit: int = 20) -> list[Migration]:
        return self._all(
            Migration, "SELECT * FROM migration WHERE service = ? ORDER BY id DESC LIMIT ?", service, limit
        )

    def services_of(self, database: str) -> list[str]:
        rows = self._connection.execute(
            "SELECT DISTINCT service FROM migration WHERE database = ? ORDER BY 1", (database,)
        )
        return [row[0] for row in rows]

    def boundaries(self, service: str) -> list[Boundary]:
        """Oldest first."""
        return self._all(Boundary, "SELECT * FROM boundary WHERE service = ? ORDER BY id", service)

    def add_boundary(self, boundary: Boundary) -> None:
        self._insert("boundary", dataclasses.replace(boundary, id=None))  # type: ignore[arg-type]

    def last_proofs(self, service: str) -> dict[str, Proof]:
        """For each host that was ever proven: its last version, and when that was proven first without another between."""
        found: dict[str, Proof] = {}
        rows = self._connection.execute("SELECT host, version, at FROM proof WHERE service = ? ORDER BY id", (service,))
        for host, version, at in rows:
            if host not in found or found[host].version != version:
                found[host] = Proof(version, at)
        return found
