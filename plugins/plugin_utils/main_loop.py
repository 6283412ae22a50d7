# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often Ansible's own process looks for results while hosts are rolled out.

Each time it goes through all hosts of the play. The rollout of a host is one task that takes seconds to minutes, and no other
host waits for its result; after any other task the host waits for its next one.
"""

from __future__ import annotations

from ansible import constants as C

ROLL = "steady.rollout.roll_host"
PATIENT = 0.2
"""Seconds from one time to the next while no other task is under way."""


class MainLoop:
    """Sets internal_poll_interval, which the strategies read anew each time."""

    def __init__(self) -> None:
        self._usual = C.DEFAULT_INTERNAL_POLL_INTERVAL
        self._in_other_tasks: set[str] = set()

    def play_started(self) -> None:
        self._in_other_tasks.clear()
        C.DEFAULT_INTERNAL_POLL_INTERVAL = self._usual

    def task_started(self, host: str, action: str) -> None:
        """*action* is the newest task of *host*; its result is there before its next one starts."""
        if action == ROLL:
            self._in_other_tasks.discard(host)
        else:
            self._in_other_tasks.add(host)
        C.DEFAULT_INTERNAL_POLL_INTERVAL = self._usual if self._in_other_tasks else max(self._usual, PATIENT)
