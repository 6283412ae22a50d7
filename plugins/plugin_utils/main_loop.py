# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible's own process does again and again while hosts are rolled out, made cheaper.

It polls for results, and each time it goes through all hosts of the play. The rollout of a host is one task that takes
seconds to minutes, and no other host waits for its result; after any other task the host waits for its next one.

It starts as many workers as there are forks, one after the other. Those of the hosts that may be out of service at the same
time are started first, and have a moment for themselves: the others only wait for their turn.

It computes the variables of a host for each task, and each time it asks for every host of the play whether it is in the list
of the hosts that have ended: at 3,000 hosts, 0.1 s for each task by the middle of a rollout.
"""

from __future__ import annotations

import time
import typing as t

from ansible import constants as C

ROLL = "steady.rollout.roll_host"
PATIENT = 0.2
"""Seconds from one time to the next while no other task is under way."""
HEAD_START = 0.6
"""Seconds in which the first hosts of a rollout get ready for their admission, on a small controller."""


class MainLoop:
    """Sets internal_poll_interval, which the strategies read anew each time."""

    window: int | None = None
    """Hosts that may be out of service at the same time, once the plan is known."""

    def __init__(
        self, now: t.Callable[[], float] = time.monotonic, sleep: t.Callable[[float], None] = time.sleep
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._first_at = 0.0
        self._started = 0
        self._usual = C.DEFAULT_INTERNAL_POLL_INTERVAL
        self._rolled: set[str] = set()
        self._in_other_tasks: set[str] = set()

    def play_started(self, play: t.Any) -> None:
        self._rolled.clear()
        self._in_other_tasks.clear()
        self._started = 0
        self._set_interval()
        # A name of Ansible's own: where a version does not have it, there is nothing to make cheaper.
        if isinstance(getattr(play, "_removed_hosts", None), list):
            play._removed_hosts = EndedHosts(play._removed_hosts)

    def about_to_start(self, action: str) -> None:
        """Called by Ansible's own process before it starts a worker for the task of a host. Nothing is printed while it sleeps."""
        if action != ROLL:
            return
        if not self._started:
            self._first_at = self._now()
        elif self._started == self.window:
            self._sleep(max(0.0, self._first_at + HEAD_START - self._now()))
        self._started += 1

    def task_started(self, host: str, action: str) -> None:
        """*action* is the newest task of *host*; its result is there before its next one starts."""
        self._rolled.discard(host)
        self._in_other_tasks.discard(host)
        (self._rolled if action == ROLL else self._in_other_tasks).add(host)
        self._set_interval()

    def task_ended(self, host: str) -> None:
        """It matters for the last host only: at the end of a play, Ansible sleeps for several intervals."""
        self._rolled.discard(host)
        self._set_interval()

    def _set_interval(self) -> None:
        is_long = self._rolled and not self._in_other_tasks
        C.DEFAULT_INTERNAL_POLL_INTERVAL = max(self._usual, PATIENT) if is_long else self._usual


class EndedHosts(list[str]):
    """A list whose membership test takes the same time at any length."""

    _names: frozenset[str] = frozenset()
    _length = 0

    def remove(self, name: str) -> None:
        super().remove(name)
        self._length = -1

    def __contains__(self, name: object) -> bool:
        if self._length != len(self):
            self._names, self._length = frozenset(self), len(self)
        return name in self._names
