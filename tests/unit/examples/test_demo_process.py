# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
from support import examples

process = examples.module("demo", "process")
FOREVER = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)",
]


def test_a_process_runs_from_start_to_stop(tmp_path: pathlib.Path) -> None:
    pid_file = tmp_path / "pid"
    assert process.running(pid_file) is None
    pid = process.start(FOREVER, pid_file, tmp_path / "log")
    assert process.running(pid_file) == pid
    assert process.stop(pid_file) is True
    assert process.running(pid_file) is None
    assert process.stop(pid_file) is False


def test_a_process_that_ignores_the_wish_to_stop_is_killed(tmp_path: pathlib.Path) -> None:
    pid_file = tmp_path / "pid"
    process.start(DEAF, pid_file, tmp_path / "log")
    assert process.wait_for(lambda: (tmp_path / "log").read_text() == "1\n", 10.0)
    assert process.stop(pid_file, patience=0.1) is True
    assert process.running(pid_file) is None


def test_a_number_that_went_to_another_process_is_not_ours(tmp_path: pathlib.Path) -> None:
    pid_file = tmp_path / "pid"
    pid_file.write_text(f"{os.getpid()} 1\n", encoding="ascii")
    assert process.running(pid_file) is None


def test_a_process_that_is_over_but_not_reaped_does_not_run(tmp_path: pathlib.Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as over:
        assert process.wait_for(lambda: process._start_time(over.pid) is None, 10.0)


def test_a_process_inherits_nothing_of_the_run_that_starts_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADY_ROLLOUT_RUN", "a run")
    log = tmp_path / "log"
    process.start([sys.executable, "-c", "import os; print(sorted(os.environ))"], tmp_path / "pid", log, EXTRA="1")
    assert process.wait_for(lambda: "]" in log.read_text(), 10.0)
    assert "STEADY_ROLLOUT_RUN" not in log.read_text()
    assert "EXTRA" in log.read_text()
