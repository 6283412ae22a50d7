# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One question to the windows of all sites, and what follows from it: go on, skip, fail, or wait until when."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.windows import messages, settings
from ansible_collections.steady.rollout.plugins.plugin_utils.windows.schedule import Answer, Schedule, answer

GO = "go"
SKIP = "skip"
FAIL = "fail"
WAIT = "wait"
OUTSIDE = "outside_window"
"""The kind of a failure outside of the window."""
OTHERS = ""
"""The site of hosts that are of none with a time zone of its own."""

Result = t.Dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Verdict:
    act: str
    answers: dict[str, Answer]
    wait_until: dt.datetime | None = None

    @property
    def best(self) -> Answer:
        """The site that says most: the one that is open longest, else the one that opens first."""
        far = dt.datetime.max.replace(tzinfo=dt.timezone.utc)
        return min(
            self.answers.values(),
            key=lambda one: (not one.fits, not one.is_open, -one.left, one.next.start if one.next else far),
        )

    def result(self) -> Result:
        sites = {name: messages.as_result(one) for name, one in self.answers.items()}
        named = {name: one for name, one in sites.items() if name != OTHERS}
        closes_at = {name: one["closes_at"] if one["fits"] else 0.0 for name, one in sites.items()}
        return {**messages.as_result(self.best), "sites": named, "closes": closes_at, "skip": self.act == SKIP}


class Question:
    """*options* are those of maintenance_window."""

    def __init__(self, options: t.Mapping[str, t.Any], read: t.Callable[[str], str]) -> None:
        self._schedules: dict[str, Schedule] = settings.schedules(options, read)
        self.needed = dt.timedelta(seconds=needed_seconds(options))
        self._state = str(options.get("state") or "open")
        self.wait_limit = dt.timedelta(seconds=durations.seconds("wait_limit", options.get("wait_limit") or 0))

    def asked(self, now: dt.datetime, waited: dt.timedelta = dt.timedelta(0)) -> Verdict:
        answers = {site: answer(schedule, now, self.needed) for site, schedule in self._schedules.items()}
        # With sites there is nobody else's window to go by; hosts of no site have one all the same.
        named = {site: one for site, one in answers.items() if site != OTHERS} or answers
        if any(one.fits for one in named.values()):
            return Verdict(GO, answers)
        return self._closed(Verdict(SKIP if self._state == "skip" else FAIL, answers), named, now, waited)

    def _closed(
        self, verdict: Verdict, named: t.Mapping[str, Answer], now: dt.datetime, waited: dt.timedelta
    ) -> Verdict:
        opens = min((one.next.start for one in named.values() if one.next), default=None)
        if self._state != "wait" or opens is None or opens - now > self.wait_limit - waited:
            return verdict
        return dataclasses.replace(verdict, act=WAIT, wait_until=opens)


def needed_seconds(options: t.Mapping[str, t.Any]) -> float:
    """Given, or worked out from how long a host took before; 0 where nothing is known."""
    if options.get("needed") not in (None, ""):
        return durations.seconds("needed", options["needed"])
    extra = sum(durations.seconds("extra", one) for one in options.get("extra") or [])
    if options.get("host_seconds") in (None, ""):
        return extra
    hosts, parallel = int(options.get("hosts") or 1), int(options.get("parallel") or 1)
    if hosts < 1 or parallel < 1:
        raise InputError(f"hosts and parallel: expected at least 1 each, found {hosts} and {parallel}.")
    return math.ceil(hosts / parallel) * durations.seconds("host_seconds", options["host_seconds"]) + extra
