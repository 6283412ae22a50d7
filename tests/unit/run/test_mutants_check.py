# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the run of the seeded bugs makes of the ways in which the tests may end."""

from __future__ import annotations

import importlib
import pathlib
import sys
import typing as t

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "mutants"))
check: t.Any = importlib.import_module("check")
seeded: t.Any = importlib.import_module("seeded")

MUTANT = seeded.Mutant("a bug", "code.py", "True", "False", ("tests/test_code.py",))


@pytest.fixture
def copy(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "code.py").write_text("FOUND = True\n")
    (tmp_path / "tests").mkdir()
    return tmp_path


def outcome(copy: pathlib.Path, test: str) -> str:
    """Of a test of code.py, run by itself and not by pytest, which takes a second."""
    (copy / "tests" / "test_code.py").write_text(f"import os, signal, sys\nfrom code_under_test import FOUND\n{test}\n")
    (copy / "tests" / "code_under_test.py").write_text("exec(open('code.py').read())\n")
    return str(check.outcome_of(MUTANT, copy))


@pytest.fixture(autouse=True)
def _plain_python(monkeypatch: pytest.MonkeyPatch) -> None:
    real = check.subprocess.run

    def run(command: t.Sequence[str], **given: t.Any) -> t.Any:
        return real([sys.executable, command[-1]], **given)

    monkeypatch.setattr(check, "subprocess", type("Subprocess", (), {**vars(check.subprocess), "run": run}))


def test_tests_that_fail_have_caught_it(copy: pathlib.Path) -> None:
    assert outcome(copy, "sys.exit(0 if FOUND else 1)") == "caught"
    assert (copy / "code.py").read_text() == "FOUND = True\n"


def test_tests_that_pass_have_not(copy: pathlib.Path) -> None:
    assert outcome(copy, "sys.exit(0)") == "SURVIVED"


def test_tests_that_cannot_even_be_collected_have_caught_it(copy: pathlib.Path) -> None:
    assert outcome(copy, "sys.exit(0 if FOUND else 2)") == "caught"


def test_a_kill_for_want_of_memory_counted_as_caught(copy: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(copy, "os.kill(os.getpid(), signal.SIGKILL)") == "ERROR"
    assert capsys.readouterr().err.startswith("a bug: the tests ended with -9: ")


def test_what_was_killed_once_is_run_again(copy: pathlib.Path) -> None:
    test = "again = os.path.exists('again'); open('again', 'w').close(); again or os.kill(os.getpid(), 9)\nsys.exit(1)"
    assert outcome(copy, test) == "caught"


def test_a_text_that_is_not_there_seeds_nothing(copy: pathlib.Path) -> None:
    (copy / "code.py").write_text("FOUND = 1\n")
    assert outcome(copy, "sys.exit(1)") == "TEXT NOT FOUND"


def test_a_reason_excuses_what_survived_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(check.REASONS, "a bug", "it is equivalent")
    assert check.reason_of(MUTANT, "SURVIVED") == "it is equivalent"
    assert check.reason_of(MUTANT, "ERROR") == "ERROR"


def test_what_was_caught_is_kept_until_its_file_changes(copy: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "REPOSITORY", copy)
    check.Caught(copy / "caught.json", keep=False).note(MUTANT, "caught")

    assert MUTANT in check.Caught(copy / "caught.json", keep=True)
    assert MUTANT not in check.Caught(copy / "caught.json", keep=False)
    (copy / "code.py").write_text("FOUND = True  # for ever\n")
    assert MUTANT not in check.Caught(copy / "caught.json", keep=True)
