# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib
import sys
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint import judged
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated


def result(**options: t.Any) -> dict[str, t.Any]:
    given = validated("migration_lint", source_of("migration_lint").SPEC, {"squawk": False, **options})
    return judged.result_of(given, judged.texts_of(given, []))


def test_result() -> None:
    pytest.importorskip("sqlglot")
    one = result(sql="TRUNCATE t;")
    assert {**one, "findings": [], "msg": one["msg"].splitlines()[-1]} == {
        "changed": False,
        "failed": True,
        "msg": "1 statement: 1 error, 0 warnings.",
        "findings": [],
        "errors": 1,
        "warnings_found": 0,
        "statements": 1,
    }
    assert one["findings"][0]["rule"] == "truncate"


@pytest.mark.parametrize(
    ("fail_on", "fails"), [("error", [True, False]), ("warning", [True, True]), ("never", [False, False])]
)
def test_from_which_severity_on_it_fails(fail_on: str, fails: list[bool]) -> None:
    pytest.importorskip("sqlglot")
    texts = ("TRUNCATE t;", "INSERT INTO t SELECT * FROM u;")
    assert [result(sql=text, fail_on=fail_on)["failed"] for text in texts] == fails


def test_files_are_named_as_they_were_given(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("sqlglot")
    path = tmp_path / "1.sql"
    path.write_text("TRUNCATE t;", encoding="utf-8")
    assert result(files=[str(path)])["findings"][0]["file"] == str(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "files, sql: one of them must be given, for there is nothing to judge."),
        (
            {"files": ["no.sql"]},
            "files: 'no.sql' does not exist: give a path relative to the playbook or the inventory.",
        ),
    ],
)
def test_nothing_to_judge_is_an_error(options: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        result(**options)
    assert caught.value.message == message


def test_a_missing_parser_is_an_error_and_not_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    with pytest.raises(RolloutError) as caught:
        result(sql="SELECT 1;")
    assert caught.value.message == (
        f"Linting migrations needs the Python package sqlglot on the controller, for {sys.executable}, and it is not "
        f"there. Install it ('{sys.executable} -m pip install sqlglot'), or set rollout_migration_lint: false."
    )
