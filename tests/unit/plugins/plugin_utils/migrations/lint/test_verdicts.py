# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts on single statements are those of the table in verdicts.txt."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint import core
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.model import PHASES, Setting
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.rules import ALL

pytest.importorskip("sqlglot")
TABLE = pathlib.Path(__file__).with_name("verdicts.txt")


def rows() -> t.Iterator[t.Any]:
    database, statement = "", ""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            database = line.strip("[]")
        elif line.startswith("    "):
            verdicts = [one.strip() for one in line.split(" | ")]
            yield pytest.param(database, statement, verdicts * (3 // len(verdicts)), id=f"{database}: {statement[:60]}")
        elif line and not line.startswith("#"):
            statement = line


@pytest.mark.parametrize(("database", "statement", "verdicts"), list(rows()))
def test_verdict(database: str, statement: str, verdicts: list[str]) -> None:
    found = []
    for phase in PHASES:
        report = core.lint("f.sql", statement, Setting(database, phase, in_transaction=False))
        found.append(", ".join(f"{one.severity} {one.rule}" for one in report.findings) or "allowed")
    assert found == verdicts


def test_the_table_has_a_statement_for_nearly_every_rule() -> None:
    text = TABLE.read_text(encoding="utf-8")
    of_several_statements = {"concurrently_in_transaction", "several_locks", "not_null_for_old_writes"}
    assert {rule.name for rule in ALL if f" {rule.name}" not in text} == of_several_statements
