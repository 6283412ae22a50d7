# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of maintenance_window to a schedule for each site. Files are read by *read*, which is given."""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.windows import calendar, moments, rules
from ansible_collections.steady.rollout.plugins.plugin_utils.windows.recurrence import (
    Length,
    Property,
    Recurrence,
    property_of,
    recurrence,
)
from ansible_collections.steady.rollout.plugins.plugin_utils.windows.schedule import Schedule, Source

DAY = dt.timedelta(days=1)
OF_A_RULE = ("rrule", "start", "duration", "zone", "name")
OF_A_SPAN = ("from", "to", "duration", "zone", "name")
FIXES_THE_DAY = ("BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO")
ALWAYS = dt.datetime(2020, 1, 1)
"""What a rule without DTSTART counts from; only rules for which that makes no difference may leave it out."""
SCHEDULE_LINES = ("DTSTART", "RRULE", "EXRULE", "RDATE", "EXDATE")

Options = t.Mapping[str, t.Any]


def schedules(options: Options, read: t.Callable[[str], str]) -> dict[str, Schedule]:
    """By site; the one of everybody else is ''. A file that cannot be read raises what *read* raises."""
    default = moments.zone("zone", options.get("zone") or "UTC")
    sites = options.get("sites") or {}
    zones = {"": default, **{str(name): moments.zone(f"sites: {name}", zone) for name, zone in sites.items()}}
    texts = {path: read(path) for path in _paths(options)}
    return {site: _schedule(options, texts, zone) for site, zone in zones.items()}


def _paths(options: Options) -> list[str]:
    return [str(path) for path in options.get("freezes") or []]


def _schedule(options: Options, texts: t.Mapping[str, str], zone: dt.tzinfo) -> Schedule:
    windows = [_window(f"windows[{number}]", one, zone) for number, one in enumerate(options.get("windows") or [])]
    closed: list[Source] = [
        _blackout(f"blackouts[{number}]", one, zone) for number, one in enumerate(options.get("blackouts") or [])
    ]
    for path, text in texts.items():
        closed += calendar.freezes(path, text, zone)
    return Schedule(tuple(windows), tuple(closed), zone)


def _window(where: str, given: t.Any, zone: dt.tzinfo) -> Source:
    if not isinstance(given, t.Mapping) or ("rrule" in given) == ("from" in given):
        raise InputError(
            f"{where}: {given!r:.120} is not a window; expected {{rrule: ..., duration: ...}} or {{from: ..., to: ...}}."
        )
    _refuse_unknown(where, given, OF_A_RULE if "rrule" in given else OF_A_SPAN)
    if given.get("zone"):
        zone = moments.zone(f"{where}.zone", given["zone"])
    return _by_rule(where, given, zone) if "rrule" in given else _span(where, given, zone)


def _refuse_unknown(where: str, given: Options, known: t.Sequence[str]) -> None:
    unknown = sorted(str(name) for name in set(given) - set(known))
    if unknown:
        raise InputError(f"{where}: '{unknown[0]}' is not a setting; the settings are {', '.join(known)}.")


def _by_rule(where: str, given: Options, zone: dt.tzinfo) -> Recurrence:
    length = Length(exact=dt.timedelta(seconds=durations.positive(f"{where}.duration", given.get("duration"))))
    lines = _lines(f"{where}.rrule", str(given["rrule"]))
    if not any(line.name == "RRULE" for line in lines):
        raise InputError(f"{where}.rrule: '{given['rrule']!s:.120}' has no rule such as FREQ=WEEKLY;BYDAY=TU.")
    if any(line.name == "DTSTART" for line in lines):
        if given.get("start"):
            raise InputError(f"{where}: DTSTART and 'start' exclude each other; give one of them.")
    else:
        start = moments.time_of_day(f"{where}.start", given.get("start"))
        _refuse_uncertain(f"{where}.rrule", lines)
        lines.append(Property("DTSTART", {}, dt.datetime.combine(ALWAYS, start).strftime("%Y%m%dT%H%M%S")))
    return recurrence(where, lines, lambda is_day: length, zone, moments.zone, str(given.get("name") or ""))


def _lines(where: str, text: str) -> list[Property]:
    """A bare rule, or the properties of an AWX schedule in one line or several."""
    words = text.split()
    if len(words) == 1 and ":" not in words[0]:
        return [Property("RRULE", {}, words[0])]
    found = [property_of(where, word) for word in words]
    for line in found:
        if line.name not in SCHEDULE_LINES:
            raise InputError(
                f"{where}: '{line.name}' is not a part of a schedule; expected {', '.join(SCHEDULE_LINES)}."
            )
    return found


def _refuse_uncertain(where: str, lines: t.Sequence[Property]) -> None:
    """A rule that means different days according to when it began has to say when."""
    for line in lines:
        rule = rules.parsed(where, line.value, moments.UTC) if line.name.endswith("RULE") else None
        if rule is None:
            continue
        frequency = rule.part("FREQ")
        is_certain = frequency in ("HOURLY", "DAILY") or any(rule.part(name) for name in FIXES_THE_DAY)
        if rule.interval > 1 or rule.count is not None or not is_certain:
            raise InputError(
                f"{where}: '{line.value:.120}' counts from a day that it does not name; write it as "
                f"'DTSTART;TZID=Europe/Berlin:20261103T020000 RRULE:{line.value:.80}' and leave out 'start'."
            )


def _span(where: str, given: Options, zone: dt.tzinfo) -> Recurrence:
    """One window or blackout; the day in 'to' is a part of it."""
    first, is_day = moments.written(f"{where}.from", given.get("from"))
    begins = moments.instant(first, zone)
    if ("to" in given) == ("duration" in given):
        raise InputError(f"{where}: expected either 'to' or 'duration'.")
    if "duration" in given:
        ends = begins + dt.timedelta(seconds=durations.positive(f"{where}.duration", given["duration"]))
    else:
        last, ends_with_day = moments.written(f"{where}.to", given["to"])
        ends = moments.instant(last + DAY if ends_with_day else last, zone)
    if ends <= begins:
        raise InputError(f"{where}: it ends ({given.get('to')}) before it begins ({given.get('from')}).")
    wall = begins.astimezone(zone).replace(tzinfo=None)
    # By its instants: on the wall a start in the doubled hour of autumn has two meanings.
    return Recurrence(begins.replace(tzinfo=None), moments.UTC, Length(exact=ends - begins), _name(given, wall, is_day))


def _name(given: Options, wall: dt.datetime, is_day: bool) -> str:
    return str(given.get("name") or f"{'blackout of' if is_day else 'from'} {wall:%Y-%m-%d}")


def _blackout(where: str, given: t.Any, zone: dt.tzinfo) -> Source:
    """A day, days from and to, or a span of time."""
    if isinstance(given, t.Mapping):
        _refuse_unknown(where, given, OF_A_SPAN)
        if given.get("zone"):
            zone = moments.zone(f"{where}.zone", given["zone"])
        return _span(where, given, zone)
    begins, slash, ends = str(given).partition("/")
    return _span(where, {"from": begins.strip(), "to": ends.strip() if slash else begins.strip()}, zone)
