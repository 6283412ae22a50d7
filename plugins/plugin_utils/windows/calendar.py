# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Freezes from an iCalendar file (RFC 5545). What cannot be read is an error, and never "no freeze"."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.printable import printable
from ansible_collections.steady.rollout.plugins.plugin_utils.windows import moments
from ansible_collections.steady.rollout.plugins.plugin_utils.windows.recurrence import (
    Length,
    Property,
    Recurrence,
    Zones,
    dates_of,
    property_of,
    recurrence,
)
from ansible_collections.steady.rollout.plugins.plugin_utils.windows.spans import Span

LARGEST = 5_000_000
"""Characters; no calendar of freezes is larger."""
DURATION = re.compile(r"\+?P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?")
OF_TIME = ("DTSTART", "RRULE", "RDATE", "EXRULE", "EXDATE")
LEFT_OUT = ("CANCELLED",)


@dataclasses.dataclass(frozen=True)
class Freeze:
    """An event of the calendar. Where exact length and the clock on the wall differ, it lasts until the later end."""

    when: Recurrence
    on_the_wall: dt.timedelta | None = None

    def spans(self, earliest: dt.datetime, latest: dt.datetime) -> list[Span]:
        before = moments.shifted(earliest, -dt.timedelta(days=1))
        found = [self._at_longest(span) for span in self.when.spans(before, latest)]
        return [span for span in found if span.end > earliest]

    def _at_longest(self, span: Span) -> Span:
        if self.on_the_wall is None:
            return span
        zone = self.when.zone
        wall = moments.shifted(span.start.astimezone(zone).replace(tzinfo=None), self.on_the_wall)
        return span._replace(end=max(span.end, moments.instant(wall, zone)))


@dataclasses.dataclass
class Component:
    """A part of a calendar from BEGIN to END; *text* are its lines with those of its own parts."""

    kind: str
    lines: list[Property] = dataclasses.field(default_factory=list)
    text: list[str] = dataclasses.field(default_factory=list)

    def value(self, name: str) -> str:
        return next((line.value for line in self.lines if line.name == name), "")


def freezes(where: str, text: str, default: dt.tzinfo) -> list[Freeze]:
    """The events of a calendar; times without a zone, and days, are in *default*."""
    components = _components(where, text)
    zones = _zones_of(components)
    events = [one for one in components if one.kind == "VEVENT"]
    if not events:
        raise InputError(
            f"{where}: the calendar has no events. An empty export is no proof that nothing is frozen: check where it comes "
            "from, or remove it from the freezes."
        )
    moved: dict[str, list[dt.datetime]] = {}
    for event in events:
        for line in event.lines:
            if line.name == "RECURRENCE-ID":
                moved.setdefault(event.value("UID"), []).append(_replaced(where, event, line, default, zones))
    return [
        _freeze(where, event, moved, default, zones)
        for event in events
        if event.value("STATUS").upper() not in LEFT_OUT
    ]


def _replaced(where: str, event: Component, line: Property, default: dt.tzinfo, zones: Zones) -> dt.datetime:
    """The instant of the one repetition that this event stands for."""
    if line.parameters.get("RANGE"):
        raise InputError(f"{where}: {_named(event)} changes all later repetitions (RANGE), which is not supported.")
    (at,) = dates_of(f"{where}: {_named(event)}", line, default, zones, len(line.value) == len("20261101"))
    return at


def _freeze(
    where: str, event: Component, moved: t.Mapping[str, t.Sequence[dt.datetime]], default: dt.tzinfo, zones: Zones
) -> Freeze:
    named = f"{where}: {_named(event)}"
    is_moved = any(line.name == "RECURRENCE-ID" for line in event.lines)
    lines = [line for line in event.lines if line.name in OF_TIME and not (is_moved and line.name != "DTSTART")]
    wall: list[dt.timedelta] = []

    def length(is_day: bool) -> Length:
        return _length(named, event, is_day, default, zones, wall)

    name = printable(_unescaped(event.value("SUMMARY")))[:80] or "freeze"
    when = recurrence(named, lines, length, default, zones, name)
    others = () if is_moved else moved.get(event.value("UID"), ())
    when = dataclasses.replace(when, excluded=(*when.excluded, *others))
    return Freeze(when, wall[0] if wall else None)


