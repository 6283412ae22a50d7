# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib
import sys
import typing as t

import pytest
from run import house
from run.part import interrupted, run_part, why_not
from run.parts import Part, Step
from run.tally import FAILED, PASSED, SKIPPED, Count

REPORT = """
import pathlib, sys
pathlib.Path(sys.argv[1], "tests.xml").write_text('<testsuite tests="3" skipped="1"/>')
"""


def python(name: str, code: str, *words: str) -> Step:
    return Step(name, (sys.executable, "-c", code.replace("{", "{{").replace("}", "}}"), *words))


def part_of(*steps: Step, **settings: t.Any) -> Part:
    return Part("sample", "a sample", steps, **{"limit": 60, **settings})


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs and locks of these tests stay out of the checkout's own."""
    monkeypatch.setattr(house, "ROOT", tmp_path)
    monkeypatch.setattr(house, "BUILD", tmp_path / "build")
    monkeypatch.setattr(house, "LOGS", tmp_path / "build" / "test")
    monkeypatch.delenv("STEADY_ALL_PARTS", raising=False)


def test_every_step_runs_though_one_fails() -> None:
    line = run_part(part_of(python("bad", "raise SystemExit(3)"), python("good", "")), live=False, long=False)

    assert (line.result, line.count) == ("FAILED", Count(passed=1, failed=1))
    assert line.note == "bad (exit code 3) failed; all of its output is in build/test/sample.log"


def test_a_report_is_counted_once(tmp_path: pathlib.Path) -> None:
    line = run_part(part_of(python("tests", REPORT, "{reports}"), python("after", "")), live=False, long=False)

    assert (line.result, line.count) == ("ok", Count(passed=2, skipped=1) + PASSED)


def test_output_is_shown_only_on_failure(capfd: pytest.CaptureFixture[str]) -> None:
    run_part(part_of(python("good", "print('quiet')")), live=False, long=False)
    run_part(part_of(python("bad", "raise SystemExit('loud')")), live=False, long=False)

    shown = capfd.readouterr().out
    assert "quiet" not in shown
    assert "loud" in shown


def test_what_hangs_is_ended_with_all_that_it_started(tmp_path: pathlib.Path) -> None:
    hanging = "import subprocess, sys, pathlib; child = subprocess.Popen(['sleep', '600']); "
    hanging += f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid)); child.wait()"

    line = run_part(part_of(python("stuck", hanging), limit=1), live=False, long=False)

    assert line.note == "stuck (took too long) failed; all of its output is in build/test/sample.log"
    assert not running(int((tmp_path / "pid").read_text()))


def running(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_comes_after_runs_though_a_step_fails(tmp_path: pathlib.Path) -> None:
    after = ("touch", str(tmp_path / "cleaned"))

    run_part(part_of(python("bad", "raise SystemExit(1)"), after=after), live=False, long=False)

    assert (tmp_path / "cleaned").exists()


def test_a_part_that_cannot_run_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "which", lambda program: None)

    line = run_part(part_of(python("good", ""), programs=("mmdebstrap",)), live=False, long=False)

    assert (line.result, line.count) == ("not run", SKIPPED)


def test_a_part_that_cannot_run_fails_where_all_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "which", lambda program: None)
    monkeypatch.setenv("STEADY_ALL_PARTS", "1")

    line = run_part(part_of(python("good", ""), programs=("mmdebstrap",)), live=False, long=False)

    assert (line.result, line.count) == ("FAILED", FAILED)


def test_says_that_root_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert why_not(part_of(root=True)) == (
        "needs root for its hosts (network namespaces, systemd-nspawn); run it again as root."
    )


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "which", lambda program: None)

    assert why_not(part_of(programs=("mmdebstrap", "ip"))) == (
        "needs mmdebstrap, ip; on Debian: apt-get install iproute2 mmdebstrap."
    )


def test_an_interrupted_part_ends_what_runs_and_cleans_up(tmp_path: pathlib.Path) -> None:
    after = ("touch", str(tmp_path / "cleaned"))
    interrupted.set()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_part(part_of(python("stuck", "import time; time.sleep(600)"), after=after), live=False, long=False)
    finally:
        interrupted.clear()
    assert (tmp_path / "cleaned").exists()
