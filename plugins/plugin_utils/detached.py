# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process of a run that is no worker: no place in forks is given to it, and it outlives the task that starts it."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils import controller

NOWHERE = "/dev/null"


def start(work: t.Callable[[], None]) -> int:
    """Runs *work* in a grandchild of this worker, which nobody has to wait for; its process id, 0 where there is none."""
    reader, writer = os.pipe()
    run = os.getppid()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _detach(work, run, writer)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader, encoding="ascii") as stream:
        return int(stream.read() or 0)


def _detach(work: t.Callable[[], None], run: int, writer: int) -> t.NoReturn:
    """Never returns: whatever Ansible does at the end of a worker is not for this process."""
    try:
        os.setsid()
        pid = os.fork()
        if pid:
            os.write(writer, str(pid).encode())
            os._exit(0)
        os.close(writer)
        _leave_terminal()
        controller.follow(run)
        work()
    finally:
        os._exit(0)


def _leave_terminal() -> None:
    """Whoever reads the run's output must see its end when the run ends."""
    nowhere = os.open(NOWHERE, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
