# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the number of ssh sessions to a remote coordinator below what sshd allows on one connection."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import files
from ansible_collections.steady.rollout.plugins.plugin_utils import controller

POLL_EVERY = 0.05
"""Seconds between two looks for a free session."""


@contextlib.contextmanager
def session(run: str, purpose: str, count: int) -> t.Iterator[None]:
    """Holds one of *count* sessions of this run for *purpose*; waits until one is free.

    sshd allows 10 sessions a connection (MaxSessions) and refuses the others, so fifty workers that wait
    must not each hold one. Files locked with flock are what forked workers share; a lock ends with its holder.
    """
    folder = os.path.join(tempfile.gettempdir(), f"steady-rollout-{os.getuid()}")
    files.private_directory(folder)
    while True:
        for number in range(count):
            with open(os.path.join(folder, f"{run}-{purpose}-{number}.session"), "w", encoding="utf-8") as stream:
                if _locked(stream):
                    yield
                    return
        controller.leave_if_ended()
        time.sleep(POLL_EVERY)


def _locked(stream: t.IO[str]) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
