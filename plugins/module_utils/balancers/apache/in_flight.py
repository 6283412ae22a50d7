# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""When a member of Apache that was taken out has nothing in flight any more.

That is certain when its counter of busy requests is 0. When it stays above, requests that began before the member was
taken out are looked for: if there are none on the whole server, and the member was chosen for none since, then what
the counter says is a leftover.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache.manager import Worker
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache.status import Activity
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

# Seconds between reads of the status page, which lists every thread of the server.
PAUSE = 0.2


class Flight(t.NamedTuple):
    """What is in flight to a member as far as that can be determined."""

    sessions: int
    old: int | None
    """Requests in processes that a graceful restart left behind; they may be another member's."""


@dataclasses.dataclass
class _Out:
    """A member that is out, and since when no request was sent there."""

    since: float
    elected: int
    quiet: bool = False


class FlightLog:
    """Follows members from read to read. *status* may be None: then counters are taken for what they say."""

    def __init__(self, status: t.Callable[[], list[Activity]] | None, clock: Clock) -> None:
        self._status = status
        self._clock = clock
        self._out: dict[str, _Out] = {}
        self._seen: list[Activity] = []
        self._asked = float("-inf")

    @property
    def watches(self) -> bool:
        """Whether leftovers of the counters can be determined."""
        return self._status is not None

    def read(self, name: str, worker: Worker, out: bool, persists: bool) -> Flight:
        if not out or self._status is None:
            self._out.pop(name, None)
            return Flight(worker.busy, None)
        now = self._clock.now()
        known = self._out.get(name)
        if known is None or known.elected != worker.elected:
            known = self._out[name] = _Out(now, worker.elected)
        if known.quiet or (not worker.busy and persists):
            return Flight(0, 0)
        earlier = [one for one in self._activities(known.since) if self._may_be_ours(one, known.since, persists)]
        known.quiet = not earlier
        old = sum(one.leaving for one in earlier)
        return Flight(worker.busy if earlier else 0, 0 if persists else old)

    def _may_be_ours(self, activity: Activity, since: float, persists: bool) -> bool:
        """Whether it may be a request to a member that is out since then.

        Without BalancerPersist the old processes do not know that it is out, and count for themselves.
        """
        return activity.before(self._asked - since) or (activity.leaving and not persists)

    def _activities(self, since: float) -> list[Activity]:
        """What the status page said: after *since*, and at most PAUSE ago."""
        now = self._clock.now()
        if self._status is not None and (self._asked <= since or now - self._asked >= PAUSE):
            self._asked, self._seen = now, self._status()
        return self._seen
