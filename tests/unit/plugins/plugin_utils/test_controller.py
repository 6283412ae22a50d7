# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys

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


def test_nobody_can_tell_for_another_machine_boot_or_namespace() -> None:
    for name in controller.PLACE:
        assert not controller.is_gone({**controller.owner(), "pid": _ended(), name: "elsewhere"})
        assert not controller.is_gone({**controller.owner(), "pid": _ended(), name: ""})


def test_workers_that_outlived_their_run_are_waited_for() -> None:
    """A worker is told by the command line of its run, and by having lost its parent."""
    script = "import os, sys, time\nif os.fork() == 0:\n os.setsid(); time.sleep(1.0)\n"
    argv = [sys.executable, "-c", script, "worker-of-a-killed-run"]
    before = int(controller.owner()["started"])
    subprocess.run(argv, check=True)
    run = {"command": " ".join(argv), "started": str(before)}
    assert controller.wait_for_orphans(run, limit=0.0) != []
    assert controller.wait_for_orphans(run, limit=30.0) == []


def test_a_run_without_a_command_has_no_orphans() -> None:
    assert controller.wait_for_orphans({}, limit=30.0) == []


def _ended() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid
