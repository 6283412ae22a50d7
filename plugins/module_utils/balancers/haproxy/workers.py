# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Processes that a reload left behind, seen through the master's socket."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import state as haproxy_state
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.protocol import Cli, first_line
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

SPARINGLY = 10


class Workers:
    """The workers under one master."""

    def __init__(self, master: Cli, now: t.Callable[[], float] = time.monotonic) -> None:
        self._master = master
        self._now = now
        self._last: dict[str, int] = {}
        self._due = 0.0

    def old_sessions_for_a_poll(self, pool: str) -> dict[str, int]:
        """The same, or what was found last: reading takes at most a tenth of the time, since it reads whole pools."""
        if not any(self._last.values()) or self._now() >= self._due:
            self.old_sessions(pool)
        return self._last

    def old_sessions(self, pool: str) -> dict[str, int]:
        """Requests in flight and queued in all left-over workers, by member of *pool*."""
        started = self._now()
        totals: dict[str, int] = {}
        for pid in self._old_pids():
            for name, count in self._sessions_of(pid, pool).items():
                totals[name] = totals.get(name, 0) + count
        ended = self._now()
        self._last, self._due = totals, ended + SPARINGLY * (ended - started)
        return totals

    def _old_pids(self) -> list[str]:
        (reply,) = self._master.ask(["show proc"])
        if not reply.startswith("#<PID>"):
            raise RolloutError(
                f"{self._master.where}: HAProxy answered '{first_line(reply)}' to 'show proc': this is not the "
                "master's socket (option -S of haproxy). Correct balancer.master_socket."
            )
        return old_workers(reply)

    def _sessions_of(self, pid: str, pool: str) -> dict[str, int]:
        try:
            (reply,) = self._master.ask([f"@!{pid} show stat -1 6 -1"])
            return haproxy_state.old_sessions(haproxy_state.stat_rows(reply), pool)
        except (Unreachable, haproxy_state.BadReply):
            # A worker that is gone by now has no sessions either.
            if pid in self._old_pids():
                raise Unreachable(
                    f"{self._master.where}: old worker {pid} does not report what it has in flight."
                ) from None
            return {}


def old_workers(show_proc: str) -> list[str]:
    """The process ids under '# old workers' in the reply to 'show proc'."""
    pids = []
    section = ""
    for line in show_proc.splitlines():
        if line.startswith("#"):
            section = line.strip("# \t")
        elif section == "old workers" and line.split()[1:2] == ["worker"]:
            pids.append(line.split()[0])
    return pids
