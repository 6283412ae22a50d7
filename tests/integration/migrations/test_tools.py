# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract for migration tools, on a real PostgreSQL and by each real tool that is installed."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys
import typing as t

import pytest
from support.cores import Outcome
from support.databases import ALEMBIC_ENV
from support.postgres import PASSWORD, Postgres
from support.tool_runs import run_at

PROGRAMS = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
FIRST, SECOND = "CREATE TABLE orders (id int PRIMARY KEY);", "ALTER TABLE orders ADD COLUMN note text;"
BACK_FIRST, BACK_SECOND = "DROP TABLE orders;", "ALTER TABLE orders DROP COLUMN note;"
REVISION = """\
from alembic import op
revision, down_revision = "{0}", {1!r}
def upgrade():
    op.execute("{2}")
def downgrade():
    op.execute("{3}")
"""
DJANGO_SETTINGS = """\
import os
from urllib.parse import unquote, urlsplit
parts = urlsplit(os.environ["DATABASE_URL"])
SECRET_KEY = "of a test"
INSTALLED_APPS = ["shop"]
USE_TZ = True
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": parts.path[1:], "HOST": parts.hostname, "PORT": parts.port,
    "USER": parts.username, "PASSWORD": unquote(parts.password),
}}
"""
DJANGO_MANAGE = """\
import os, sys
from django.core.management import execute_from_command_line
os.environ["DJANGO_SETTINGS_MODULE"] = "project_settings"
execute_from_command_line(sys.argv)
"""
DJANGO_MIGRATION = """\
from django.db import migrations
class Migration(migrations.Migration):
    dependencies = {0!r}
    operations = [migrations.RunSQL({1!r}, {2!r})]
"""


def alembic(folder: pathlib.Path) -> dict[str, t.Any]:
    (folder / "versions").mkdir()
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = .\n", encoding="utf-8")
    (folder / "env.py").write_text(ALEMBIC_ENV, encoding="utf-8")
    for name, before, up, down in (("first", None, FIRST, BACK_FIRST), ("second", "first", SECOND, BACK_SECOND)):
        (folder / "versions" / f"{name}.py").write_text(REVISION.format(name, before, up, down), encoding="utf-8")
    return {"tool": "alembic", "program": program("alembic"), "chdir": str(folder)}


def dbmate(folder: pathlib.Path) -> dict[str, t.Any]:
    for name, up, down in (("1_first", FIRST, BACK_FIRST), ("2_second", SECOND, BACK_SECOND)):
        text = f"-- migrate:up\n{up}\n-- migrate:down\n{down}\n"
        (folder / f"{name}.sql").write_text(text, encoding="utf-8")
    environment = {"DBMATE_WAIT": "false"}
    return {"tool": "dbmate", "program": program("dbmate"), "directory": str(folder), "environment": environment}


def sql(folder: pathlib.Path) -> dict[str, t.Any]:
    for name, up, down in (("1_first", FIRST, BACK_FIRST), ("2_second", SECOND, BACK_SECOND)):
        (folder / f"{name}.sql").write_text(up, encoding="utf-8")
        (folder / f"{name}.down.sql").write_text(down, encoding="utf-8")
    return {"tool": "sql", "directory": str(folder)}


def django(folder: pathlib.Path) -> dict[str, t.Any]:
    pytest.importorskip("django")
    migrations = folder / "shop" / "migrations"
    migrations.mkdir(parents=True)
    for package in (migrations.parent, migrations):
        (package / "__init__.py").touch()
    (folder / "project_settings.py").write_text(DJANGO_SETTINGS, encoding="utf-8")
    (folder / "manage.py").write_text(DJANGO_MANAGE, encoding="utf-8")
    after_first = [("shop", "0001_first")]
    for name, after, up, down in (
        ("0001_first", [], FIRST, BACK_FIRST),
        ("0002_second", after_first, SECOND, BACK_SECOND),
    ):
        (migrations / f"{name}.py").write_text(DJANGO_MIGRATION.format(after, up, down), encoding="utf-8")
    return {"tool": "django", "program": f"{sys.executable} manage.py", "chdir": str(folder)}


def program(name: str) -> str:
    found = shutil.which(name, path=PROGRAMS)
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


TOOLS = pytest.mark.parametrize("make", [alembic, dbmate, sql, django])
EMPTY_FIRST = {
    "alembic": ("versions/first.py", REVISION.format("first", None, "SELECT 1", "SELECT 1")),
    "django": ("shop/migrations/0001_first.py", DJANGO_MIGRATION.format([], "SELECT 1", "SELECT 1")),
}
"""A first migration that leaves everything as it is, by tool."""
BEFORE_THE_FIRST = {"django": "shop zero"}
"""Where the way back leads to, by tools that do not take it from nothing."""


