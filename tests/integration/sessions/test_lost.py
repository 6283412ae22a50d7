# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever end of a session is lost, the others end, and what was changed is known or reported."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import typing as t

from support.executing import Controller, until
from support.sshd import Sshd

SLEEP = {"name": "x", "command": ["sleep", "600"], "timeout": 900}
LONG = {"host": "app1", "module": "health_wait", "arguments": {"targets": [SLEEP], "timeout": 900}}


def waits(server: Sshd) -> bool:
    """The host is at work for the controller."""
    return bool(server.sessions()) and "sleep\x00600" in _command_lines()


def _command_lines() -> str:
    return "".join(
        path.read_text(errors="replace") for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if path.exists()
    )


def test_the_remote_end_is_killed(controller: Controller, plain: Sshd) -> None:
    controller.hosts["app1"] = plain.variables()
    run = controller.start([[LONG]])
    until(lambda: waits(plain))
    for pid in plain.sessions():
        os.kill(pid, signal.SIGKILL)
    (call,) = ended(controller, run)
    assert call["unreachable"]
    assert call["result"]["msg"].startswith("app1 cannot be reached over ssh (")
    assert call["result"]["msg"].endswith("during health_wait).")
    until(lambda: not plain.sessions())


def test_ssh_is_killed(controller: Controller, plain: Sshd) -> None:
    controller.hosts["app1"] = plain.variables()
    run = controller.start([[LONG]])
    until(lambda: waits(plain))
    for pid in children_of_worker(run.pid):
        os.kill(pid, signal.SIGKILL)
    (call,) = ended(controller, run)
    assert call["result"]["msg"] == (
        "app1 cannot be reached over ssh (the session ended with exit code -9, during health_wait)."
    )
    until(lambda: not plain.sessions() and "sleep\x00600" not in _command_lines())


def test_the_worker_is_killed(controller: Controller, plain: Sshd) -> None:
    controller.hosts["app1"] = plain.variables()
    run = controller.start([[LONG]])
    until(lambda: waits(plain))
    for pid in [*workers(run.pid), run.pid]:
        os.kill(pid, signal.SIGKILL)
    run.communicate()
    until(lambda: not plain.sessions() and "sleep\x00600" not in _command_lines())


def test_a_session_that_ended_is_opened_again_for_the_next_call(controller: Controller, plain: Sshd) -> None:
    controller.hosts["app1"] = plain.variables()
    timed_out = {**LONG, "timeout": 3}
    quick = {**LONG, "arguments": {"targets": [{"name": "x", "command": ["true"]}], "successes": 1}}
    first, second = controller.calls([timed_out], [quick])
    assert first["result"]["msg"] == "app1 cannot be reached over ssh (no answer within 3 s, during health_wait)."
    assert second["result"]["healthy"]
    until(lambda: not plain.sessions() and "sleep\x00600" not in _command_lines())


def test_a_suspended_host_is_given_up(controller: Controller, plain: Sshd) -> None:
    """Neither end of the channel is closed: only that nothing is heard tells."""
    controller.hosts["app1"] = plain.variables()
    run = controller.start([[LONG]])
    until(lambda: waits(plain))
    stopped = plain.sessions()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        (call,) = ended(controller, run)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGKILL)
    assert call["result"]["msg"] == "app1 cannot be reached over ssh (no sign of life for 30 s, during health_wait)."


def ended(controller: Controller, run: subprocess.Popen[str]) -> list[dict[str, t.Any]]:
    printed = run.communicate(timeout=120)[0]
    assert run.returncode == 0, printed
    result = json.loads((controller.directory / "result.json").read_text())
    return [call for one in result["rounds"] for call in one["calls"]]


def workers(playbook: int) -> list[int]:
    return [pid for pid in _children(playbook) if "ansible" in _cmdline(pid)]


def children_of_worker(playbook: int) -> list[int]:
    return [pid for worker in workers(playbook) for pid in _children(worker) if _cmdline(pid).startswith("ssh\0")]


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


def _cmdline(pid: int) -> str:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""
