# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Plain SQL files by the database's own client, with a table that says which were applied.

NAME.sql leads forward and NAME.down.sql back; names are applied in their order. Each file and its row are one
transaction, unless the file says transaction:false in its first line, as an index that is built CONCURRENTLY must.
"""

from __future__ import annotations

import os
import re

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.migrations.database import POSTGRESQL, Database
from ansible_collections.steady.rollout.plugins.module_utils.migrations.programs import Programs
from ansible_collections.steady.rollout.plugins.module_utils.migrations.tools import Tool, read_all

TABLE = "steady_migrations"
DOWN = ".down.sql"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.sql\Z")
APART = re.compile(r"^--.*\btransaction\s*:\s*false\b", re.IGNORECASE)
CREATE = f"CREATE TABLE IF NOT EXISTS {TABLE} (name varchar(200) PRIMARY KEY, applied_at timestamp DEFAULT CURRENT_TIMESTAMP);"


class PlainSql(Tool):
    def __init__(self, programs: Programs, database: Database, directory: str, lock_timeout: float) -> None:
        super().__init__(programs, database.client(lock_timeout), directory)
        self._database = database

    def version(self) -> str:
        applied = self._applied()
        return applied[-1] if applied else ""

    def pending(self, target: str) -> list[str]:
        names = self._names()
        if target and target not in names:
            raise InputError(
                f"target: there is no file '{target}' in {self._place}; there are {', '.join(names) or 'none'}."
            )
        applied = set(self._applied())
        reach = names[: names.index(target) + 1] if target else names
        return [name for name in reach if name not in applied]

    def apply(self, target: str) -> None:
        for name in self.pending(target):
            self._run(name, f"INSERT INTO {TABLE} (name) VALUES ({self._database.literal(name)});")

    def down(self, target: str) -> None:
        applied = self._applied()
        if target and target not in applied:
            raise RolloutError(
                f"{self._database.shown}: '{target}' is not applied, so there is no way back to it.", kind="migration"
            )
        later = applied[applied.index(target) + 1 :] if target else applied
        ways = {name: name[: -len(".sql")] + DOWN for name in later}
        missing = [way for way in ways.values() if not os.path.isfile(os.path.join(self._place, way))]
        if missing:
            raise RolloutError(
                f"{self._place}: there is no {', '.join(missing)}, so it cannot be reverted. Nothing was changed.",
                kind="migration",
            )
        for name in reversed(later):
            self._run(ways[name], f"DELETE FROM {TABLE} WHERE name = {self._database.literal(name)};")

    def sql(self, target: str) -> str:
        return read_all(None, self._place, self.pending(target))

    @property
    def _place(self) -> str:
        return os.path.join(self._programs.directory or "", self._directory)

    def _names(self) -> list[str]:
        try:
            found = sorted(name for name in os.listdir(self._place or ".") if name.endswith(".sql"))
        except OSError as error:
            raise InputError(f"directory: {self._place} cannot be read: {error.strerror}.") from error
        strange = [name for name in found if not NAME.match(name)]
        if strange:
            raise InputError(
                f"directory: {strange[0]!r} in {self._place} cannot be the name of a migration; use letters, digits, - and _."
            )
        return [name for name in found if not name.endswith(DOWN)]

    def _applied(self) -> list[str]:
        """An empty database has no table yet; looking must not make one."""
        schema = "current_schema()" if self._database.kind == POSTGRESQL else "DATABASE()"
        there = self._query(
            f"SELECT 1 FROM information_schema.tables WHERE table_schema = {schema} AND table_name = '{TABLE}';"
        )
        return sorted(self._query(f"SELECT name FROM {TABLE};")) if there else []

    def _query(self, text: str) -> list[str]:
        said = self._programs.checked(self._program, text)
        return [line.strip() for line in said.out.splitlines() if line.strip()]

    def _run(self, name: str, bookkeeping: str) -> None:
        text = read_all(None, self._place, [name])
        self._programs.checked(self._program, CREATE)
        if _is_apart(text):
            self.change(self._program, text)
            self._programs.checked(self._program, bookkeeping)
        else:
            self.change(self._program, f"BEGIN;\n{text}\n{bookkeeping}\nCOMMIT;\n")


def _is_apart(text: str) -> bool:
    """*text* begins with a line that names the file."""
    return any(APART.match(line) for line in text.splitlines()[:2])