def _length(
    named: str, event: Component, is_day: bool, default: dt.tzinfo, zones: Zones, wall: list[dt.timedelta]
) -> Length:
    """*wall* gets the difference of the times on the wall where both are given in one zone."""
    ends = [line for line in event.lines if line.name == "DTEND"]
    if ends:
        length = _between(named, event, ends[0], is_day, default, zones, wall)
    elif event.value("DURATION"):
        length = _duration(named, event.value("DURATION"))
    else:
        length = Length(days=1 if is_day else 0)
    if length.longest <= dt.timedelta(days=1) and not length.exact:
        raise InputError(f"{named} has no length, so it freezes nothing; give it an end.")
    return length


def _between(
    named: str, event: Component, end: Property, is_day: bool, default: dt.tzinfo, zones: Zones, wall: list[dt.timedelta]
) -> Length:  # fmt: skip
    (start,) = (line for line in event.lines if line.name == "DTSTART")
    (begins,) = dates_of(named, start, default, zones, is_day)
    (stops,) = dates_of(named, end, default, zones, is_day)
    on_the_wall = moments.basic(named, end.value)[0] - moments.basic(named, start.value)[0]
    if stops <= begins:
        raise InputError(f"{named} ends before it begins (DTSTART:{start.value:.40}, DTEND:{end.value:.40}).")
    if is_day:
        return Length(days=on_the_wall.days)
    if start.parameters.get("TZID") == end.parameters.get("TZID") and start.value[-1] == end.value[-1] != "Z":
        wall.append(on_the_wall)
    return Length(exact=stops - begins)


def _duration(named: str, text: str) -> Length:
    match = DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise InputError(f"{named}: DURATION:{text:.40} is not a length such as PT2H or P3D.")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return Length(dt.timedelta(hours=hours, minutes=minutes, seconds=seconds), weeks * 7 + days)


def _named(event: Component) -> str:
    return f"the event '{printable(_unescaped(event.value('SUMMARY')))[:80] or event.value('UID')[:80] or 'without a name'}'"


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: " " if match[1] in "nN" else match[1], text)


def _components(where: str, text: str) -> list[Component]:
    """All components in order; InputError where the file is no whole calendar."""
    if len(text) > LARGEST:
        raise InputError(f"{where}: larger than {LARGEST} characters; no calendar of freezes is.")
    found: list[Component] = []
    open_ones: list[Component] = []
    for number, line in enumerate(_unfolded(text), start=1):
        if not line.strip():
            continue
        _take(f"{where}: line {number}", line, open_ones, found)
    if not found or found[0].kind != "VCALENDAR":
        raise InputError(f"{where}: this is not an iCalendar file: it does not begin with BEGIN:VCALENDAR.")
    if open_ones:
        raise InputError(f"{where}: the calendar is cut off: {open_ones[-1].kind} has no end.")
    return found


def _take(where: str, line: str, open_ones: list[Component], found: list[Component]) -> None:
    name, dummy, value = line.partition(":")
    for one in open_ones:
        one.text.append(line)
    if name.upper() == "BEGIN":
        if not open_ones and value.strip().upper() != "VCALENDAR":
            raise InputError(f"{where}: '{line:.80}' is outside of a calendar.")
        component = Component(value.strip().upper(), text=[line])
        open_ones.append(component)
        found.append(component)
    elif name.upper() == "END":
        if not open_ones or open_ones.pop().kind != value.strip().upper():
            raise InputError(f"{where}: '{line:.80}' ends what did not begin.")
    elif not open_ones:
        raise InputError(f"{where}: '{line:.80}' is outside of a calendar; expected BEGIN:VCALENDAR.")
    else:
        open_ones[-1].lines.append(property_of(where, line))


def _unfolded(text: str) -> list[str]:
    return re.sub(r"\r?\n[ \t]", "", text.lstrip("\ufeff")).splitlines()


def _zones_of(components: t.Sequence[Component]) -> Zones:
    """By the name that the whole world uses; else as the calendar itself defines it."""
    defined = {one.value("TZID").strip('"'): one for one in components if one.kind == "VTIMEZONE"}

    def zone(where: str, name: str) -> dt.tzinfo:
        known = moments.known_zone(name) or moments.known_zone("/".join(name.strip("/").split("/")[-2:]))
        if known is None and name in defined:
            return _defined(where, defined[name])
        return known or moments.zone(where, name)

    return zone


def _defined(where: str, component: Component) -> dt.tzinfo:
    from dateutil import tz

    try:
        found = tz.tzical(io.StringIO("\n".join(component.text))).get()
    except ValueError as error:
        raise InputError(f"{where}: the time zone that the calendar defines cannot be read ({error!s:.80}).") from None
    return t.cast("dt.tzinfo", found)
