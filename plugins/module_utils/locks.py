# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Which process on this host holds a lock on a file, as /proc/locks says.

A process that is stopped keeps its locks until somebody continues or ends it, and nobody may ever do so.
"""

from __future__ import annotations

import dataclasses
import os
import signal

from ansible_collections.steady.rollout.plugins.module_utils import processes

WHOLE_FILE, BYTES = "FLOCK", "POSIX"


@dataclasses.dataclass(frozen=True)
class Holder:
    pid: int
    program: str
    is_stopped: bool

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.program})"

    def end(self) -> bool:
        """By SIGKILL; False where it belongs to another user."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return True


def holder_of(path: str, kind: str = WHOLE_FILE, byte: int = 0, proc: str = processes.PROC) -> Holder | None:
    """Who may write: has the whole file, or one byte of it. None where that is nobody, or nobody who can be seen from here:
    a process in another container, or on another machine.
    """
    try:
        file = os.stat(path)
    except OSError:
        return None
    lines = processes.content(f"{proc}/locks").decode("ascii", "replace").splitlines()
    pids = {_pid(line.split(), kind, byte, file.st_ino) for line in lines}
    pid = next((pid for pid in sorted(pids) if pid and _has_open(pid, file, proc)), 0)
    return Holder(pid, processes.program(pid, proc), processes.is_stopped(pid, proc)) if pid else None


def shown(holder: Holder | None) -> str:
    """For messages. Only root sees the locks of other users' processes."""
    if holder is None:
        return "an unknown process (run as root to see it)"
    return f"{holder}, which is stopped" if holder.is_stopped else str(holder)


def _pid(fields: list[str], kind: str, byte: int, inode: int) -> int:
    """Of a line such as '1: POSIX  ADVISORY  WRITE 4711 fe:00:2180421 120 120' where it is this lock, or 0."""
    if len(fields) != 8 or fields[1] != kind or fields[3] != "WRITE":
        return 0
    dummy, dummy, dummy, dummy, pid, file, first, last = fields
    is_it = file.rpartition(":")[2] == str(inode) and first.isdigit() and int(first) <= byte
    return int(pid) if is_it and pid.isdigit() and (last == "EOF" or int(last) >= byte) else 0


def _has_open(pid: int, file: os.stat_result, proc: str) -> bool:
    """Inodes have the same number on several file systems, and the device in /proc/locks is not always that of stat."""
    try:
        handles = os.listdir(f"{proc}/{pid}/fd")
    except OSError:
        return False
    return any(_is_same(f"{proc}/{pid}/fd/{handle}", file) for handle in handles)


def _is_same(path: str, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(path), file)
    except OSError:
        return False
