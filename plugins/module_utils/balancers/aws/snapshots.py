# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""How often an API over the network is asked for what a wait polls many times a second."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Snapshot
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock, Pace

PACE = Pace(first=0.25, growth=1.5, longest=3.0)


class Polls:
    """Answers with the last snapshot, or its error, until the next one is due; the first call always reads.

    The time between two reads grows, and starts small again after a change (reset) and after an error.
    """

    def __init__(self, read: t.Callable[[], Snapshot], clock: Clock, pace: Pace = PACE) -> None:
        self._read = read
        self._clock = clock
        self._pace = pace
        self._last: Snapshot | RolloutError | None = None
        self._due = 0.0
        self._interval = pace.first

    def reset(self) -> None:
        self._last = None
        self._interval = self._pace.first

    def snapshot(self) -> Snapshot:
        if self._last is None or self._clock.now() >= self._due:
            self._last = self._ask()
            if isinstance(self._last, RolloutError):
                self._interval = self._pace.first
            self._due = self._clock.now() + self._interval
            self._interval = min(self._interval * self._pace.growth, self._pace.longest)
        if isinstance(self._last, RolloutError):
            raise self._last
        return self._last

    def _ask(self) -> Snapshot | RolloutError:
        try:
            return self._read()
        except RolloutError as error:
            return error
