# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The maintenance window of a run: until when, and whether one more host still fits."""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import moment

CLOSED = "window"
"""The kind of the reason for which no further host starts."""
OTHERS = ""
"""The site of hosts that are of none with a window of its own."""


@dataclasses.dataclass(frozen=True)
class Window:
    """*closes* has the end for each site in seconds of the clock, 0 where it is closed."""

    closes: t.Mapping[str, float]
    host_seconds: float | None = None
    """How long a host takes; None where it is not known yet."""
    next: str = ""
    """A sentence about the next window."""

    def closes_at(self, zone: str) -> float:
        return self.closes.get(zone, self.closes.get(OTHERS, 0.0))

    @property
    def last_closes_at(self) -> float:
        return max(self.closes.values(), default=0.0)

    def objection(self, zone: str, now: float) -> str:
        """Why no host of the zone may start at this moment; empty where one may."""
        closes_at = self.closes_at(zone)
        if not closes_at:
            return (
                f"outside the maintenance window of {zone}" if zone in self.closes else "outside the maintenance window"
            )
        left = closes_at - now
        if left <= 0:
            return f"the maintenance window closed at {moment(closes_at)}"
        if self.host_seconds is not None and left < self.host_seconds:
            return (
                f"the maintenance window closes at {moment(closes_at)}, in {left:.0f} s, and a host takes "
                f"{self.host_seconds:.0f} s"
            )
        return ""

    def next_step(self) -> str:
        """What to do, as a sentence."""
        return f"Run the same command again in the next maintenance window{f': {self.next}' if self.next else ''}."


def validated(given: t.Any, measured: float | None) -> Window | None:
    """The window that the run was given; None where it has none. *measured* is what the history says of a host."""
    if not isinstance(given, dict) or not given.get("closes"):
        return None
    try:
        closes = {str(site): float(at) for site, at in given["closes"].items()}
    except (AttributeError, TypeError, ValueError):
        closes = {"": -1.0}
    if not all(math.isfinite(at) and 0 <= at < durations.LONGEST * 500 for at in closes.values()):
        raise InputError(
            f"window.closes: {given['closes']!r:.120} is not such as {{'': 1790000000}}; expected seconds since 1970 by site."
        )
    host = given.get("host_seconds")
    seconds = measured if host in (None, "") else durations.seconds("window.host_seconds", host)
    return Window(closes, seconds, str(given.get("next") or "")[:200])


def percentile(values: t.Sequence[float], percent: float) -> float | None:
    """The nearest value that so many percent do not exceed; None without values."""
    if not values:
        return None
    return sorted(values)[max(math.ceil(len(values) * percent / 100) - 1, 0)]
