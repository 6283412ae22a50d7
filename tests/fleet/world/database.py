# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shop's database in the lab's network, with alembic's migrations of it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.lab.places import CONTROLLER_ADDRESS
from support.databases import ALEMBIC_ENV
from support.postgres import Postgres, postgres

ROWS = 200_000
ORDERS = (
    "CREATE TABLE orders (id int PRIMARY KEY, total int NOT NULL, note text); "
    "INSERT INTO orders SELECT n, n * 7 % 10007, md5(n::text) FROM generate_series(1, {rows}) n; "
    "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY); INSERT INTO alembic_version VALUES ('first');"
)
SUM = "SELECT count(*) || ' ' || sum(hashtext(id || ':' || total || ':' || note)::bigint) || ' ' || sum(total) FROM orders;"
COLUMNS = "SELECT string_agg(column_name::text, ' ' ORDER BY column_name) FROM information_schema.columns WHERE table_name = 'orders';"
BEFORE, AFTER = "id note total", "cents id note total"
UP = "ALTER TABLE orders ADD COLUMN cents bigint"
FILL = "UPDATE orders SET cents = total * 100 WHERE id >= 0"
DOWN = "ALTER TABLE orders DROP COLUMN cents"
REVISION = """\
from alembic import op
revision, down_revision = "{name}", {before!r}
def upgrade():
    for statement in {up!r}:
        op.execute(statement)
def downgrade():
    for statement in {down!r}:
        op.execute(statement)
"""


class Database:
    """Orders, the migration that waits for them, and the settings that a playbook needs."""

    def __init__(self, server: Postgres, folder: pathlib.Path) -> None:
        self.server = server
        self.backups = folder / "backups"
        self.claims = folder / "claims"
        """Apart from those of other fleets whose migrations this machine runs."""
        self._migrations = folder / "alembic"
        self._alembic = shutil.which(
            "alembic", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
        )
        if not self._alembic:
            pytest.skip("alembic is not installed")

    def fresh(self, *statements: str, rows: int = ROWS) -> None:
        """Orders by the first revision; the second one does *statements* beside adding a column."""
        self.server.fresh()
        self.server.sql(ORDERS.format(rows=rows))
        versions = self._migrations / "versions"
        versions.mkdir(parents=True, exist_ok=True)
        (self._migrations / "alembic.ini").write_text("[alembic]\nscript_location = .\n", encoding="utf-8")
        (self._migrations / "env.py").write_text(ALEMBIC_ENV, encoding="utf-8")
        revisions = [("first", None, [], []), ("second", "first", [UP, *statements], [DOWN])]
        for name, before, up, down in revisions:
            text = REVISION.format(name=name, before=before, up=up, down=down)
            (versions / f"{name}.py").write_text(text, encoding="utf-8")

    @property
    def settings(self) -> dict[str, t.Any]:
        return {
            "rollout_migrations": {
                "database_url": self.server.url(),
                "tool": "alembic",
                "program": self._alembic,
                "chdir": str(self._migrations),
                "lock_timeout": "5s",
                "expand": {},
            },
            "rollout_backup": {"directory": str(self.backups)},
        }

    def migrate(self, inside: t.Sequence[str]) -> None:
        """Past the collection."""
        environment = {**os.environ, "DATABASE_URL": self.server.url()}
        argv = [*inside, str(self._alembic), "upgrade", "head"]
        subprocess.run(argv, cwd=self._migrations, env=environment, check=True, capture_output=True)

    def data(self) -> str:
        """Count and checksum of what users have written."""
        return self.server.sql(SUM)

    def columns(self) -> str:
        return self.server.sql(COLUMNS)


@contextlib.contextmanager
def database(lab: Lab, folder: pathlib.Path) -> t.Iterator[Database]:
    with postgres(CONTROLLER_ADDRESS, lab.inside()) as server:
        yield Database(server, folder)
