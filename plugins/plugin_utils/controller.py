# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs this playbook, and does the run that held the lease before still live?

The answer is only given for processes of this machine, this boot and this process namespace; for any
other, only the lease's own expiry can show it.
"""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import pwd
import signal
import socket
import time
import typing as t

from ansible.errors import AnsibleActionFail

Owner = t.Dict[str, t.Any]
PLACE = ("controller", "boot_id", "namespace")
STUCK_IN = "pipe_w"
SHOW_EVERY = 15.0
"""Seconds between two lines while something is waited for."""
WAITS_FOR_A_LOCK = "futex"
PARENT, FLAGS, THREADS, STARTED = 1, 6, 17, 19
"""Positions in /proc/PID/stat, counted from the state."""
NO_LOGIN = 2**32 - 1
FORKED = 0x40
"""In the flags: forked from another process and still running that one's program."""


def owner() -> Owner:
    """The ansible-playbook process that this worker belongs to."""
    pid = os.getppid()
    return {
        "user": _user(),
        "controller": socket.gethostname(),
        "boot_id": _read("/proc/sys/kernel/random/boot_id"),
        "namespace": _link("/proc/self/ns/pid"),
        "pid": pid,
        "started": str(started(pid)),
        "command": _command(pid),
    }


_followed: tuple[int, int] | None = None


def follow(pid: int) -> None:
    """From here on this process belongs to the ansible-playbook with that process id, whoever its parent is."""
    global _followed
    _followed = (pid, started(pid))


def leave_if_ended() -> None:
    """Raises where the ansible-playbook that this process belongs to is gone: nothing new may be started then.

    A worker that was forked just before the end has never seen another parent than the one it has now.
    """
    if has_ended():
        raise AnsibleActionFail("The run that this worker belongs to has ended; nothing more is started.")


def has_ended() -> bool:
    if _followed is not None:
        return started(_followed[0]) != _followed[1]
    parent = multiprocessing.parent_process()
    return parent is not None and os.getppid() != parent.pid


def is_gone(other: t.Mapping[str, t.Any]) -> bool:
    """True only where it is certain: the process ran here, and it does so no more."""
    here = owner()
    if any(not other.get(name) or other.get(name) != here[name] for name in PLACE):
        return False
    return not other.get("pid") or str(started(int(other["pid"]))) != str(other.get("started"))


def wait_for_orphans(
    other: t.Mapping[str, t.Any], limit: float, show: t.Callable[[list[int]], None] = lambda left: None
) -> list[int]:
    """Waits until the workers that outlived a killed run have ended; returns those left after *limit* seconds.

    *show* gets those that are left every SHOW_EVERY seconds.
    From ansible-core 2.19 on workers have sessions of their own and finish their task after SIGKILL of the
    whole process group.
    """
    shown_at = time.monotonic()
    deadline = shown_at + limit
    while True:
        left = _at_work(_orphans(other))
        if not left or time.monotonic() > deadline:
            return left
        if time.monotonic() - shown_at >= SHOW_EVERY:
            shown_at = time.monotonic()
            show(left)
        time.sleep(0.1)


def _orphans(other: t.Mapping[str, t.Any]) -> list[int]:
    """A worker is a fork and keeps the command line of its run; one that lives has the run for its parent."""
    command, since = other.get("command"), int(other.get("started") or 0)
    return [
        pid
        for pid in _pids()
        if command
        and _command(pid) == command
        and _is_forked(pid)
        and _command(_parent(pid)) != command
        and started(pid) >= since
    ]


def _at_work(orphans: t.Sequence[int]) -> list[int]:
    """Those that are there and can still do something.

    Workers hand their results over through one pipe. Nobody reads it any more, so it fills up, and then the
    worker that writes is stuck for ever, and with it those that wait for their turn. They are ended, and so is one that
    somebody has stopped: it would never end, and nobody waits for what it was about to do.
    """
    stopped = {pid for pid in orphans if is_suspended(pid)}
    # Writing before and after: in between it has no child that it could be feeding.
    writing = {pid for pid in orphans if _is_writing(pid) and _is_by_itself(pid) and _is_writing(pid)}
    waiting = {
        pid for pid in orphans if writing and _sleeps_in(pid).startswith(WAITS_FOR_A_LOCK) and _is_by_itself(pid)
    }
    return [pid for pid in orphans if pid not in stopped | writing | waiting or _end(pid)]


def _end(pid: int) -> bool:
    """False where it is another user's, who will not do anything with it either."""
    try:
        os.kill(pid, signal.SIGKILL)
    except PermissionError:
        return False
    except ProcessLookupError:
        pass
    return True


def _is_by_itself(pid: int) -> bool:
    """One thread and no child that works for it."""
    fields = _stat(pid)
    return bool(fields) and fields[THREADS] == "1" and all(_parent(other) != pid for other in _pids())


def _is_forked(pid: int) -> bool:
    fields = _stat(pid)
    return bool(fields) and bool(int(fields[FLAGS]) & FORKED)


def _is_writing(pid: int) -> bool:
    """Into a pipe that is full."""
    return STUCK_IN in _sleeps_in(pid)


def _sleeps_in(pid: int) -> str:
    """The kernel's function in which the process waits; empty where that is kept from us."""
    return _read(f"/proc/{pid}/wchan")


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent(pid: int) -> int:
    return int((_stat(pid) or ["", "0"])[PARENT])


def is_suspended(pid: int) -> bool:
    """Stopped by a signal or by a debugger."""
    return (_stat(pid) or [""])[0] in ("T", "t")


def has_workers(run: int) -> bool:
    """Whether anything that this ansible-playbook has started is alive."""
    return any(started(int(child)) for child in _read(f"/proc/{run}/task/{run}/children").split())


def end(run: int) -> None:
    """Has that ansible-playbook end, as if somebody had cancelled it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(run, signal.SIGTERM)


def started(pid: int) -> int:
    """Clock ticks from boot to the start of the process; 0 where there is no such process."""
    fields = _stat(pid)
    return 0 if not fields or fields[0] == "Z" else int(fields[STARTED])


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name, which may hold blanks and brackets."""
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def _command(pid: int) -> str:
    """The command line's digest: the ledger is no place for a password that was given with -e."""
    words = _read(f"/proc/{pid}/cmdline")
    return hashlib.sha256(words.encode()).hexdigest() if words else ""


def _user() -> str:
    """Who logged in, which sudo and su do not change, nor a variable of the environment."""
    login = _read("/proc/self/loginuid")
    number = int(login) if login.isdigit() and int(login) != NO_LOGIN else os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a container's user without a name
        return str(number)


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
