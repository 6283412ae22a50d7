# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes that one run consists of, on the controller and on the hosts, to be killed one by one."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import typing as t

from fleet.lab.hosts import Lab
from fleet.lab.places import Host
from fleet.world.rolling import Run

RUNNER = "steady-rollout-session"
LIST = (
    "import os; [print(p) for p in os.listdir('/proc') if p.isdigit() and '{runner}' in "
    "open('/proc/' + p + '/cmdline').read().split(chr(0))]"
)


def workers(run: Run) -> list[int]:
    return [pid for pid in _forks(run) if _parent(pid) == run.pid]


def keeper(run: Run) -> int:
    """The parent of the watch, which is nobody's child any more."""
    return next(pid for pid in _detached(run) if _children(run, pid))


def sharing(run: Run) -> int:
    """The process with the sessions that all workers share, which is nobody's child either."""
    return next(pid for pid in _detached(run) if not _children(run, pid))


def watch(run: Run) -> int:
    return _children(run, keeper(run))[0]


def worker_of(run: Run, host: str) -> int:
    """The worker with a session on the host."""
    return _parent(ssh_to(run, host))


def ssh_to(run: Run, host: str) -> int:
    """The ssh of a worker's session on the host."""
    address = Host.named(host).address
    own = workers(run)
    return next(pid for pid in _pids() if _parent(pid) in own and address in _words(pid))


def connections(lab: Lab) -> list[int]:
    """The ssh processes that keep the lab's connections open."""
    return [pid for pid in _pids() if str(lab.places.runtime) in _words(pid)[0] and "[mux]" in _words(pid)[0]]


def kill(*pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_remote_ends(lab: Lab, host: str) -> int:
    """All sessions' processes on the host; returns how many there were."""
    pids = lab.run(host, ["python3", "-c", LIST.format(runner=RUNNER)]).stdout.split()
    for pid in pids:
        lab.run(host, ["kill", "-KILL", pid], check=False)
    return len(pids)


def _forks(run: Run) -> list[int]:
    """Processes that were forked from ansible-playbook and still are it."""
    command = _words(run.pid)
    return [pid for pid in _pids() if pid != run.pid and _words(pid) == command]


def _detached(run: Run) -> list[int]:
    forks = _forks(run)
    return [pid for pid in forks if _parent(pid) not in (run.pid, *forks)]


def _children(run: Run, above: int) -> list[int]:
    return [pid for pid in _forks(run) if _parent(pid) == above]


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _words(pid: int) -> list[str]:
    return _read(f"/proc/{pid}/cmdline").split("\0")


def _parent(pid: int) -> int:
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[1]) if fields else 0


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return ""


Kill = t.Callable[[Run, Lab, str], None]
"""Of something that has to do with the host, in a run."""
