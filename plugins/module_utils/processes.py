# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What /proc says of the processes on this host; what cannot be read is empty."""

from __future__ import annotations

import os
import platform
import typing as t

PROC = "/proc"
RUN_MARK = "STEADY_ROLLOUT_RUN"
"""The environment variable by which the processes of a run are found on its hosts."""
LONGEST_PROGRAM = 100
READ = {
    "x86_64": b"0",
    "aarch64": b"63",
    "riscv64": b"63",
    "ppc64le": b"3",
    "s390x": b"3",
    "armv7l": b"3",
    "i686": b"3",
}
"""The number of the system call by processor, as in the kernel's tables (syscall.tbl and asm-generic/unistd.h)."""


def content(path: str) -> bytes:
    """A file below /proc; empty where the process has ended or belongs to somebody else."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def arguments(pid: int | str, proc: str = PROC) -> list[bytes]:
    return content(f"{proc}/{pid}/cmdline").split(b"\0")[:-1]


def program(pid: int | str, proc: str = PROC) -> str:
    """For messages: the program and its script, never its options, which may hold secrets."""
    words = [word.decode("utf-8", "replace") for word in arguments(pid, proc)[:2]]
    named = " ".join(os.path.basename(word) for word in words if word and not word.startswith("-"))
    return "".join(letter for letter in named if letter.isprintable())[:LONGEST_PROGRAM] or "unknown"


def is_stopped(pid: int | str, proc: str = PROC) -> bool:
    """Suspended by a signal or a debugger."""
    return _state(pid, proc)[:1] in ([b"T"], [b"t"])


def reads_its_input(pid: int | str, proc: str = PROC) -> bool:
    """Blocked in read(0, ...). False also where that cannot be seen: by another user, or on a processor not listed here."""
    fields = content(f"{proc}/{pid}/syscall").split()
    return fields[:2] == [READ.get(platform.machine(), b"unknown"), b"0x0"]


def parents(proc: str = PROC) -> dict[int, int]:
    """Each process with its parent; 0 where that is unknown."""
    return {int(name): _parent(name, proc) for name in os.listdir(proc) if name.isdigit()}


def _parent(pid: str, proc: str) -> int:
    fields = _state(pid, proc)
    return int(fields[1]) if len(fields) > 1 else 0


def _state(pid: int | str, proc: str) -> t.Sequence[bytes]:
    """The fields after the command's name, which may hold blanks and brackets."""
    return content(f"{proc}/{pid}/stat").rpartition(b")")[2].split()
