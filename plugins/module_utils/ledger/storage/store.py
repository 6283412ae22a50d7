# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The ledger's file: one SQLite database, its schema and its transactions."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import typing as t
import uuid

from ansible_collections.steady.rollout.plugins.module_utils import files
from ansible_collections.steady.rollout.plugins.module_utils.claims import state_directory
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage import (
    flags,
    location,
    migrations,
    recreates,
    tiers,
    writer,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.location import FILE
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.records import Records

FORMAT = "12"
BUSY_SECONDS = 30
LOOK_SECONDS = 1
"""How long a change waits for its turn before it looks whom it waits for."""

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE lease (
    service TEXT PRIMARY KEY, token INTEGER NOT NULL, run TEXT, owner TEXT NOT NULL, taken_at REAL NOT NULL,
    heartbeat_at REAL NOT NULL, ttl REAL NOT NULL, held_until REAL NOT NULL,
    watch_at REAL, reserved_for TEXT
) WITHOUT ROWID;
CREATE TABLE rollout (
    id INTEGER PRIMARY KEY, service TEXT NOT NULL, version TEXT, direction TEXT NOT NULL, status TEXT NOT NULL,
    reason TEXT, reason_kind TEXT, revert_requested INTEGER NOT NULL, source_version TEXT, run TEXT, limits TEXT,
    created_at REAL NOT NULL, planned_at REAL, progress_at REAL, paused_at REAL, concluded_at REAL, outcome TEXT,
    message TEXT, operation TEXT NOT NULL
);
CREATE TABLE pool (
    node TEXT NOT NULL, name TEXT NOT NULL, service TEXT NOT NULL, PRIMARY KEY (node, name)
) WITHOUT ROWID;
CREATE INDEX rollout_service ON rollout (service, id);
CREATE TABLE host (
    rollout INTEGER NOT NULL, name TEXT NOT NULL, zone TEXT NOT NULL, member TEXT NOT NULL, position INTEGER NOT NULL,
    slot INTEGER, condition TEXT NOT NULL, lb_state TEXT NOT NULL, phase TEXT NOT NULL, in_scope INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    from_version TEXT, target_version TEXT, last_good_version TEXT, kind TEXT, error TEXT, step TEXT, run TEXT, interrupted_run TEXT,
    drained_by_us INTEGER NOT NULL, modified INTEGER NOT NULL, step_at REAL, limit_seconds REAL NOT NULL, admitted_at REAL,
    deadline_at REAL, drained_at REAL, in_service_at REAL, drained_for REAL, lb_before TEXT, veto TEXT, vetoed_at REAL,
    vetoed_until REAL, PRIMARY KEY (rollout, name)
) WITHOUT ROWID;
CREATE TABLE tally (
    rollout INTEGER NOT NULL, zone TEXT NOT NULL, lb_state TEXT NOT NULL, phase TEXT NOT NULL, condition TEXT NOT NULL,
    size INTEGER NOT NULL, PRIMARY KEY (rollout, zone, lb_state, phase, condition)
) WITHOUT ROWID;
CREATE TRIGGER host_added AFTER INSERT ON host BEGIN
    INSERT INTO tally VALUES (
        NEW.rollout, NEW.zone, NEW.lb_state, CASE NEW.in_scope WHEN 1 THEN NEW.phase ELSE 'outside' END, NEW.condition, 1
    ) ON CONFLICT (rollout, zone, lb_state, phase, condition) DO UPDATE SET size = size + 1;
END;
CREATE TRIGGER host_removed AFTER DELETE ON host BEGIN
    UPDATE tally SET size = size - 1 WHERE rollout = OLD.rollout AND zone = OLD.zone AND lb_state = OLD.lb_state
        AND phase = CASE OLD.in_scope WHEN 1 THEN OLD.phase ELSE 'outside' END AND condition = OLD.condition;
END;
CREATE TRIGGER host_changed AFTER UPDATE OF zone, lb_state, phase, condition, in_scope ON host BEGIN
    UPDATE tally SET size = size - 1 WHERE rollout = OLD.rollout AND zone = OLD.zone AND lb_state = OLD.lb_state
        AND phase = CASE OLD.in_scope WHEN 1 THEN OLD.phase ELSE 'outside' END AND condition = OLD.condition;
    INSERT INTO tally VALUES (
        NEW.rollout, NEW.zone, NEW.lb_state, CASE NEW.in_scope WHEN 1 THEN NEW.phase ELSE 'outside' END, NEW.condition, 1
    ) ON CONFLICT (rollout, zone, lb_state, phase, condition) DO UPDATE SET size = size + 1;
END;
CREATE TABLE guard (
    rollout INTEGER NOT NULL, zone TEXT NOT NULL, members TEXT NOT NULL, PRIMARY KEY (rollout, zone)
) WITHOUT ROWID;
CREATE INDEX host_order ON host (rollout, phase, position);
CREATE INDEX host_deadline ON host (rollout, phase, deadline_at);
CREATE INDEX host_counted ON host (rollout) WHERE counted = 1;
CREATE TABLE observed (
    rollout INTEGER NOT NULL, host TEXT NOT NULL, results TEXT NOT NULL, why TEXT NOT NULL, PRIMARY KEY (rollout, host)
) WITHOUT ROWID;
CREATE TABLE left_out (
    service TEXT NOT NULL, host TEXT NOT NULL, member TEXT NOT NULL, rollout INTEGER NOT NULL, run TEXT NOT NULL,
    at REAL NOT NULL, PRIMARY KEY (service, host)
) WITHOUT ROWID;
CREATE TABLE proof (
    id INTEGER PRIMARY KEY, service TEXT NOT NULL, host TEXT NOT NULL, version TEXT NOT NULL, at REAL NOT NULL
);
CREATE INDEX proof_host ON proof (service, host, id);
CREATE TABLE operated (
    service TEXT NOT NULL, host TEXT NOT NULL, operation TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (service, host, operation)
) WITHOUT ROWID;
CREATE TABLE bad (
    service TEXT NOT NULL, version TEXT NOT NULL, why TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (service, version)
) WITHOUT ROWID;
CREATE TABLE block (
    service TEXT PRIMARY KEY, reason TEXT NOT NULL, by TEXT NOT NULL, lifters TEXT NOT NULL, since REAL NOT NULL, until REAL
) WITHOUT ROWID;
CREATE TABLE request (
    service TEXT NOT NULL, plan TEXT NOT NULL, requester TEXT NOT NULL, required INTEGER NOT NULL, approvers TEXT NOT NULL,
    valid_for REAL NOT NULL, at REAL NOT NULL, summary TEXT NOT NULL, PRIMARY KEY (service, plan)
) WITHOUT ROWID;
CREATE TABLE approval (
    service TEXT NOT NULL, plan TEXT NOT NULL, user TEXT NOT NULL, by TEXT NOT NULL, at REAL NOT NULL, until REAL NOT NULL,
    event INTEGER NOT NULL, used_by INTEGER, PRIMARY KEY (service, plan, user)
) WITHOUT ROWID;
CREATE TABLE gate (
    rollout INTEGER NOT NULL, stage INTEGER NOT NULL, complete_at REAL NOT NULL, slots INTEGER NOT NULL,
    status TEXT NOT NULL, claim TEXT, claimed_by TEXT, until REAL, verdict TEXT, reason TEXT, evidence TEXT, at REAL,
    PRIMARY KEY (rollout, stage)
) WITHOUT ROWID;
CREATE TABLE watch (
    service TEXT NOT NULL, rollout INTEGER NOT NULL, run TEXT NOT NULL, step TEXT NOT NULL, began_at REAL NOT NULL,
    polled_at REAL, polls INTEGER NOT NULL, books TEXT NOT NULL, asked INTEGER NOT NULL, verdict TEXT,
    result TEXT NOT NULL, PRIMARY KEY (rollout, run, step)
) WITHOUT ROWID;
CREATE TABLE measured (
    service TEXT NOT NULL, rollout INTEGER NOT NULL, run TEXT NOT NULL, step TEXT NOT NULL, at REAL NOT NULL,
    metric TEXT NOT NULL, source TEXT NOT NULL, query TEXT NOT NULL, answer TEXT NOT NULL, outcome TEXT NOT NULL,
    why TEXT NOT NULL, samples TEXT NOT NULL
);
CREATE INDEX measured_step ON measured (rollout, run, step, at);
CREATE TABLE shift (
    rollout INTEGER PRIMARY KEY, strategy TEXT NOT NULL, live TEXT NOT NULL, candidate TEXT NOT NULL, members TEXT NOT NULL,
    steps TEXT NOT NULL, usual TEXT NOT NULL, ready_for REAL NOT NULL, phase TEXT NOT NULL, step INTEGER NOT NULL,
    goal TEXT, shown TEXT, tries INTEGER NOT NULL, baked_from REAL, promoted TEXT, promotes INTEGER NOT NULL,
    verdicts TEXT NOT NULL, ready_until REAL
);
CREATE TABLE event (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, service TEXT NOT NULL, rollout INTEGER, run TEXT, kind TEXT NOT NULL,
    host TEXT, data TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL
);
CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER event_is_not_removed BEFORE DELETE ON event
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
"""


class Store:
    """One connection to one ledger. A process opens it for one call and closes it after."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self.connection = connection
        self.path = path
        connection.isolation_level = None
        connection.row_factory = sqlite3.Row

    @classmethod
    def at(cls, directory: str | None) -> Store:
        """Opens the ledger of a directory and creates both where needed; the directory is for the owner alone."""
        directory = directory or state_directory()
        try:
            location.make_private(directory)
            if location.identity(directory):
                return cls._opened(directory)
            # SQLite does not wait for another process that switches a new file to WAL: it fails at once.
            with files.locked(os.path.join(directory, location.LOCK), f"the ledger in {directory}"):
                return cls._opened(directory)
        except (OSError, sqlite3.Error) as error:
            raise unusable(os.path.join(directory, FILE), error) from None

    @classmethod
    def _opened(cls, directory: str) -> Store:
        path = os.path.join(directory, FILE)
        expected = location.identity(directory)
        if not _has_content(path):
            location.refuse_other(directory, expected, "")
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
        store = cls(sqlite3.connect(path, timeout=BUSY_SECONDS), path)
        store._prepare(directory, expected)
        return store

    @classmethod
    def to_look_at(cls, directory: str | None) -> Store:
        """The same without creating anything: where there is no ledger yet, an empty one in memory."""
        directory = directory or state_directory()
        if _has_content(os.path.join(directory, FILE)) or os.path.exists(os.path.join(directory, location.IDENTITY)):
            return cls.at(directory)
        return cls.in_memory()

    @classmethod
    def in_memory(cls) -> Store:
        store = cls(sqlite3.connect(":memory:"), ":memory:")
        store._prepare()
        return store

    def close(self) -> None:
        self.connection.close()

    def writing(self, keep: bool = True) -> t.ContextManager[Records]:
        """One atomic change; with *keep* false it is computed and thrown away (check mode)."""
        return self._transaction("BEGIN IMMEDIATE", "COMMIT" if keep else "ROLLBACK")

    def reading(self) -> t.ContextManager[Records]:
        """One consistent view."""
        return self._transaction("BEGIN", "ROLLBACK")

    def changes(self) -> int:
        """A number that differs once another connection has written."""
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    @contextlib.contextmanager
    def _transaction(self, begin: str, end: str) -> t.Iterator[Records]:
        try:
            self._begin(begin)
            try:
                yield Records(self.connection)
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute(end)
        except sqlite3.Error as error:
            raise unusable(self.path, error) from None

    def _begin(self, begin: str) -> None:
        """Waits for its turn, but not for a process that is stopped."""
        for waited in range(LOOK_SECONDS, BUSY_SECONDS + 1, LOOK_SECONDS):
            self._wait_for_others(LOOK_SECONDS)
            try:
                self.connection.execute(begin)
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                other = writer.writer_of(self.path)
                if waited >= BUSY_SECONDS or (other and other.is_stopped):
                    raise writer.refusal(self.path, other, waited) from None
            finally:
                self._wait_for_others(BUSY_SECONDS)

    def _wait_for_others(self, seconds: float) -> None:
        self.connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    def _prepare(self, directory: str | None = None, expected: str = "") -> None:
        self._wait_for_others(BUSY_SECONDS)
        self.connection.execute("PRAGMA synchronous = FULL")
        if self._is_new():
            if directory is not None:
                location.refuse_other(directory, expected, "")
            # WAL lets waiting calls read without blocking those that write; it stays on in the file.
            self.connection.execute("PRAGMA journal_mode = WAL")
            with self._transaction("BEGIN IMMEDIATE", "COMMIT"):
                if self._is_new():
                    self._create()
        self._refuse_other_formats()
        if directory is not None:
            self._keep_identity(directory, expected)

    def _keep_identity(self, directory: str, expected: str) -> None:
        found = str(self.connection.execute("SELECT content FROM meta WHERE name = 'ledger_id'").fetchone()[0])
        location.refuse_other(directory, expected, found)
        if not expected:
            location.note_identity(directory, found)

    def _is_new(self) -> bool:
        row = self.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
        return row is None

    def _create(self) -> None:
        # executescript would end the transaction that makes creation atomic.
        for statement in statements(SCHEMA + migrations.SCHEMA + recreates.SCHEMA + flags.SCHEMA + tiers.SCHEMA):
            self.connection.execute(statement)
        self.connection.executemany(
            "INSERT INTO meta VALUES (?, ?)",
            [("format", FORMAT), ("ledger_id", str(uuid.uuid4())), ("head_seq", "0"), ("head_hash", "0" * 64)],
        )

    def _refuse_other_formats(self) -> None:
        found = self.connection.execute("SELECT content FROM meta WHERE name = 'format'").fetchone()[0]
        if found != FORMAT:
            raise RolloutError(
                f"{self.path}: the ledger has format {found}, this version of steady.rollout reads format {FORMAT}; "
                "use the version of the collection that wrote it."
            )


def _has_content(path: str) -> bool:
    return os.path.exists(path) and os.path.getsize(path) > 0


def statements(script: str) -> t.Iterator[str]:
    """The statements of an SQL script one by one."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def unusable(path: str, error: Exception) -> RolloutError:
    return RolloutError(
        f"{path}: the ledger cannot be used ({error}). Check that the disk has space and that this user owns the file."
    )
