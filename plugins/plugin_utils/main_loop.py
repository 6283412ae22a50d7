# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible's own process does again and again while hosts are rolled out, made cheaper.

It looks for results, and each time it goes through all hosts of the play. The rollout of a host is one task that takes
seconds to minutes, and no other host waits for its result; after any other task the host waits for its next one.

It computes the variables of a host for each task, and each time it asks for every host of the play whether it is in the list
of the hosts that have ended: at 3,000 hosts, 0.1 s for each task by the middle of a rollout.
"""

from __future__ import annotations

import typing as t

from ansible import constants as C

ROLL = "steady.rollout.roll_host"
PATIENT = 0.2
"""Seconds from one time to the next while no other task is under way."""


class MainLoop:
    """Sets internal_poll_interval, which the strategies read anew each time."""

    def __init__(self) -> None:
        self._usual = C.DEFAULT_INTERNAL_POLL_INTERVAL
        self._in_other_tasks: set[str] = set()

    def play_started(self, play: t.Any) -> None:
        self._in_other_tasks.clear()
        C.DEFAULT_INTERNAL_POLL_INTERVAL = self._usual
        # A name of Ansible's own: where a version does not have it, there is nothing to make cheaper.
        if type(getattr(play, "_removed_hosts", None)) is list:
            play._removed_hosts = EndedHosts(play._removed_hosts)

    def task_started(self, host: str, action: str) -> None:
        """*action* is the newest task of *host*; its result is there before its next one starts."""
        if action == ROLL:
            self._in_other_tasks.discard(host)
        else:
            self._in_other_tasks.add(host)
        C.DEFAULT_INTERNAL_POLL_INTERVAL = self._usual if self._in_other_tasks else max(self._usual, PATIENT)


class EndedHosts(list[str]):
    """A list that knows whether it has a name without going through all of them."""

    def __init__(self, names: t.Iterable[str] = ()) -> None:
        super().__init__(names)
        self._names = set(self)

    def append(self, name: str) -> None:
        super().append(name)
        self._names.add(name)

    def remove(self, name: str) -> None:
        super().remove(name)
        self._names = set(self)

    def __contains__(self, name: object) -> bool:
        return name in self._names
