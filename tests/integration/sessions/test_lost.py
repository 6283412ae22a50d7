# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever end of a session is lost, the others end, and what was changed is known or reported."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import signal
import subprocess
import typing as t

import pytest
from support.executing import Controller, until
from support.sshd import Sshd

_numbers = itertools.count(1)


class Wait:
    """A call that waits on the host for a command, which no other test's is taken for."""

    def __init__(self) -> None:
        self._seconds = f"600.{os.getpid()}{next(_numbers)}"
        self.call = self.running(["sleep", self._seconds])

    @staticmethod
    def running(command: list[str]) -> dict[str, t.Any]:
        targets = [{"name": "x", "command": command, "timeout": 900}]
        return {
            "host": "app1",
            "module": "health_wait",
            "arguments": {"targets": targets, "successes": 1, "timeout": 900},
        }

    def commands(self) -> list[int]:
        return [int(path.parent.name) for path in _command_lines() if self._seconds in _read(path).split("\0")]

    def is_on(self, server: Sshd) -> bool:
        return bool(server.sessions() and self.commands())

    def is_over(self, server: Sshd) -> bool:
        return not server.sessions() and not self.commands()


@pytest.fixture
def wait() -> t.Iterator[Wait]:
    one = Wait()
    yield one
    for pid in one.commands():
        os.kill(pid, signal.SIGKILL)


def _command_lines() -> t.Iterator[pathlib.Path]:
    return pathlib.Path("/proc").glob("[0-9]*/cmdline")


def _read(path: pathlib.Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def test_the_remote_end_is_killed(controller: Controller, plain: Sshd, wait: Wait) -> None:
    controller.hosts["app1"] = plain.variables()
    run = controller.start([[wait.call]])
    until(lambda: wait.is_on(plain))
    for pid in plain.sessions():
        os.kill(pid, signal.SIGKILL)
    (call,) = ended(controller, run)
    assert call["unreachable"]
    assert call["result"]["msg"].startswith("app1 cannot be reached over ssh (")
    assert call["result"]["msg"].endswith("during health_wait).")
    until(lambda: not plain.sessions())


def test_ssh_is_killed(controller: Controller, plain: Sshd, wait: Wait) -> None:
    controller.hosts["app1"] = plain.variables()
    run = controller.start([[wait.call]])
    until(lambda: wait.is_on(plain))
    for pid in children_of_worker(run.pid):
        os.kill(pid, signal.SIGKILL)
    (call,) = ended(controller, run)
    assert call["result"]["msg"] == (
        "app1 cannot be reached over ssh (the session ended with exit code -9, during health_wait)."
    )
    until(lambda: wait.is_over(plain))


def test_the_worker_is_killed(controller: Controller, plain: Sshd, wait: Wait) -> None:
    controller.hosts["app1"] = plain.variables()
    run = controller.start([[wait.call]])
    until(lambda: wait.is_on(plain))
    for pid in [*workers(run.pid), run.pid]:
        os.kill(pid, signal.SIGKILL)
    run.communicate()
    until(lambda: wait.is_over(plain))


def test_a_session_that_ended_is_opened_again_for_the_next_call(
    controller: Controller, plain: Sshd, wait: Wait
) -> None:
    controller.hosts["app1"] = plain.variables()
    timed_out = {**wait.call, "timeout": 3}
    quick = wait.running(["true"])
    first, second = controller.calls([timed_out], [quick])
    assert first["result"]["msg"] == "app1 cannot be reached over ssh (no answer within 3 s, during health_wait)."
    assert second["result"]["healthy"]
    until(lambda: wait.is_over(plain))


def test_a_suspended_host_is_given_up(controller: Controller, plain: Sshd, wait: Wait) -> None:
    """Neither end of the channel is closed: only the silence shows it."""
    controller.hosts["app1"] = plain.variables()
    run = controller.start([[wait.call]])
    until(lambda: wait.is_on(plain))
    stopped = plain.sessions()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        (call,) = ended(controller, run)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGKILL)
    assert call["result"]["msg"] == "app1 cannot be reached over ssh (no data received for 30 s, during health_wait)."


def ended(controller: Controller, run: subprocess.Popen[str]) -> list[dict[str, t.Any]]:
    printed = run.communicate(timeout=120)[0]
    assert run.returncode == 0, printed
    result = json.loads((controller.directory / "result.json").read_text())
    return [call for one in result["rounds"] for call in one["calls"]]


def workers(playbook: int) -> list[int]:
    return [pid for pid in _children(playbook) if "ansible" in _read(pathlib.Path(f"/proc/{pid}/cmdline"))]


def children_of_worker(playbook: int) -> list[int]:
    return [
        pid
        for worker in workers(playbook)
        for pid in _children(worker)
        if _read(pathlib.Path(f"/proc/{pid}/cmdline")).startswith("ssh\0")
    ]


def _children(parent: int) -> list[int]:
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(path.parent.name))
    return found
