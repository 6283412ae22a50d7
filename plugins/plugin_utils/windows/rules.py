# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One RRULE: the times on the wall, or the instants, at which something starts.

Days, weeks, months and years are counted by dateutil, on the wall. Hours are counted here, as they really pass: on the
wall one of them is missing in autumn, and in spring two are the same.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.windows import moments

HOUR = dt.timedelta(hours=1)
SLACK = dt.timedelta(days=2)
"""More than the wall can differ from UTC."""
KNOWN = (
    "FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYHOUR", "BYMINUTE",
    "BYSECOND", "BYSETPOS", "WKST",
)  # fmt: skip
OF_HOURS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYHOUR", "WKST")
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
NUMBER = re.compile(r"[+-]?\d{1,6}")
MOST_INTERVALS = 10_000
RANGES = {"BYHOUR": (0, 23), "BYMONTH": (1, 12), "BYMONTHDAY": (-31, 31)}


class Start(t.NamedTuple):
    """When something starts: as an instant, and on the wall there."""

    at: dt.datetime
    wall: dt.datetime


@dataclasses.dataclass(frozen=True)
class Rule:
    """A validated RRULE. *until* is an instant; *parts* are the rest in capitals."""

    where: str
    parts: tuple[tuple[str, str], ...]
    interval: int
    count: int | None
    until: dt.datetime | None

    @property
    def text(self) -> str:
        return ";".join(f"{name}={value}" for name, value in self.parts)

    def part(self, name: str) -> str:
        return dict(self.parts).get(name, "")

    def starts(self, first: dt.datetime, zone: dt.tzinfo, earliest: dt.datetime, latest: dt.datetime) -> list[Start]:
        """Those from *earliest* to *latest*, both instants, where the first is at the wall time *first*."""
        if self.until is not None:
            latest = min(latest, self.until)
        every = self._hours if self.part("FREQ") == "HOURLY" else self._days
        return [start for start in every(first, zone, earliest, latest) if earliest <= start.at <= latest]

    def _days(
        self, first: dt.datetime, zone: dt.tzinfo, earliest: dt.datetime, latest: dt.datetime
    ) -> t.Iterator[Start]:
        # With an end the search for a 30th of February has one, too.
        last = moments.shifted(latest, SLACK).astimezone(zone).replace(tzinfo=None)
        for wall in itertools.islice(_by_dateutil(self.where, self.text, first, last), self.count):
            yield Start(moments.instant(wall, zone), wall)

    def _hours(
        self, first: dt.datetime, zone: dt.tzinfo, earliest: dt.datetime, latest: dt.datetime
    ) -> t.Iterator[Start]:
        anchor, step = moments.instant(first, zone), self.interval * HOUR
        # Where they are counted, those that are long over count as well.
        number = 0 if self.count is not None else max((earliest - anchor) // step, 0)
        given = 0
        while anchor + number * step <= latest and (self.count is None or given < self.count):
            at = anchor + number * step
            wall = at.astimezone(zone).replace(tzinfo=None)
            number += 1
            if self._admits(wall):
                given += 1
                yield Start(at, wall)

    def _admits(self, wall: dt.datetime) -> bool:
        after = (wall.date().replace(day=28) + dt.timedelta(days=4)).replace(day=1)
        from_the_end = (wall.date() - after).days
        found: dict[str, set[t.Any]] = {
            "BYDAY": {DAYS[wall.weekday()]},
            "BYMONTH": {wall.month},
            "BYMONTHDAY": {wall.day, from_the_end},
            "BYHOUR": {wall.hour},
        }
        return all(not self.part(name) or self._wanted(name) & have for name, have in found.items())

    def _wanted(self, name: str) -> set[t.Any]:
        values = self.part(name).split(",")
        return set(values) if name == "BYDAY" else {int(value) for value in values}


def parsed(where: str, text: str, zone: dt.tzinfo) -> Rule:
    """*text* as in RRULE:text. An UNTIL without Z is meant in *zone*, as in AWX; one that is a day includes that day."""
    given = [part.partition("=") for part in text.strip().upper().rstrip(";").split(";")]
    parts = {name.strip(): value.strip() for name, dummy, value in given}
    _refuse_malformed(where, text, parts, len(given))
    frequency = parts["FREQ"]
    if frequency in ("MINUTELY", "SECONDLY"):
        raise InputError(f"{where}: FREQ={frequency} cannot be the rule of a window; expected HOURLY or a longer one.")
    if frequency not in ("HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"):
        raise InputError(
            f"{where}: FREQ={frequency:.40} is unknown; expected HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY."
        )
    if frequency == "HOURLY":
        _refuse_in_hours(where, parts)
    count, until = parts.pop("COUNT", None), parts.pop("UNTIL", None)
    interval = _number(where, "INTERVAL", parts.get("INTERVAL", "1"))
    rule = Rule(
        where,
        tuple(parts.items()),
        interval,
        None if count is None else _number(where, "COUNT", count),
        None if until is None else _until(where, until, zone),
    )
    if frequency != "HOURLY":
        _by_dateutil(where, rule.text, dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 2))
    return rule


def _refuse_malformed(where: str, text: str, parts: dict[str, str], given: int) -> None:
    unknown = sorted(set(parts) - set(KNOWN))
    if unknown or "FREQ" not in parts or not all(parts.values()):
        raise InputError(
            f"{where}: '{text:.120}' is not a rule such as FREQ=WEEKLY;BYDAY=TU,TH"
            + (f": '{unknown[0]:.40}' is not a part of one." if unknown else ".")
        )
    if given != len(parts):
        raise InputError(f"{where}: '{text:.120}' has a part twice.")
    if "COUNT" in parts and "UNTIL" in parts:
        raise InputError(f"{where}: COUNT and UNTIL exclude each other; give one of them.")


def _refuse_in_hours(where: str, parts: dict[str, str]) -> None:
    odd = [name for name in parts if name not in OF_HOURS]
    days = [day for day in parts.get("BYDAY", "").split(",") if day and day not in DAYS]
    if odd or days:
        raise InputError(
            f"{where}: {odd[0] if odd else 'BYDAY=' + days[0]:.40} is not supported with FREQ=HOURLY; use FREQ=DAILY with BYHOUR."
        )
    for name, (least, most) in RANGES.items():
        for value in filter(None, parts.get(name, "").split(",")):
            if NUMBER.fullmatch(value) is None or not least <= int(value) <= most or (least and not int(value)):
                raise InputError(f"{where}: {name}={value:.40} is out of range; expected from {least} to {most}.")


def _number(where: str, name: str, value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= MOST_INTERVALS:
        raise InputError(f"{where}: {name}={value:.40} is out of range; expected from 1 to {MOST_INTERVALS}.")
    return int(value)


def _until(where: str, text: str, zone: dt.tzinfo) -> dt.datetime:
    wall, is_utc, is_day = moments.basic(f"{where}: UNTIL", text)
    if is_day:
        wall += dt.timedelta(days=1, seconds=-1)
    return moments.instant(wall, moments.UTC if is_utc else zone)


def _by_dateutil(where: str, text: str, first: dt.datetime, last: dt.datetime) -> t.Iterable[dt.datetime]:
    try:
        from dateutil import rrule
    except ImportError:
        raise InputError(
            f"{where}: rules need the Python package python-dateutil on the controller; install it beside Ansible."
        ) from None
    try:
        found: t.Iterable[dt.datetime] = rrule.rrulestr(f"{text};UNTIL={last:%Y%m%dT%H%M%S}", dtstart=first)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise InputError(f"{where}: '{text:.120}' is not a rule ({error!s:.80}).") from None
    return found
