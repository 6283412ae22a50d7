# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When something happens again and again: the rules and dates of an AWX schedule or of a calendar's event."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.windows import moments, rules
from ansible_collections.steady.rollout.plugins.plugin_utils.windows.rules import Rule, Start
from ansible_collections.steady.rollout.plugins.plugin_utils.windows.spans import Span

PROPERTY = re.compile(
    r'(?P<name>[A-Za-z0-9-]+)(?P<parameters>(?:;[A-Za-z0-9-]+=(?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)*):(?P<value>.*)'
)
PARAMETER = re.compile(r';([A-Za-z0-9-]+)=("[^"]*"|[^";:]*)')
DAY = dt.timedelta(days=1)

Zones = t.Callable[[str, str], dt.tzinfo]
"""The time zone for a TZID; the first argument says where it stands."""


class Property(t.NamedTuple):
    """A line such as DTSTART;TZID=Europe/Berlin:20261101T020000."""

    name: str
    parameters: dict[str, str]
    value: str


def property_of(where: str, line: str) -> Property:
    match = PROPERTY.fullmatch(line)
    if match is None:
        raise InputError(f"{where}: '{line:.120}' is not a line such as DTSTART;TZID=Europe/Berlin:20261101T020000.")
    parameters = {name.upper(): value.strip('"') for name, value in PARAMETER.findall(match["parameters"])}
    return Property(match["name"].upper(), parameters, match["value"])


@dataclasses.dataclass(frozen=True)
class Length:
    """How long it lasts: *exact* time, or whole *days* of the wall, which may have 23 or 25 hours."""

    exact: dt.timedelta = dt.timedelta(0)
    days: int = 0

    def end(self, start: Start, zone: dt.tzinfo) -> dt.datetime:
        if not self.days:
            return moments.shifted(start.at, self.exact)
        return moments.shifted(moments.instant(moments.shifted(start.wall, self.days * DAY), zone), self.exact)

    @property
    def longest(self) -> dt.timedelta:
        return self.exact + (self.days + 1) * DAY


@dataclasses.dataclass(frozen=True)
class Recurrence:
    """*first* is on the wall of *zone*; without rules and dates it is the only one."""

    first: dt.datetime
    zone: dt.tzinfo
    length: Length
    name: str = ""
    rules: tuple[Rule, ...] = ()
    dates: tuple[dt.datetime, ...] = ()
    excluded_rules: tuple[Rule, ...] = ()
    excluded: tuple[dt.datetime, ...] = ()
    """Instants; so are *dates*."""

    def spans(self, earliest: dt.datetime, latest: dt.datetime) -> list[Span]:
        """Those that touch the time from *earliest* to *latest*."""
        found = []
        for start in self._starts(moments.shifted(earliest, -self.length.longest), latest):
            end = self.length.end(start, self.zone)
            if end > earliest:
                found.append(Span(start.at, end, self.name))
        return found

    def _starts(self, earliest: dt.datetime, latest: dt.datetime) -> list[Start]:
        found = {start.at: start for rule in self.rules for start in self._of(rule, earliest, latest)}
        alone = [] if self.rules else [moments.instant(self.first, self.zone)]
        for at in (*alone, *self.dates):
            if earliest <= at <= latest:
                found[at] = Start(at, at.astimezone(self.zone).replace(tzinfo=None))
        excluded = {start.at for rule in self.excluded_rules for start in self._of(rule, earliest, latest)}
        return [found[at] for at in sorted(found) if at not in excluded and at not in self.excluded]

    def _of(self, rule: Rule, earliest: dt.datetime, latest: dt.datetime) -> list[Start]:
        return rule.starts(self.first, self.zone, earliest, latest)


def first_of(where: str, line: Property, default: dt.tzinfo, zones: Zones) -> tuple[dt.datetime, dt.tzinfo, bool]:
    """A DTSTART: the time on the wall, its zone, and whether it is a day only. A time without a zone is in *default*."""
    wall, is_utc, is_day = moments.basic(f"{where}: {line.name}", line.value)
    if is_utc:
        return wall, moments.UTC, False
    named = line.parameters.get("TZID")
    return wall, zones(where, named) if named and not is_day else default, is_day


def dates_of(where: str, line: Property, default: dt.tzinfo, zones: Zones, is_day: bool) -> list[dt.datetime]:
    """The instants of an RDATE or EXDATE, which have to be days where DTSTART is one, and times where it is not."""
    found = []
    for value in line.value.split(","):
        wall, zone, one_is_day = first_of(where, line._replace(value=value), default, zones)
        if one_is_day != is_day:
            raise InputError(f"{where}: {line.name}:{value:.40} and DTSTART have to be both days or both times.")
        found.append(moments.instant(wall, zone))
    return found


def recurrence(
    where: str,
    lines: t.Sequence[Property],
    length: t.Callable[[bool], Length],
    default: dt.tzinfo,
    zones: Zones,
    name: str = "",
) -> Recurrence:
    """From the lines of a schedule or an event; *length* is asked with whether it is a matter of whole days."""
    starts = [line for line in lines if line.name == "DTSTART"]
    if len(starts) != 1:
        raise InputError(f"{where}: expected one DTSTART, found {len(starts)}.")
    first, zone, is_day = first_of(where, starts[0], default, zones)

    def rules_of(kind: str) -> tuple[Rule, ...]:
        return tuple(rules.parsed(f"{where}: {kind}", line.value, zone) for line in lines if line.name == kind)

    def instants_of(kind: str) -> tuple[dt.datetime, ...]:
        named = [line for line in lines if line.name == kind]
        return tuple(at for line in named for at in dates_of(where, line, default, zones, is_day))

    return Recurrence(
        first,
        zone,
        length(is_day),
        name,
        rules_of("RRULE"),
        instants_of("RDATE"),
        rules_of("EXRULE"),
        instants_of("EXDATE"),
    )
