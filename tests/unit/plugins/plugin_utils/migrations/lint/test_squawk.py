# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Squawk's findings are merged by line; where the phase allows what a rule is about, squawk's word does not count."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint import core, squawk
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.model import CONTRACT, EXPAND, Setting

pytest.importorskip("sqlglot")
FOLDERS = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])


def said(rule: str, line: int = 0) -> dict[str, t.Any]:
    return {"rule_name": rule, "line": line, "message": "Something is unsafe", "help": "Do otherwise"}


def merged(text: str, phase: str, *findings: dict[str, t.Any]) -> list[tuple[str, tuple[str, ...]]]:
    setting = Setting(phase=phase)
    own = core.lint("m.sql", text, setting).findings
    return [(one.rule, one.found_by) for one in squawk.merge(own, "m.sql", findings, setting)]


def test_what_both_find_is_one_finding() -> None:
    assert merged("ALTER TABLE t\nDROP COLUMN a;", EXPAND, said("ban-drop-column", 1)) == [
        ("drop_column", ("steady.rollout", "squawk"))
    ]


def test_what_the_phase_allows_squawk_does_not_forbid() -> None:
    assert merged("ALTER TABLE t DROP COLUMN a;", CONTRACT, said("ban-drop-column")) == []


def test_what_only_squawk_finds_is_a_warning_in_its_words() -> None:
    setting = Setting()
    (finding,) = squawk.merge([], "m.sql", [said("transaction-nesting", 4)], setting)
    assert finding.text == (
        "m.sql:5: warning: squawk:transaction-nesting: Something is unsafe. The safe way: Do otherwise."
    )


def test_matters_of_style_are_left_out() -> None:
    assert merged("SELECT 1;", EXPAND, said("prefer-robust-stmts"), said("require-lock-timeout")) == []


def test_a_squawk_that_is_not_installed_is_no_error() -> None:
    report = core.lint("m.sql", "TRUNCATE t;", Setting())
    assert squawk.merged(report, "m.sql", "TRUNCATE t;", Setting(), "", program="no-such-squawk") is report


def test_a_squawk_that_does_not_work_is_an_error(tmp_path: pathlib.Path) -> None:
    program = tmp_path / "squawk"
    program.write_text("#!/bin/sh\necho broken >&2\nexit 3\n", encoding="utf-8")
    program.chmod(0o755)
    report = core.lint("m.sql", "SELECT 1;", Setting())
    with pytest.raises(RolloutError) as caught:
        squawk.merged(report, "m.sql", "SELECT 1;", Setting(), "", program=str(program))
    assert caught.value.message == (f"squawk ({program}) ended with exit code 3: broken. Fix it or set squawk: false.")


@pytest.mark.skipif(shutil.which("squawk", path=FOLDERS) is None, reason="squawk is not installed")
def test_statements_that_begin_their_own_transaction_are_no_nested_ones() -> None:
    """As alembic prints them; squawk warned of each BEGIN and COMMIT, in every run."""
    text = "BEGIN;\nALTER TABLE t ADD COLUMN c int;\nCOMMIT;"
    setting = Setting()
    report = squawk.merged(core.lint("m.sql", text, setting), "m.sql", text, setting, "")
    assert [finding.rule for finding in report.findings if "nesting" in finding.rule] == []


def test_the_real_one_confirms() -> None:
    text = "-- migrate:up\nALTER TABLE t\n  DROP COLUMN a;\nALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);\n-- migrate:down\nDROP TABLE t;\n"
    setting = Setting(in_transaction=True)
    report = squawk.merged(core.lint("m.sql", text, setting), "m.sql", text, setting, "15")
    assert [(one.line, one.rule, one.found_by) for one in report.findings] == [
        (2, "drop_column", ("steady.rollout", "squawk")),
        (4, "add_check", ("steady.rollout", "squawk")),
    ]
