# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a run that are stopped by SIGSTOP and continued later, as a laptop that was closed or a host that was paused."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import typing as t

from fleet.world.rolling import Run
from fleet.world.shop import Shop

SESSION = "steady-rollout-sessio[n]"


class Frozen(t.Protocol):
    def stop(self) -> bool:
        """False where there was nothing to stop at this moment."""

    def go_on(self) -> None: ...


class Local:
    """Processes of the controller: ansible-playbook, or its workers, or all of them with the watch."""

    def __init__(self, run: Run, pids: t.Callable[[int], list[int]]) -> None:
        self._run = run
        self._choose = pids
        self._stopped: list[int] = []

    def stop(self) -> bool:
        self._stopped = self._choose(self._run.pid)
        self._signal(signal.SIGSTOP)
        return bool(self._stopped)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


class Sessions:
    """The remote ends of all sessions on these hosts of the lab."""

    def __init__(self, shop: Shop, hosts: t.Sequence[str]) -> None:
        self._shop = shop
        self._hosts = hosts
        self._stopped: dict[str, list[str]] = {}

    def stop(self) -> bool:
        for host in self._hosts:
            self._stopped[host] = self._shop.lab.run(host, ["pgrep", "-f", SESSION], check=False).stdout.split()
            self._signal(host, "STOP")
        return any(self._stopped.values())

    def go_on(self) -> None:
        for host in self._stopped:
            self._signal(host, "CONT")

    def _signal(self, host: str, name: str) -> None:
        if self._stopped[host]:
            self._shop.lab.run(host, ["kill", f"-{name}", *self._stopped[host]], check=False)


def whole_run(pid: int) -> list[int]:
    """ansible-playbook, its workers and the watch, which has a session of its own; ssh is none of them."""
    command = _command(pid)
    others = [one for one in _pids() if one != pid and _command(one) == command]
    return [pid, *others]


def workers_of(pid: int) -> list[int]:
    return [one for one in _pids() if _parent(one) == pid and _command(one) == _command(pid)]


def _pids() -> list[int]:
    return [int(path.name) for path in pathlib.Path("/proc").iterdir() if path.name.isdigit()]


def _command(pid: int) -> bytes:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _parent(pid: int) -> int:
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
