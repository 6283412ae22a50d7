# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils import controller


def test_the_owner_is_the_process_that_started_this_one_and_it_lives() -> None:
    owner = controller.owner()
    assert owner["pid"] == os.getppid()
    assert not controller.is_gone(owner)


def test_a_process_that_ended_here_is_gone() -> None:
    owner = {**controller.owner(), "pid": _ended()}
    assert controller.is_gone(owner)


def test_another_process_that_got_the_same_number_is_not_the_owner() -> None:
    assert controller.is_gone({**controller.owner(), "started": "1"})


def test_it_is_not_known_for_another_machine_boot_or_namespace() -> None:
    for name in ("controller", "boot_id", "namespace"):
        assert not controller.is_gone({**controller.owner(), "pid": _ended(), name: "elsewhere"})
        assert not controller.is_gone({**controller.owner(), "pid": _ended(), name: ""})


def test_workers_that_outlived_their_run_are_waited_for(tmp_path: pathlib.Path) -> None:
    done = tmp_path / "done"
    wait = f"[time.sleep(0.01) for _ in iter(lambda: os.path.exists({str(done)!r}), True)]"
    with _killed_run(f"{wait}; open(f'{tmp_path}/{{os.getpid()}}', 'w').close()") as run:
        workers = controller.wait_for_orphans(run, limit=0.0)
        assert len(workers) == WORKERS
        done.touch()
        assert controller.wait_for_orphans(run, limit=30.0) == []
    finished = {path.name for path in tmp_path.iterdir()} - {"done"}
    assert finished == {str(pid) for pid in workers}, "none was cut short"


def test_workers_of_a_run_that_lives_are_not_waited_for() -> None:
    with _killed_run("time.sleep(30)", ends=False) as run:
        assert controller.wait_for_orphans(run, limit=0.0) == []


def test_a_worker_whose_result_is_not_read_is_ended() -> None:
    """And one that waits for its turn to write into the same pipe."""
    with _killed_run("with turn: os.write(full, bytes(100_000))") as run:
        assert len(controller._orphans(run)) == WORKERS
        assert controller.wait_for_orphans(run, limit=30.0) == []
        assert controller._orphans(run) == []


def test_a_worker_that_somebody_had_stopped_kept_the_next_run_waiting() -> None:
    with _killed_run("os.kill(os.getpid(), 19)") as run:
        while not all(controller.is_suspended(pid) for pid in controller._orphans(run)):
            time.sleep(0.01)
        assert controller.wait_for_orphans(run, limit=30.0) == []
        assert controller._orphans(run) == []


def test_a_worker_that_feeds_a_child_is_waited_for() -> None:
    child = "[sys.executable, '-c', 'import time; time.sleep(30)']"
    feeding = f"subprocess.Popen({child}, stdin=subprocess.PIPE).stdin.write(bytes(100_000))"
    with _killed_run(feeding) as run:
        assert len(controller.wait_for_orphans(run, limit=0.5)) == WORKERS


def test_a_worker_that_began_to_feed_a_child_while_it_was_looked_at_was_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It had no child yet at the first look, and was writing at the second."""
    looks: list[str] = []
    monkeypatch.setattr(controller, "is_suspended", lambda pid: False)
    monkeypatch.setattr(controller, "_is_by_itself", lambda pid: not looks.append("child") and len(looks) == 1)
    monkeypatch.setattr(
        controller, "_sleeps_in", lambda pid: controller.STUCK_IN if looks.append("sleep") or len(looks) > 1 else ""
    )
    monkeypatch.setattr(controller, "_end", lambda pid: pytest.fail(f"{pid} was ended"))
    assert controller._at_work([4711]) == [4711]


def test_a_run_without_a_command_has_no_orphans() -> None:
    assert controller.wait_for_orphans({}, limit=30.0) == []


def test_the_command_line_itself_is_not_written_down() -> None:
    """It may hold a password."""
    with _killed_run("time.sleep(0.1)") as run:
        assert "killed-run" not in str(run)
        assert len(run["command"]) == 64


def test_a_worker_leaves_once_its_run_has_ended(tmp_path: pathlib.Path) -> None:
    error_file = tmp_path / "error_file"
    script = f"""
import multiprocessing, os, pathlib, sys, time
sys.path[:0] = {sys.path!r}
from ansible_collections.steady.rollout.plugins.plugin_utils import controller
def work():
    controller.leave_if_ended()
    os.kill(os.getppid(), 9)
    while os.getppid() == multiprocessing.parent_process().pid:
        time.sleep(0.01)
    try:
        controller.leave_if_ended()
    except Exception as error:
        pathlib.Path({str(error_file)!r}).write_text(str(error))
multiprocessing.get_context("fork").Process(target=work).start()
time.sleep(30)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    end = time.monotonic() + 30
    while not error_file.exists() or not error_file.read_text():
        assert time.monotonic() < end
        time.sleep(0.01)
    assert error_file.read_text() == "The run that this worker belongs to has ended; nothing more is started."


WORKERS = 2
RUN = """
import multiprocessing, os, subprocess, sys, time
turn, (empty, full) = multiprocessing.get_context("fork").Lock(), os.pipe()
workers = []
for number in range({workers}):
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(1)
        {work}
        os._exit(0)
    workers.append(pid)
print(*workers, flush=True)
sys.stdin.read()
"""


def test_a_worker_that_was_killed_is_none() -> None:
    with subprocess.Popen([sys.executable, "-c", "import os; os.read(0, 1)"], stdin=subprocess.PIPE) as run:
        assert controller.has_workers(os.getpid())
        assert not controller.has_workers(run.pid)
        run.kill()
        os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOWAIT)
        assert str(run.pid) in controller._read(f"/proc/{os.getpid()}/task/{os.getpid()}/children").split()
        assert not controller.started(run.pid)


@contextlib.contextmanager
def _killed_run(work: str, ends: bool = True) -> t.Iterator[dict[str, t.Any]]:
    """A run that was killed while its workers do this *work*; with *ends* false it lives on."""
    argv = [sys.executable, "-c", RUN.format(workers=WORKERS, work=work), "killed-run"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    workers = [int(pid) for pid in process.stdout.readline().split()]
    run = {"command": controller._command(process.pid), "started": str(controller.started(process.pid))}
    try:
        if ends:
            process.kill()
            process.wait()
        yield run
    finally:
        process.kill()
        process.wait()
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _ended() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid
