# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a real PostgreSQL: exact, verified, and restored or not at all."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
from support.cores import Outcome
from support.postgres import PASSWORD, Postgres
from support.tool_runs import backup_at

SHOP = """
CREATE TYPE state AS ENUM ('new', 'paid');
CREATE TABLE orders (id int PRIMARY KEY, state state, note text);
CREATE VIEW paid AS SELECT * FROM orders WHERE state = 'paid';
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
CREATE SCHEMA extra; CREATE TABLE extra.t (a int);
INSERT INTO orders SELECT n, 'paid', 'note ' || n FROM generate_series(1, 1000) n;
"""
MIGRATED = """
DELETE FROM orders WHERE id > 500; ALTER TABLE orders DROP COLUMN note CASCADE; CREATE TABLE newer (a int);
CREATE SCHEMA other; CREATE TYPE later AS (a int); ALTER TYPE state ADD VALUE 'void';
"""
SUMS = "SELECT count(*), md5(string_agg(id || note, ',' ORDER BY id)) FROM paid;"
OBJECTS = (
    "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
    "WHERE n.nspname IN ('public', 'extra', 'other') ORDER BY 1;"
)


def run(database: Postgres, **options: t.Any) -> Outcome:
    outcome = backup_at(options.pop("database_url", database.url()), **options)
    assert PASSWORD not in f"{outcome.result}{outcome.error}"
    return outcome


@pytest.fixture
def shop(database: Postgres) -> Postgres:
    database.sql(SHOP)
    return database


def test_a_restore_is_exact_and_leaves_nothing_of_what_came_since(shop: Postgres, tmp_path: pathlib.Path) -> None:
    before = shop.sql(SUMS), shop.sql(OBJECTS)
    made = run(shop, directory=str(tmp_path), scratch=True)
    assert made.error == ""
    assert made["entries"] > 5
    assert made["size"] == os.path.getsize(made["path"])
    assert os.stat(made["path"]).st_mode & 0o777 == 0o600
    shop.sql(MIGRATED)
    restored = run(shop, state="restored", path=made["path"], checksum=made["checksum"])
    assert restored.error == ""
    assert (shop.sql(SUMS), shop.sql(OBJECTS)) == before
    assert shop.sql("SELECT twice(2), enum_range(NULL::state);") == "4|{new,paid}"
    assert "scratch" not in shop.sql("SELECT string_agg(datname, ',') FROM pg_database;")


def test_a_session_that_holds_a_lock_does_not_stop_a_restore(shop: Postgres, tmp_path: pathlib.Path) -> None:
    made = run(shop, directory=str(tmp_path))
    with shop.locking("orders"):
        assert run(shop, state="restored", path=made["path"]).error == ""


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_backup_changes_nothing(shop: Postgres, tmp_path: pathlib.Path, damage: str) -> None:
    made = run(shop, directory=str(tmp_path))
    content = pathlib.Path(made["path"]).read_bytes()
    half = content[: len(content) * 9 // 10]
    pathlib.Path(made["path"]).write_bytes(half if damage == "cut" else content + b"x")
    shop.sql(MIGRATED)
    after = shop.sql(OBJECTS)
    checksum = {} if damage == "cut" else {"checksum": made["checksum"]}
    failed = run(shop, state="restored", path=made["path"], **checksum)
    assert failed.error
    assert shop.sql(OBJECTS) == after
    if damage == "changed":
        assert failed.error.endswith(f"expected {made['checksum']}: it was changed. Nothing was restored.")


def test_only_so_many_are_kept(shop: Postgres, tmp_path: pathlib.Path) -> None:
    tmp_path.chmod(0o700)
    for year in (2020, 2021, 2022):
        (tmp_path / f"shop-{year}0101T000000Z.dump").write_text("old", encoding="utf-8")
    (tmp_path / "shop-notes.txt").write_text("mine", encoding="utf-8")
    made = run(shop, directory=str(tmp_path), keep=2)
    assert [os.path.basename(path) for path in made["removed"]] == [
        "shop-20200101T000000Z.dump", "shop-20210101T000000Z.dump",
    ]  # fmt: skip
    names = {os.path.basename(made["path"]), "shop-20220101T000000Z.dump", "shop-notes.txt"}
    assert set(os.listdir(tmp_path)) == names


def test_no_room_is_known_before(shop: Postgres, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.statvfs_result((4096, 4096, 100, 1, 1, 10, 10, 10, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: full)
    failed = run(shop, state="checked", directory=str(tmp_path))
    assert failed.error.startswith(f"{tmp_path}: 0.0 MB are free, and a backup of database 'shop' on 127.0.0.1:")
    assert failed.error.endswith("(1.2 times its size). Free some, or name another directory.")
    assert os.listdir(tmp_path) == []


def test_a_database_that_is_down_leaves_no_half_a_file(shop: Postgres, tmp_path: pathlib.Path) -> None:
    url = shop.url().replace(str(shop.port), "1")
    assert "failed with exit status" in run(shop, directory=str(tmp_path), database_url=url).error
    assert os.listdir(tmp_path) == []
