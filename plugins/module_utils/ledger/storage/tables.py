# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Rows of SQLite tables as dataclasses of the same fields."""

from __future__ import annotations

import dataclasses
import sqlite3
import typing as t

Row = t.TypeVar("Row")


class Tables:
    """What reads and writes rows inside one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _meta(self, name: str) -> str:
        return str(self._connection.execute("SELECT content FROM meta WHERE name = ?", (name,)).fetchone()[0])

    def _one(self, kind: type[Row], query: str, *values: t.Any) -> Row | None:
        row = self._connection.execute(query, values).fetchone()
        return None if row is None else kind(**dict(row))

    def _all(self, kind: type[Row], query: str, *values: t.Any) -> list[Row]:
        return [kind(**dict(row)) for row in self._connection.execute(query, values)]

    def _insert(self, table: str, row: t.Any) -> sqlite3.Cursor:
        return self._connection.execute(insert_text("INSERT", table, columns_of(type(row))), content_of(row))

    def _replace(self, table: str, row: t.Any) -> None:
        self._connection.execute(insert_text("INSERT OR REPLACE", table, columns_of(type(row))), content_of(row))


def columns_of(kind: t.Any) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def content_of(row: t.Any) -> list[t.Any]:
    return [getattr(row, name) for name in columns_of(type(row))]


def insert_text(operation: str, table: str, columns: list[str]) -> str:
    return f"{operation} INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' for dummy in columns)})"
