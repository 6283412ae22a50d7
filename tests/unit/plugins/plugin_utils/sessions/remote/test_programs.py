# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib
import signal
import threading
import time

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote import programs
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote.programs import Programs


def test_a_program_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(RolloutError) as refused:
        programs.run_command(["/does/not/exist"])
    assert refused.value.message == "/does/not/exist cannot be run: No such file or directory."
    with pytest.raises(FileNotFoundError):
        programs.run_command(["/does/not/exist"], handle_exceptions=False)


def test_a_service_that_a_command_leaves_behind_is_not_waited_for() -> None:
    """It keeps standard output open for as long as it runs."""
    status, stdout, stderr = programs.run_command(["sh", "-c", "sleep 60 & echo $!; echo warned >&2; exit 3"])
    os.kill(int(stdout), signal.SIGKILL)  # raises where it has ended
    assert (status, stderr) == (3, "warned\n")


def test_output_that_is_no_text_and_without_end() -> None:
    status, stdout, dummy = programs.run_command(["sh", "-c", "yes | head -c 20000000; printf '\\377end'"])
    assert (status, len(stdout), stdout[-4:]) == (0, programs.LARGEST_OUTPUT, "\ufffdend")


def test_a_command_reads_what_it_is_given() -> None:
    assert programs.run_command(["cat"], data="abc") == (0, "abc", "")
    assert programs.run_command(["cat"]) == (0, "", "")


def test_running_programs_are_ended_and_no_other_is_started(tmp_path: pathlib.Path) -> None:
    """The health check was asked once more between its end and that of the process that had asked."""
    running, done = Programs(apart=True), []
    script = f"echo $$ > {tmp_path}/pid; timeout 600 sleep 600; sleep 600"
    thread = threading.Thread(target=lambda: done.append(running.run(["sh", "-c", script])))
    thread.start()
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().endswith("\n"):
        time.sleep(0.01)
    running.end(30)
    thread.join(30)
    assert programs.members({(tmp_path / "pid").read_text().strip()}) == []
    assert done[0][0] == -signal.SIGTERM
    with pytest.raises(RolloutError) as refused:
        running.run(["true"])
    assert refused.value.message == "The connection to the controller has ended; true is not started."


def test_a_service_that_was_started_is_not_ended() -> None:
    """The service that a release had just restarted was ended with the session."""
    running = Programs(apart=True)
    service = int(running.run(["sh", "-c", "sleep 600 >/dev/null & echo $!"])[1])
    running.end(30)
    os.kill(service, signal.SIGKILL)  # raises where it has ended
