# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verdict depends on beside its statement: the file around it, the transaction, accepted findings, the traffic."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint import core
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.model import (
    CONTRACT,
    EXPAND,
    MYSQL,
    Finding,
    Setting,
)

pytest.importorskip("sqlglot")


def found(text: str, **setting: t.Any) -> list[Finding]:
    return list(core.lint("m.sql", text, Setting(**setting)).findings)


def rules(text: str, **setting: t.Any) -> list[tuple[int, str]]:
    return [(finding.line, finding.rule) for finding in found(text, **setting)]


def test_a_finding_names_file_line_rule_and_the_safe_way() -> None:
    (finding,) = found("\n\nDROP TABLE orders;")
    assert finding.text == (
        "m.sql:3: error: drop_table: Drops table orders, which the running version may still use. The safe way: Do it in "
        "the contract phase, once no host runs a version that uses it."
    )


def test_what_cannot_be_parsed_is_said_and_never_passed_over() -> None:
    (finding,) = found("SELEC 1;")
    assert finding.text == (
        "m.sql:1: error: cannot_tell: What this does is not known (Invalid expression / Unexpected token. Line 1, Col: 7), "
        "so it counts as unsafe. The safe way: Write it in plain SQL statements, or review it and accept it by a comment "
        "above it: -- lint: allow cannot_tell because ..."
    )


@pytest.mark.parametrize(
    "text",
    ["SELECT 'open", "\\i other.sql\nSELECT 1;", "DELIMITER //\nDROP TABLE t//", "DO $$ BEGIN DROP TABLE t; END $$;"],
)
def test_what_cannot_be_split_is_one_finding(text: str) -> None:
    assert [rule for dummy, rule in rules(text)] == ["cannot_tell"]


def test_a_statement_that_cannot_be_parsed_does_not_hide_the_next() -> None:
    assert rules("SELEC 1;\nTRUNCATE t;") == [(1, "cannot_tell"), (2, "truncate")]


def test_a_semicolon_in_a_text_ends_no_statement() -> None:
    assert rules("INSERT INTO t VALUES ('; DROP TABLE t;');\nTRUNCATE t;") == [(2, "truncate")]


def test_concurrently_inside_a_transaction() -> None:
    text = "CREATE INDEX CONCURRENTLY i ON t (a);"
    assert rules(text, in_transaction=True) == [(1, "concurrently_in_transaction")]
    assert rules(text, in_transaction=False) == []
    assert rules(f"BEGIN;\n{text}\nCOMMIT;\n{text}", in_transaction=False) == [(2, "concurrently_in_transaction")]


def test_two_tables_locked_in_one_transaction() -> None:
    text = "ALTER TABLE a ADD COLUMN x int;\nALTER TABLE b ADD COLUMN x int;"
    assert rules(text, in_transaction=True) == [(2, "several_locks")]
    assert rules(text, in_transaction=False) == []


def test_a_table_of_the_migration_itself_is_not_in_use() -> None:
    text = "CREATE TABLE t (a int);\nCREATE INDEX i ON t (a);\nALTER TABLE t ADD UNIQUE (a);\nDELETE FROM t;\nDROP TABLE t;"
    assert rules(text) == []


def test_a_table_that_may_have_been_there_before_is_not_the_migrations_own() -> None:
    assert rules("CREATE TABLE IF NOT EXISTS t (a int);\nTRUNCATE t;") == [(2, "truncate")]


def test_not_null_after_a_validated_check() -> None:
    text = (
        "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID;\n"
        "ALTER TABLE t VALIDATE CONSTRAINT c;\n"
        "ALTER TABLE t ALTER COLUMN a SET NOT NULL;"
    )
    assert rules(text, phase=CONTRACT) == []
    assert rules(text, phase=EXPAND) == [(1, "check_for_old_writes"), (3, "not_null_for_old_writes")]
    assert rules(text.replace("VALIDATE CONSTRAINT c", "VALIDATE CONSTRAINT d"), phase=CONTRACT) == [
        (3, "set_not_null")
    ]


def test_two_tables_are_swapped_only_without_queries() -> None:
    swap = "ALTER TABLE t RENAME TO t_old;\nALTER TABLE t_new RENAME TO t;"
    assert rules(swap, in_transaction=False) == [(1, "swap_tables"), (2, "swap_tables")]
    assert rules(swap, in_transaction=False, traffic="paused") == []
    assert rules("ALTER TABLE t RENAME TO u;", traffic="paused") == [(1, "rename_table")]
    assert rules("RENAME TABLE t TO t_old, t_new TO t;", database=MYSQL) == [(1, "swap_tables")]


def test_what_loses_data_or_cannot_be_read_is_unsafe_while_the_service_is_stopped_too() -> None:
    text = "ALTER TABLE t DROP COLUMN a;\nTRUNCATE t;\nDO $$ x $$;"
    assert rules(text, traffic="stopped") == [(2, "truncate"), (3, "cannot_tell")]


def test_an_accepted_finding_stays_with_its_reason() -> None:
    text = "-- lint: allow drop_column because nobody reads it since 2.3.\nALTER TABLE t DROP COLUMN a;\nALTER TABLE t DROP COLUMN b;"
    report = core.lint("m.sql", text, Setting())
    assert [finding.accepted for finding in report.findings] == ["nobody reads it since 2.3", ""]
    assert report.findings[0].text.endswith(" Accepted: nobody reads it since 2.3.")
    assert report.summary == "2 statements: 1 error, 0 warnings, 1 accepted."


def test_an_acceptance_needs_a_reason_and_names_one_rule() -> None:
    assert len(core.lint("m.sql", "-- lint: allow truncate\nTRUNCATE t;", Setting()).errors) == 1
    assert len(core.lint("m.sql", "-- lint: allow drop_table because old\nTRUNCATE t;", Setting()).errors) == 1


DBMATE = """\
-- migrate:up{option}
CREATE INDEX CONCURRENTLY i ON t (a);

-- migrate:down
DROP TABLE t;
"""


def test_a_file_of_dbmate_ends_where_the_way_back_begins() -> None:
    assert rules(DBMATE.format(option=" transaction:false")) == []
    assert rules(DBMATE.format(option="")) == [(2, "concurrently_in_transaction")]
