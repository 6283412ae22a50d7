# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The process that is changing a ledger right now, for those that wait for it."""

from __future__ import annotations

import dataclasses
import os

from ansible_collections.steady.rollout.plugins.module_utils import processes
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

SHARED_MEMORY = "-shm"
WRITE_LOCK = 120
"""The byte of the shared memory that a writer locks (https://sqlite.org/walformat.html, "WAL Locks")."""


@dataclasses.dataclass(frozen=True)
class Writer:
    pid: int
    program: str
    is_stopped: bool

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.program})"


def writer_of(path: str, proc: str = processes.PROC) -> Writer | None:
    """None where nobody writes, and where whoever does cannot be seen: in another container, or over a network file system."""
    try:
        inode = os.stat(path + SHARED_MEMORY).st_ino
    except OSError:
        return None
    pid = next((found for line in _locks(proc) for found in [_holder(line, inode)] if found > 0), 0)
    return Writer(pid, processes.program(pid, proc), processes.is_stopped(pid, proc)) if pid else None


def _locks(proc: str) -> list[list[str]]:
    return [line.split() for line in processes.content(f"{proc}/locks").decode("ascii", "replace").splitlines()]


def _holder(fields: list[str], inode: int) -> int:
    """The pid of a line such as '1: POSIX  ADVISORY  WRITE 4711 fe:00:2180421 120 120' where it is this lock, or 0."""
    if len(fields) != 8 or fields[1] != "POSIX" or fields[3] != "WRITE":
        return 0
    dummy, dummy, dummy, dummy, pid, file, first, last = fields
    is_it = file.rpartition(":")[2] == str(inode) and first.isdigit() and int(first) <= WRITE_LOCK
    return int(pid) if is_it and pid.isdigit() and (last == "EOF" or int(last) >= WRITE_LOCK) else 0


def refusal(path: str, writer: Writer | None, waited: float) -> RolloutError:
    """After waiting for *waited* seconds in vain."""
    if writer is not None and writer.is_stopped:
        return RolloutError(
            f"{path}: {writer} is stopped in the middle of a change of the ledger, so nobody else can write to it. "
            f"Nothing was changed; continue it (kill -CONT {writer.pid}) or end it (kill -KILL {writer.pid}), then run "
            "again."
        )
    who = str(writer) if writer else "it cannot be seen from here"
    return RolloutError(
        f"{path}: another process has been changing the ledger for more than {waited:g} s: {who}. Nothing was changed; "
        "wait for that process or end it, then run again."
    )
