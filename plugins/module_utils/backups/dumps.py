# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Dumps by the databases' own programs: written, verified, restored."""

from __future__ import annotations

import re
import typing as t
import uuid

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.migrations.database import Database
from ansible_collections.steady.rollout.plugins.module_utils.migrations.programs import Programs

KIND = "backup"
SCRATCH = "steady_scratch_"
COMPLETED = "-- Dump completed"
ENTRY = re.compile(r"^\d+; ", re.MULTILINE)
EMPTY_IT = """
DO $steady$
DECLARE one record;
BEGIN
  FOR one IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
    AND oid NOT IN (SELECT objid FROM pg_depend WHERE classid = 'pg_namespace'::regclass AND deptype = 'e') LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', one.nspname);
  END LOOP;
  FOR one IN SELECT c.oid, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    AND c.oid NOT IN (SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e') LOOP
    IF EXISTS (SELECT 1 FROM pg_class WHERE oid = one.oid) THEN
      EXECUTE format('DROP %s public.%I CASCADE', CASE one.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
        WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, one.relname);
    END IF;
  END LOOP;
  FOR one IN SELECT p.oid::regprocedure AS name, p.prokind FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'public'
    AND p.oid NOT IN (SELECT objid FROM pg_depend WHERE classid = 'pg_proc'::regclass AND deptype = 'e') LOOP
    EXECUTE format('DROP %s %s CASCADE', CASE one.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE'
      ELSE 'FUNCTION' END, one.name);
  END LOOP;
  FOR one IN SELECT t.oid, t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE n.nspname = 'public' AND (t.typtype IN ('e', 'd', 'r')
      OR EXISTS (SELECT 1 FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
    AND t.oid NOT IN (SELECT objid FROM pg_depend WHERE classid = 'pg_type'::regclass AND deptype = 'e') LOOP
    IF EXISTS (SELECT 1 FROM pg_type WHERE oid = one.oid) THEN
      EXECUTE format('DROP TYPE public.%I CASCADE', one.typname);
    END IF;
  END LOOP;
  PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
END
$steady$;
"""
"""What a migration has created since the dump goes too; extensions stay, they are in the dump with IF NOT EXISTS."""
RESTORE = (
    'dump="$1"; shift; { printf "%s\\n" "$STEADY_EMPTY_IT"; pg_restore -f - "$dump" || echo "SELECT restore_failed();"; } '
    '| "$@" -1 -o /dev/null'
)
"""In one transaction: a dump that cannot be read to its end fails it, and the database stays as it was."""
MARIADB_RESTORE = 'dump="$1"; shift; exec "$@" < "$dump"'


class Dumps(t.Protocol):
    suffix: str

    def check(self) -> float:
        """The size of the database in bytes. Raises RolloutError where it cannot be dumped."""

    def write(self, path: str) -> None: ...

    def verify(self, path: str) -> int:
        """How many entries it has. Raises RolloutError where it is not whole."""

    def restore(self, path: str) -> None: ...

    def restore_into_scratch(self, path: str) -> None: ...


class PostgreSql:
    suffix = ".dump"

    def __init__(self, programs: Programs, database: Database) -> None:
        self._programs = programs
        self._database = database

    def check(self) -> float:
        said = self._sql(
            "SELECT pg_database_size(current_database()), current_setting('server_version_num')::int / 10000;"
        )
        size, server = said.split()[:2]
        client = re.search(r"(\d+)", self._programs.checked(["pg_dump", "--version"], kind=KIND).out)
        if client is None or int(client.group(1)) < int(server):
            raise RolloutError(
                f"{self._database.shown}: pg_dump here is of version {client.group(1) if client else 'unknown'}, and the "
                f"server is of version {server}, which it cannot dump. Install postgresql-client-{server}.",
                kind=KIND,
            )
        return float(size)

    def write(self, path: str) -> None:
        self._programs.checked(["pg_dump", "-Fc", "-f", path], kind=KIND)

    def verify(self, path: str) -> int:
        return len(ENTRY.findall(self._programs.checked(["pg_restore", "--list", path], kind=KIND).out))

    def restore(self, path: str) -> None:
        self._end_other_sessions()
        self._restore(path, self._programs, EMPTY_IT)

    def restore_into_scratch(self, path: str) -> None:
        name = SCRATCH + uuid.uuid4().hex[:12]
        scratch = Programs(
            self._programs.run_command,
            {**self._programs.environment, "PGDATABASE": name},
            self._programs.secrets,
            limit=self._programs.limit,
        )
        self._sql(f"CREATE DATABASE {name} TEMPLATE template0;")
        try:
            self._restore(path, scratch, "")
        finally:
            self._sql(f"DROP DATABASE IF EXISTS {name};")

    def _restore(self, path: str, programs: Programs, before: str) -> None:
        environment = {**programs.environment, "STEADY_EMPTY_IT": before}
        there = Programs(programs.run_command, environment, programs.secrets, limit=programs.limit)
        there.checked(["sh", "-c", RESTORE, "restore", path, *self._database.client()], kind=KIND)

    def _end_other_sessions(self) -> None:
        """A forgotten session would hold locks that the restore waits for without an end."""
        self._sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid != pg_backend_pid() AND backend_type = 'client backend';"
        )

    def _sql(self, text: str) -> str:
        return self._programs.checked(self._database.client(), text, kind=KIND).out


class MariaDb:
    suffix = ".sql"

    def __init__(self, programs: Programs, database: Database) -> None:
        self._programs = programs
        self._database = database

    def check(self) -> float:
        said = self._sql(
            "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables WHERE table_schema = DATABASE();"
        )
        self._programs.checked(["mariadb-dump", "--version"], kind=KIND)
        return float(said.split()[0])

    def write(self, path: str) -> None:
        options = ["--single-transaction", "--routines", "--triggers", "--events", f"--result-file={path}"]
        self._programs.checked(
            ["mariadb-dump", *self._database.mysql_options(), *options, self._database.name], kind=KIND
        )

    def verify(self, path: str) -> int:
        """The last line is only there if the dump is whole."""
        last = self._programs.checked(["tail", "-n", "1", path], kind=KIND).out
        if not last.startswith(COMPLETED):
            raise RolloutError(f"{path}: the dump is incomplete: its last line is not '{COMPLETED}'.", kind=KIND)
        said = self._programs.run(["grep", "-c", "^CREATE TABLE", path], kind=KIND)
        return int(said.out.strip() or 0)

    def restore(self, path: str) -> None:
        name = self._quoted(self._database.name)
        created = self._sql(f"SHOW CREATE DATABASE {name};").split("\t", 1)[1].strip()
        self._sql(f"DROP DATABASE {name}; {created};")
        self._restore(path, self._database.client())

    def restore_into_scratch(self, path: str) -> None:
        name = SCRATCH + uuid.uuid4().hex[:12]
        self._sql(f"CREATE DATABASE {name};")
        try:
            self._restore(path, [*self._database.client()[:-1], name])
        finally:
            self._sql(f"DROP DATABASE IF EXISTS {name};")

    def _restore(self, path: str, client: t.Sequence[str]) -> None:
        self._programs.checked(["sh", "-c", MARIADB_RESTORE, "restore", path, *client], kind=KIND)

    def _sql(self, text: str) -> str:
        return self._programs.checked(self._database.client(), text, kind=KIND).out

    @staticmethod
    def _quoted(name: str) -> str:
        return "`" + name.replace("`", "``") + "`"
