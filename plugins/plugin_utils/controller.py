# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs this playbook, and does the run that held the lease before still live?

The answer is only given for processes of this machine, this boot and this process namespace; for any
other, nobody but the lease's own clock can tell.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
import typing as t

Owner = t.Dict[str, t.Any]
PLACE = ("controller", "boot_id", "namespace")


def owner() -> Owner:
    """The ansible-playbook process that this worker belongs to."""
    pid = os.getppid()
    return {
        "user": _user(),
        "controller": socket.gethostname(),
        "boot_id": _read("/proc/sys/kernel/random/boot_id"),
        "namespace": _link("/proc/self/ns/pid"),
        "pid": pid,
        "started": str(_started(pid)),
        "command": _command(pid),
    }


def is_gone(other: t.Mapping[str, t.Any]) -> bool:
    """True only where it is certain: the process ran here, and it does so no more."""
    here = owner()
    if any(not other.get(name) or other.get(name) != here[name] for name in PLACE):
        return False
    return not other.get("pid") or str(_started(int(other["pid"]))) != str(other.get("started"))


def wait_for_orphans(other: t.Mapping[str, t.Any], limit: float) -> list[int]:
    """Waits until the workers that outlived a killed run have ended; returns those left after *limit* seconds.

    From ansible-core 2.19 on workers have sessions of their own and finish their task after SIGKILL of the
    whole process group. A forked worker keeps the command line of its run, which is how it is found.
    """
    deadline = time.monotonic() + limit
    while True:
        left = _orphans(other)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


def _orphans(other: t.Mapping[str, t.Any]) -> list[int]:
    command, since = other.get("command"), int(other.get("started") or 0)
    ours = _family()
    return [
        pid
        for pid in _pids()
        if pid not in ours
        and command
        and _command(pid) == command
        and _parent(pid) not in ours
        and _started(pid) >= since
    ]


def _family() -> set[int]:
    """This process and its forebears."""
    family, pid = set(), os.getpid()
    while pid > 1:
        family.add(pid)
        pid = _parent(pid)
    return family


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent(pid: int) -> int:
    return int((_stat(pid) or ["", "0"])[1])


def _started(pid: int) -> int:
    """Clock ticks between boot and the process's start; 0 where there is no such process."""
    fields = _stat(pid)
    return 0 if not fields or fields[0] == "Z" else int(fields[19])


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name, which may hold blanks and brackets."""
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def _command(pid: int) -> str:
    return _read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
