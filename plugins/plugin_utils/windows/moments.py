# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dates and times as people and calendars write them, in a time zone."""

from __future__ import annotations

import datetime as dt
import re
import typing as t

import zoneinfo

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

UTC = dt.timezone.utc
BASIC = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?")
TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d))?")
OLDEST = 1970
"""Years before cannot be meant, and would make every search long."""
NEWEST = 2200


def zone(where: str, name: t.Any) -> dt.tzinfo:
    """The time zone of that name, such as Europe/Berlin; InputError, with the option's name, where there is none."""
    found = known_zone(str(name))
    if found is None:
        raise InputError(
            f"{where}: '{name!s:.80}' is not a time zone known here; expected a name such as Europe/Berlin or UTC. If the "
            "name is right, the time zone data is missing on the controller: install tzdata (from the distribution or PyPI)."
        )
    return found


def known_zone(name: str) -> dt.tzinfo | None:
    if name.upper() in ("UTC", "Z"):
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return None


def instant(wall: dt.datetime, where: dt.tzinfo) -> dt.datetime:
    """A time on the wall, as UTC. Of the hour that autumn has twice it is the first; a time that spring skips is as
    long after midnight as on other days (both as RFC 5545 says). A time with an offset of its own keeps it."""
    return (wall if wall.tzinfo else wall.replace(tzinfo=where, fold=0)).astimezone(UTC)


def shifted(moment: dt.datetime, by: dt.timedelta) -> dt.datetime:
    """*moment* later or earlier; at the ends of what a date can be, that end."""
    try:
        return moment + by
    except OverflowError:
        return moment


def basic(where: str, text: str) -> tuple[dt.datetime, bool, bool]:
    """A value of a calendar such as 20261101T020000: the time on the wall, whether it is UTC, whether it is a day only."""
    match = BASIC.fullmatch(text)
    if match is None:
        raise InputError(
            f"{where}: '{text:.80}' is not a time; expected one such as 20261101T020000 or 20261101T020000Z."
        )
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    # A leap second is the last one of its minute for everybody but astronomers.
    wall = _datetime(where, text, year, month, day, hour, minute, min(second, 59) if second == 60 else second)
    return wall, match.group(7) == "Z", match.group(4) is None


def _datetime(where: str, text: str, *parts: int) -> dt.datetime:
    try:
        found = dt.datetime(*parts)  # type: ignore[arg-type]
    except ValueError as error:
        raise InputError(f"{where}: '{text:.80}' is not a time ({error}).") from None
    return refuse_far(where, found)


def refuse_far(where: str, moment: dt.datetime) -> dt.datetime:
    if not OLDEST <= moment.year < NEWEST:
        raise InputError(f"{where}: the year {moment.year} is out of range; expected from {OLDEST} to {NEWEST - 1}.")
    return moment


def written(where: str, given: t.Any) -> tuple[dt.datetime, bool]:
    """What somebody wrote, such as 2026-12-24 or 2026-12-24 02:00 (with an offset if need be), and whether it is a day only."""
    text = str(given).strip()
    try:
        if len(text) == len("2026-12-24"):
            return refuse_far(where, dt.datetime.strptime(text, "%Y-%m-%d")), True
        return refuse_far(where, dt.datetime.fromisoformat(text.replace("Z", "+00:00"))), False
    except ValueError:
        raise InputError(
            f"{where}: '{text:.80}' is neither a date such as 2026-12-24 nor a time such as '2026-12-24 02:00' or "
            "'2026-12-24T02:00+01:00'."
        ) from None


def time_of_day(where: str, given: t.Any) -> dt.time:
    match = TIME.fullmatch(given.strip()) if isinstance(given, str) else None
    if match is None or int(match[1]) > 23 or int(match[2]) > 59 or int(match[3] or 0) > 59:
        quoted = " Put it in quotes: YAML takes 22:00 for a number." if isinstance(given, int) else ""
        raise InputError(f"{where}: '{given!s:.80}' is not a time of day such as '02:00'.{quoted}")
    return dt.time(int(match[1]), int(match[2]), int(match[3] or 0))


def shown(moment: dt.datetime, where: dt.tzinfo) -> str:
    local = moment.astimezone(where)
    return local.strftime("%Y-%m-%d %H:%M:%S %Z" if local.second else "%Y-%m-%d %H:%M %Z")
