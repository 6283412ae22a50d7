# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The ledger's rows inside one transaction."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import (
    Gate,
    Host,
    Lease,
    Rollout,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Shift
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.versions import BadVersions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage import chain
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.flags import Flags
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.host_records import HostRecords
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.migrations import Migrations
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.permissions import Permissions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.recreates import Recreates
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.tiers import TieredReleases

PROOFS_KEPT = 50


class Records(Flags, HostRecords, Migrations, Permissions, Recreates, TieredReleases):
    """Reads and writes rows; every method belongs to the transaction that handed the Records out."""

    # Leases

    def ledger_id(self) -> str:
        return self._meta("ledger_id")

    def lease(self, service: str) -> Lease | None:
        return self._one(Lease, "SELECT * FROM lease WHERE service = ?", service)

    def leases(self) -> list[Lease]:
        return self._all(Lease, "SELECT * FROM lease ORDER BY service")

    def save_lease(self, lease: Lease) -> None:
        self._replace("lease", lease)

    # Rollouts

    def rollout(self, number: int) -> Rollout | None:
        return self._one(Rollout, "SELECT * FROM rollout WHERE id = ?", number)

    def rollouts(self, service: str | None = None, limit: int = 20) -> list[Rollout]:
        """The newest ones first."""
        if service is None:
            return self._all(Rollout, "SELECT * FROM rollout ORDER BY id DESC LIMIT ?", limit)
        return self._all(Rollout, "SELECT * FROM rollout WHERE service = ? ORDER BY id DESC LIMIT ?", service, limit)

    def rollout_of_run(self, service: str, run: str | None) -> Rollout | None:
        return self._one(
            Rollout, "SELECT * FROM rollout WHERE service = ? AND run = ? ORDER BY id DESC LIMIT 1", service, run
        )

    def rollout_that_had(self, service: str, run: str | None) -> int | None:
        """The number of the rollout that the run worked on, also after another run has resumed it."""
        row = self._connection.execute(
            "SELECT rollout FROM event WHERE service = ? AND run = ? AND kind = 'opened' LIMIT 1", (service, run)
        ).fetchone()
        return None if row is None else int(row[0])

    def release_run_of(self, service: str, run: str | None) -> str | None:
        """The run of the release of several services that this run of one service was part of."""
        row = self._connection.execute(
            "SELECT data FROM event WHERE service = ? AND run = ? AND kind = 'opened' LIMIT 1", (service, run)
        ).fetchone()
        return None if row is None else json.loads(row[0]).get("release_run")

    def current(self, service: str) -> Rollout | None:
        """The rollout that the lease is held for or, while it is free, the one worked on last."""
        return self._one(
            Rollout,
            "SELECT rollout.* FROM rollout LEFT JOIN lease ON lease.service = rollout.service AND lease.run = rollout.run "
            "WHERE rollout.service = ? ORDER BY lease.run IS NULL, "
            "MAX(created_at, COALESCE(planned_at, 0), COALESCE(concluded_at, 0)) DESC, id DESC LIMIT 1",
            service,
        )

    def latest(self, service: str, *directions: str, planned: bool = True) -> Rollout | None:
        """The newest rollout of one of these directions, concluded or not; *planned* leaves out what never began."""
        marks = ", ".join("?" for dummy in directions)
        begun = "AND planned_at IS NOT NULL" if planned else ""
        return self._one(
            Rollout,
            f"SELECT * FROM rollout WHERE service = ? AND direction IN ({marks}) AND status != ? {begun} "
            "ORDER BY id DESC LIMIT 1",
            service,
            *directions,
            model.SUPERSEDED,
        )

    def unfinished_beside(self, rollout: Rollout) -> list[Rollout]:
        """The other rollouts of the service that were never concluded."""
        return self._all(
            Rollout,
            "SELECT * FROM rollout WHERE service = ? AND id != ? AND direction NOT IN (?, ?) AND concluded_at IS NULL",
            rollout.service,
            rollout.id,
            model.RECOVER,
            model.FLAG,
        )

    def was_rolled_out(self, service: str, version: str) -> bool:
        """Whether a rollout of this version once reached every host; one that ended under --limit did not."""
        row = self._connection.execute(
            "SELECT 1 FROM rollout WHERE service = ? AND version = ? AND direction = ? AND status = ? AND NOT EXISTS ("
            "SELECT 1 FROM host WHERE host.rollout = rollout.id AND in_scope = 0 AND phase NOT IN (?, ?)) LIMIT 1",
            (service, version, model.FORWARD, model.DONE, *model.ON_TARGET),
        ).fetchone()
        return row is not None

    def add_rollout(self, rollout: Rollout) -> Rollout:
        cursor = self._insert("rollout", dataclasses.replace(rollout, id=None))  # type: ignore[arg-type]
        return dataclasses.replace(rollout, id=cursor.lastrowid or 0)

    def change_rollout(self, number: int, changes: dict[str, t.Any]) -> None:
        tables = ", ".join(f"{name} = ?" for name in changes)
        self._connection.execute(f"UPDATE rollout SET {tables} WHERE id = ?", (*changes.values(), number))

    # What we took out of service and have not yet seen back

    def left_out(self, service: str) -> dict[str, dict[str, t.Any]]:
        rows = self._connection.execute("SELECT * FROM left_out WHERE service = ? ORDER BY host", (service,))
        return {row["host"]: dict(row) for row in rows}

    def note_left_out(self, service: str, host: Host, run: str, at: float) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO left_out VALUES (?, ?, ?, ?, ?, ?)",
            (service, host.name, host.member, host.rollout, run, at),
        )

    def note_back(self, service: str, host: str) -> None:
        self._connection.execute("DELETE FROM left_out WHERE service = ? AND host = ?", (service, host))

    # Proofs and bad versions

    def proofs(self, service: str, host: str) -> list[str]:
        """The versions proven in service on a host, oldest first."""
        rows = self._connection.execute(
            "SELECT version FROM (SELECT id, version FROM proof WHERE service = ? AND host = ? ORDER BY id DESC LIMIT ?) "
            "ORDER BY id",
            (service, host, PROOFS_KEPT),
        )
        return [row[0] for row in rows]

    def all_proofs(self, service: str) -> dict[str, list[str]]:
        proofs: dict[str, list[str]] = {}
        for host, version in self._connection.execute(
            "SELECT host, version FROM proof WHERE service = ? ORDER BY host, id", (service,)
        ):
            proofs.setdefault(host, []).append(version)
        return proofs

    def add_proofs(self, service: str, proven: t.Iterable[tuple[str, str]], at: float) -> None:
        self._connection.executemany(
            "INSERT INTO proof (service, host, version, at) VALUES (?, ?, ?, ?)",
            [(service, host, version, at) for host, version in proven],
        )

    def operated(self, service: str, operation: str) -> set[str]:
        """The hosts on which the operation is done and proven."""
        rows = self._connection.execute(
            "SELECT host FROM operated WHERE service = ? AND operation = ?", (service, operation)
        )
        return {row[0] for row in rows}

    def note_operated(self, service: str, host: str, operation: str, at: float) -> None:
        self._connection.execute("INSERT OR REPLACE INTO operated VALUES (?, ?, ?, ?)", (service, host, operation, at))

    def bad_versions(self, service: str) -> BadVersions:
        rows = self._connection.execute("SELECT version, why, at FROM bad WHERE service = ?", (service,))
        return BadVersions((row["version"], dict(row)) for row in rows)

    def mark_bad(self, service: str, version: str, why: str, at: float) -> None:
        self._connection.execute("INSERT OR REPLACE INTO bad VALUES (?, ?, ?, ?)", (service, version, why, at))

    def unmark_bad(self, service: str, version: str) -> None:
        self._connection.execute("DELETE FROM bad WHERE service = ? AND version = ?", (service, version))

    # Gates

    def gates(self, rollout: int) -> dict[int, Gate]:
        gates = self._all(Gate, "SELECT * FROM gate WHERE rollout = ? ORDER BY stage", rollout)
        return {gate.stage: gate for gate in gates}

    def save_gate(self, gate: Gate) -> None:
        self._replace("gate", gate)

    def remove_gate(self, gate: Gate) -> None:
        self._connection.execute("DELETE FROM gate WHERE rollout = ? AND stage = ?", (gate.rollout, gate.stage))

    # Shifts of traffic

    def shift(self, rollout: int) -> Shift | None:
        return self._one(Shift, "SELECT * FROM shift WHERE rollout = ?", rollout)

    def latest_shift(self, service: str) -> Shift | None:
        """The newest of the service's rollouts that shifted traffic, however they ended."""
        return self._one(
            Shift,
            "SELECT shift.* FROM shift JOIN rollout ON rollout.id = shift.rollout WHERE rollout.service = ? "
            "ORDER BY MAX(rollout.created_at, COALESCE(rollout.planned_at, 0)) DESC, rollout.id DESC LIMIT 1",
            service,
        )

    def save_shift(self, shift: Shift) -> None:
        self._replace("shift", shift)

    def remove_shift(self, rollout: int) -> None:
        self._connection.execute("DELETE FROM shift WHERE rollout = ?", (rollout,))

    # Events

    def add_event(
        self,
        at: float,
        service: str,
        kind: str,
        rollout: int | None = None,
        run: str | None = None,
        host: str | None = None,
        data: dict[str, t.Any] | None = None,
    ) -> int:
        """Returns its number."""
        seq = int(self._meta("head_seq")) + 1
        event = chain.sealed(seq, at, service, rollout, run, kind, host, data or {}, self._meta("head_hash"))
        self._connection.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", event)
        self._connection.executemany(
            "UPDATE meta SET content = ? WHERE name = ?", [(str(seq), "head_seq"), (event.hash, "head_hash")]
        )
        return seq

    def event(self, seq: int) -> chain.Event | None:
        row = self._connection.execute("SELECT * FROM event WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else chain.Event(*row)

    def add_event_once(
        self,
        at: float,
        service: str,
        kind: str,
        rollout: int,
        run: str | None,
        host: str | None,
        data: dict[str, t.Any],
        most: int,
    ) -> None:
        """Unless the run has one of this kind for the host with the same operation, or *most* of the kind."""
        rows = self._connection.execute(
            "SELECT host, data FROM event WHERE service = ? AND run = ? AND kind = ?", (service, run, kind)
        ).fetchall()
        known = {(row[0], json.loads(row[1]).get("operation")) for row in rows}
        if len(rows) < most and (host, data.get("operation")) not in known:
            self.add_event(at, service, kind, rollout, run, host, data)

    def events(self, service: str | None, limit: int) -> list[chain.Event]:
        """The newest ones, oldest of them first."""
        where, values = ("", ()) if service is None else ("WHERE service = ? ", (service,))
        rows = self._connection.execute(f"SELECT * FROM event {where}ORDER BY seq DESC LIMIT ?", (*values, limit))
        return [chain.Event(*row) for row in rows][::-1]

    def broken_at(self) -> int | None:
        rows = self._connection.execute("SELECT * FROM event ORDER BY seq")
        head = (int(self._meta("head_seq")), self._meta("head_hash"))
        return chain.first_break((chain.Event(*row) for row in rows), head)

    def anchor(self) -> str:
        """The newest event's number and hash: kept elsewhere, it shows whether the history was rewritten."""
        return f"{self._meta('head_seq')}:{self._meta('head_hash')}"

    def hash_at(self, seq: int) -> str | None:
        row = self._connection.execute("SELECT hash FROM event WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else str(row[0])

    def event_count(self) -> int:
        return int(self._meta("head_seq"))
