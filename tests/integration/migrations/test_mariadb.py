# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain SQL files, locks, backfills and backups on a real MariaDB."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
from support.cores import Outcome
from support.mariadb import PASSWORD, MariaDb, mariadb
from support.tool_runs import backup_at, run_at

FIRST, SECOND = "CREATE TABLE orders (id int PRIMARY KEY, note text);", "ALTER TABLE orders ADD COLUMN cents int;"
BACK_FIRST, BACK_SECOND = "DROP TABLE orders;", "ALTER TABLE orders DROP COLUMN cents;"
ROWS = "INSERT INTO orders (id, note) SELECT seq, CONCAT('note ', seq) FROM seq_1_to_1000;"
SUMS = "SELECT COUNT(*), SUM(CRC32(CONCAT(id, note))) FROM orders;"
SHOP = f"{FIRST}{ROWS}CREATE VIEW few AS SELECT * FROM orders WHERE id < 10;"
MIGRATED = (
    "DELETE FROM orders WHERE id > 500; ALTER TABLE orders DROP COLUMN note; CREATE TABLE newer (a int); DROP VIEW few;"
)


@pytest.fixture(scope="session")
def own_server() -> t.Iterator[MariaDb]:
    with mariadb() as server:
        yield server


@pytest.fixture
def maria(own_server: MariaDb) -> MariaDb:
    """An empty database named shop."""
    own_server.fresh()
    return own_server


def files(folder: pathlib.Path) -> dict[str, t.Any]:
    for name, up, down in (("1_first", FIRST, BACK_FIRST), ("2_second", SECOND, BACK_SECOND)):
        (folder / f"{name}.sql").write_text(up, encoding="utf-8")
        (folder / f"{name}.down.sql").write_text(down, encoding="utf-8")
    return {"tool": "sql", "directory": str(folder)}


def without_secrets(outcome: Outcome) -> Outcome:
    assert PASSWORD not in f"{outcome.result}{outcome.error}"
    return outcome


def run(database: MariaDb, check_mode: bool = False, **options: t.Any) -> Outcome:
    return without_secrets(run_at(database.url(), check_mode, **options))


def backup(database: MariaDb, **options: t.Any) -> Outcome:
    return without_secrets(backup_at(database.url(), **options))


def columns(database: MariaDb) -> list[str]:
    return database.sql(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'shop' AND table_name = 'orders' ORDER BY 1;"
    ).split()


def test_forward_and_back(maria: MariaDb, tmp_path: pathlib.Path) -> None:
    tool = files(tmp_path)
    before = run(maria, with_sql=True, **tool)
    assert (before.error, before["version"], len(before["pending"])) == ("", "", 2)
    assert run(maria, check_mode=True, state="applied", **tool)["changed"]
    assert columns(maria) == []
    done = run(maria, state="applied", **tool)
    assert (done.error, done["version"], columns(maria)) == ("", "2_second.sql", ["cents", "id", "note"])
    assert run(maria, state="applied", **tool)["changed"] is False
    back = run(maria, state="reverted", **tool)
    assert (back.error, back["version"], columns(maria)) == ("", "", [])


def test_whoever_holds_the_lock_is_named(maria: MariaDb, tmp_path: pathlib.Path) -> None:
    tool = files(tmp_path)
    assert run(maria, state="applied", target="1_first.sql", **tool).error == ""
    with maria.locking("orders"):
        failed = run(maria, state="applied", **{**tool, "lock_timeout": "2s"})
    assert failed["kind"] == "locked", failed.error
    assert "the migration did not get its lock within 2 s, in 2 attempts" in failed.error
    assert "of shop" in failed.error
    assert columns(maria) == ["id", "note"]
    assert run(maria, state="applied", **tool).error == ""


def test_a_backfill_in_batches(maria: MariaDb) -> None:
    maria.sql(FIRST + ROWS + SECOND)
    batch = "UPDATE orders SET cents = id * 100 WHERE cents IS NULL LIMIT 300"
    done = run(maria, tool="sql", directory="/", state="batched", batch=batch, batch_pause="1ms")
    assert (done.error, done["rows"], done["finished"]) == ("", 1000, True)
    assert maria.sql("SELECT COUNT(*) FROM orders WHERE cents = id * 100;") == "1000"


def test_a_restore_is_exact_and_leaves_nothing_of_what_came_since(maria: MariaDb, tmp_path: pathlib.Path) -> None:
    maria.sql(SHOP)
    before = maria.sql(SUMS), maria.sql("SHOW TABLES;")
    made = backup(maria, directory=str(tmp_path), scratch=True)
    assert made.error == ""
    assert made["size"] == os.path.getsize(made["path"])
    assert os.stat(made["path"]).st_mode & 0o777 == 0o600
    maria.sql(MIGRATED)
    restored = backup(maria, state="restored", path=made["path"], checksum=made["checksum"])
    assert restored.error == ""
    assert (maria.sql(SUMS), maria.sql("SHOW TABLES;")) == before
    assert "scratch" not in maria.sql("SHOW DATABASES;")


def test_a_backup_that_was_cut_changes_nothing(maria: MariaDb, tmp_path: pathlib.Path) -> None:
    maria.sql(SHOP)
    made = backup(maria, directory=str(tmp_path))
    path = pathlib.Path(made["path"])
    path.write_bytes(path.read_bytes()[:-200])
    maria.sql(MIGRATED)
    failed = backup(maria, state="restored", path=made["path"])
    assert "the dump is incomplete" in failed.error
    assert maria.sql("SHOW TABLES;").split() == ["newer", "orders"]
