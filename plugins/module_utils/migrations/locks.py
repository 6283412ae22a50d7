# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Who holds the lock that a migration waits for, as PostgreSQL and MySQL report it."""

from __future__ import annotations

import contextlib
import threading
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.migrations.database import (
    APPLICATION,
    POSTGRESQL,
    Database,
)
from ansible_collections.steady.rollout.plugins.module_utils.migrations.programs import Programs

POLL = 0.5
LOCK_FAILED = ("lock timeout", "locknotavailable", "55p03", "lock wait timeout exceeded")
"""What the tools print where the lock was not to be had in time."""
OF_POSTGRESQL = f"""
SELECT DISTINCT b.pid, b.usename, b.application_name, coalesce(host(b.client_addr), 'local'), b.state,
  extract(epoch FROM now() - b.xact_start)::int, split_part(ltrim(b.query), ' ', 1)
FROM pg_stat_activity w CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS p(pid)
JOIN pg_stat_activity b ON b.pid = p.pid WHERE w.application_name = '{APPLICATION}';
"""
OF_MYSQL = """
SELECT t.trx_mysql_thread_id, p.USER, p.COMMAND, p.HOST, t.trx_state, TIMESTAMPDIFF(SECOND, t.trx_started, NOW()),
  SUBSTRING_INDEX(LTRIM(COALESCE(t.trx_query, '')), ' ', 1)
FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.ID = t.trx_mysql_thread_id
WHERE t.trx_mysql_thread_id != CONNECTION_ID() AND TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) >= 1;
"""


def is_about_locks(text: str) -> bool:
    lowered = text.lower()
    return any(one in lowered for one in LOCK_FAILED)


class Blockers:
    """Asks twice a second while the migration runs. What cannot be asked is no reason to fail."""

    def __init__(self, programs: Programs, database: Database) -> None:
        self._programs = programs
        self._database = database
        self._is_over = threading.Event()
        self._seen: dict[str, str] = {}

    def __enter__(self) -> Blockers:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_problem: t.Any) -> None:
        self._is_over.set()
        self._thread.join(timeout=10)

    @property
    def seen(self) -> list[str]:
        return list(self._seen.values())

    def _watch(self) -> None:
        with contextlib.suppress(RolloutError):
            while not self._is_over.wait(POLL):
                self.look()

    def look(self) -> None:
        query = OF_POSTGRESQL if self._database.kind == POSTGRESQL else OF_MYSQL
        said = self._programs.checked(self._database.client(), query)
        for line in said.out.splitlines():
            fields = line.split("\t")
            if len(fields) == 7:
                self._seen[fields[0]] = blocker(fields)


def blocker(fields: t.Sequence[str]) -> str:
    """One sentence's part on a blocking session. Its statement is named by its first word only: the rest may be data."""
    pid, user, application, host, state, seconds, word = fields
    program = f" ({application})" if application else ""
    return f"session {pid} of {user}{program} from {host}, {state} for {seconds or '?'} s, in {word.upper() or 'no statement'}"