def run(database: Postgres, check_mode: bool = False, **options: t.Any) -> Outcome:
    url = database.url() + ("?sslmode=disable" if options["tool"] == "dbmate" else "")
    outcome = run_at(options.pop("database_url", url), check_mode, **options)
    assert PASSWORD not in f"{outcome.result}{outcome.error}"
    return outcome


def columns(database: Postgres) -> list[str]:
    found = database.sql("SELECT column_name FROM information_schema.columns WHERE table_name = 'orders' ORDER BY 1;")
    return found.split()


@TOOLS
def test_forward_and_back(database: Postgres, tmp_path: pathlib.Path, make: t.Callable[..., dict[str, t.Any]]) -> None:
    tool = make(tmp_path)
    before = run(database, with_sql=True, **tool)
    assert (before.error, before["version"], len(before["pending"])) == ("", "", 2)
    assert FIRST in before["sql"]
    assert SECOND in before["sql"]
    assert BACK_SECOND not in before["sql"]
    assert columns(database) == []
    would = run(database, check_mode=True, state="applied", **tool)
    assert (would["changed"], columns(database)) == (True, [])
    done = run(database, state="applied", **tool)
    assert (done.error, done["changed"], done["attempts"], columns(database)) == ("", True, 1, ["id", "note"])
    assert "second" in done["version"]
    again = run(database, state="applied", **tool)
    assert (again["changed"], again["attempts"], again["pending"]) == (False, 0, [])
    back = run(database, state="reverted", target=BEFORE_THE_FIRST.get(tool["tool"]), **tool)
    assert (back.error, back["version"], columns(database)) == ("", "", [])


def test_others_than_the_expected_ones_are_not_applied(database: Postgres, tmp_path: pathlib.Path) -> None:
    tool = sql(tmp_path)
    refused = run(database, state="applied", expected_pending=["1_first.sql"], **tool)
    assert refused.error == (
        f"database 'shop' on 127.0.0.1:{database.port}: expected 1_first.sql to be pending, found 1_first.sql, 2_second.sql; "
        "the migrations or the database were changed since they were judged. Run again to have them judged as they are now. "
        "Nothing was migrated."
    )
    assert columns(database) == []
    done = run(database, state="applied", expected_pending=["1_first.sql", "2_second.sql"], **tool)
    assert (done.error, columns(database)) == ("", ["id", "note"])


@pytest.mark.parametrize(("make", "target"), [(alembic, "first"), (sql, "1_first.sql")])
def test_up_to_a_target(
    database: Postgres, tmp_path: pathlib.Path, make: t.Callable[..., dict[str, t.Any]], target: str
) -> None:
    tool = make(tmp_path)
    assert run(database, target=target, **tool)["pending"] == [target]
    done = run(database, state="applied", target=target, **tool)
    assert (done.error, done["version"], columns(database)) == ("", target, ["id"])
    rest = run(database, state="applied", **tool)
    assert (rest.error, columns(database)) == ("", ["id", "note"])
    back = run(database, state="reverted", target=target, **tool)
    assert (back.error, back["version"], columns(database)) == ("", target, ["id"])


@TOOLS
def test_whoever_holds_the_lock_is_named(
    database: Postgres, tmp_path: pathlib.Path, make: t.Callable[..., dict[str, t.Any]]
) -> None:
    tool = make(tmp_path)
    database.sql(FIRST)
    path, text = EMPTY_FIRST.get(tool["tool"], ("1_first.sql", "-- migrate:up\nSELECT 1;\n-- migrate:down\n"))
    (tmp_path / path).write_text(text, encoding="utf-8")
    with database.locking("orders"):
        failed = run(database, state="applied", **{**tool, "lock_timeout": "1200ms"})
    assert failed["kind"] == "locked"
    assert "the migration did not get its lock within 1.2 s, in 2 attempts with 0.1 s between them." in failed.error
    assert "of shop (report of the month) from 127.0.0.1, idle in transaction for" in failed.error
    assert columns(database) == ["id"]
    assert run(database, state="applied", **tool).error == ""
    assert columns(database) == ["id", "note"]


@TOOLS
def test_a_migration_that_fails_says_where_the_database_stands(
    database: Postgres, tmp_path: pathlib.Path, make: t.Callable[..., dict[str, t.Any]]
) -> None:
    tool = make(tmp_path)
    database.sql("CREATE VIEW orders AS SELECT 1;")
    failed = run(database, state="applied", **tool)
    assert failed["kind"] == "migration"
    assert failed.error.endswith(
        f"Database 'shop' on 127.0.0.1:{database.port} is at no version now, according to the migration tool."
    )
    assert 'relation "orders" already exists' in failed.error


