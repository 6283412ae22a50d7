# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Background processes that outlive whoever started them, remembered in a file.

The file holds the process id and the kernel's start time of that process, so that a number reused for
another process is never mistaken for ours.
"""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import time
import typing as t

INHERITED = ("PATH", "LANG", "LC_ALL", "HOME")
LOOK_INTERVAL = 0.02


class ProcessError(Exception):
    """A process did not start or would not end."""


def start(argv: t.Sequence[str], pid_file: pathlib.Path, log: pathlib.Path, **environment: str) -> int:
    """Starts *argv* in a session of its own and returns its process id; output is added to *log*.

    Of our environment it gets the few variables that every service has, and *environment*: what
    belongs to the run that happens to start it is none of its business.
    """
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**inherited, **environment},
            cwd="/",
            start_new_session=True,
        )
    pid_file.write_text(f"{process.pid} {_start_time(process.pid)}\n", encoding="ascii")
    return process.pid


def running(pid_file: pathlib.Path) -> int | None:
    """The id of the process that the file names, or None when it is over."""
    try:
        pid, start_time = pid_file.read_text(encoding="ascii").split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if _start_time(int(pid)) == start_time else None


def stop(pid_file: pathlib.Path, patience: float = 30.0) -> bool:
    """Ends the process with SIGTERM, after *patience* seconds with SIGKILL; False when none was running."""
    pid = running(pid_file)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    if not wait_for(lambda: running(pid_file) is None, patience):
        os.kill(pid, signal.SIGKILL)
        if not wait_for(lambda: running(pid_file) is None, 5.0):
            raise ProcessError(f"process {pid} ({pid_file}) does not end, not even by SIGKILL.")
    pid_file.unlink()
    return True


def wait_for(condition: t.Callable[[], bool], patience: float) -> bool:
    """True once the condition holds, False when it does not within *patience* seconds."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(LOOK_INTERVAL)
    return True


def _start_time(pid: int) -> str | None:
    """Field 22 of /proc/PID/stat; None for a process that is over, be it reaped or not."""
    try:
        fields = (
            pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(") ")[2].split()
        )
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]
