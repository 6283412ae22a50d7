# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places under flock in a private directory, for limits that all of a user's Ansible workers keep together.

A lock ends with the process that holds it, however that ends, so a place is never lost.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
import typing as t

from ansible import constants as C

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils import controller

POLL_INTERVAL = 0.05
"""Seconds between two looks for a free place."""


class NotPrivate(RolloutError):
    """Somebody else could have put something into the directory."""


def private_directory(path: str) -> str:
    """Makes *path* where it is not there; raises NotPrivate where anybody else could have made or changed it."""
    os.makedirs(path, mode=0o700, exist_ok=True)
    about = os.lstat(path)
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
        raise NotPrivate(
            f"{path} must be a directory of uid {os.geteuid()} with mode 0700; found owner {about.st_uid} and mode "
            f"{stat.S_IMODE(about.st_mode):04o}. Find out who made it, remove it and run again."
        )
    return path


def run_directory() -> str:
    """A directory of this run alone, which Ansible removes at its end."""
    return private_directory(os.path.join(C.DEFAULT_LOCAL_TMP, "steady"))


def taken(directory: str, name: str, count: int) -> int | None:
    """The open file of one of *count* places that was free, or None; closing it gives the place back."""
    for number in range(count):
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(os.path.join(directory, f"{name}.{number}"), flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
        else:
            return handle
    return None


@contextlib.contextmanager
def place(directory: str, name: str, count: int) -> t.Iterator[None]:
    """Holds one of *count* places; waits until one is free."""
    handle = taken(directory, name, count)
    while handle is None:
        controller.leave_if_ended()
        time.sleep(POLL_INTERVAL)
        handle = taken(directory, name, count)
    try:
        yield
    finally:
        os.close(handle)


def first_time(name: str) -> bool:
    """True for the first worker of the run that asks."""
    path = os.path.join(run_directory(), f"{name}.once")
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    return True