@TOOLS
def test_a_database_that_is_down_is_an_error_and_not_nothing_pending(
    database: Postgres, tmp_path: pathlib.Path, make: t.Callable[..., dict[str, t.Any]]
) -> None:
    tool = make(tmp_path)
    port = "1"
    url = database.url().replace(str(database.port), port)
    failed = run(database, **{**tool, "database_url": url})
    assert "failed with exit status" in failed.error
    assert "efused" in failed.error


def test_a_file_without_a_transaction(database: Postgres, tmp_path: pathlib.Path) -> None:
    (tmp_path / "1.sql").write_text(FIRST, encoding="utf-8")
    index = "-- transaction:false\nCREATE INDEX CONCURRENTLY by_id ON orders (id);"
    (tmp_path / "2.sql").write_text(index, encoding="utf-8")
    done = run(database, tool="sql", directory=str(tmp_path), state="applied")
    assert (done.error, done["version"]) == ("", "2.sql")


def test_a_file_that_fails_halfway_leaves_nothing_of_itself(database: Postgres, tmp_path: pathlib.Path) -> None:
    (tmp_path / "1.sql").write_text(FIRST, encoding="utf-8")
    (tmp_path / "2.sql").write_text(f"{SECOND}\nSELECT 1/0;", encoding="utf-8")
    failed = run(database, tool="sql", directory=str(tmp_path), state="applied")
    assert "division by zero" in failed.error
    assert (failed["version"], columns(database)) == ("1.sql", ["id"])


def test_a_way_back_that_is_missing_changes_nothing(database: Postgres, tmp_path: pathlib.Path) -> None:
    (tmp_path / "1.sql").write_text(FIRST, encoding="utf-8")
    run(database, tool="sql", directory=str(tmp_path), state="applied")
    failed = run(database, tool="sql", directory=str(tmp_path), state="reverted")
    assert failed.error.startswith(
        f"{tmp_path}: there is no 1.down.sql, so it cannot be reverted. Nothing was changed."
    )
    assert columns(database) == ["id"]


COMMANDS = {
    "version": ["cat", "version"],
    "pending": ["sh", "-c", "test $(cat version) = $target"],
    "apply": ["sh", "-c", "echo $target > version"],
    "down": ["sh", "-c", "echo $target > version"],
    "sql": "echo 'SELECT 1;'",
}


def test_any_tool_by_its_commands(database: Postgres, tmp_path: pathlib.Path) -> None:
    (tmp_path / "version").write_text("a\n", encoding="utf-8")
    tool = {"tool": "commands", "commands": COMMANDS, "chdir": str(tmp_path), "target": "b"}
    read = run(database, with_sql=True, **tool)
    assert (read["version"], read["pending"], read["sql"]) == ("a", ["pending"], "SELECT 1;\n")
    done = run(database, state="applied", **tool)
    assert (done.error, done["version_before"], done["version"]) == ("", "a", "b")
    assert run(database, state="reverted", **{**tool, "target": "a"})["version"] == "a"
    broken = {**COMMANDS, "pending": ["sh", "-c", "echo no database >&2; exit 7"]}
    assert run(database, **{**tool, "commands": broken}).error == (
        "'sh echo no database >&2; exit 7' (pending) ended with exit status 7: no database. Expected 0 for nothing pending "
        "or 1 for something pending."
    )


def test_a_backfill_in_batches_goes_on_where_it_stopped(database: Postgres) -> None:
    database.sql(
        "CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders SELECT generate_series(1, 2500);"
    )
    batch = "UPDATE orders SET note = 'x' WHERE id IN (SELECT id FROM orders WHERE note IS NULL LIMIT 1000)"
    options = {"tool": "sql", "state": "batched", "batch": batch, "batch_pause": 0}
    first = run(database, batch_time="1us", **options)
    assert (first["rows"], first["finished"]) == (1000, False)
    rest = run(database, batch_time="30s", **options)
    assert (rest["rows"], rest["finished"], rest["changed"]) == (1500, True, True)
    assert rest["msg"] == f"database 'shop' on 127.0.0.1:{database.port}: 1500 rows changed, none is left"
    assert database.sql("SELECT count(*) FROM orders WHERE note = 'x';") == "2500"


def test_a_batch_that_nobody_can_count_is_refused(database: Postgres) -> None:
    failed = run(database, tool="sql", state="batched", batch="SELECT 1")
    assert failed.error.startswith("batch: is not one UPDATE, DELETE or INSERT")
