# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows by rules against a calculation of its own that walks through real minutes, over zones and DST changes."""

from __future__ import annotations

import datetime as dt
import typing as t

import pytest
import zoneinfo
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.windows import moments, rules
from ansible_collections.steady.rollout.plugins.plugin_utils.windows.settings import schedules
from ansible_collections.steady.rollout.plugins.plugin_utils.windows.spans import Span, merged

UTC = dt.timezone.utc
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Asia/Kolkata",
    "Africa/Casablanca",
    "America/Santiago",
    "Asia/Beirut",
    "Europe/Dublin",
    "UTC",
)
CHANGES = (
    dt.date(2026, 3, 8),
    dt.date(2026, 3, 29),
    dt.date(2026, 4, 4),
    dt.date(2026, 4, 5),
    dt.date(2026, 9, 6),
    dt.date(2026, 9, 27),
    dt.date(2026, 10, 4),
    dt.date(2026, 10, 25),
    dt.date(2026, 11, 1),
    dt.date(2026, 6, 15),
    dt.date(2026, 2, 28),
    dt.date(2026, 12, 31),
    dt.date(2028, 2, 29),
)
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
MINUTE = dt.timedelta(minutes=1)


def opened_minutes(spans: t.Iterable[Span]) -> set[dt.datetime]:
    found = set()
    for span in spans:
        at = span.start
        while at < span.end:
            found.add(at)
            at += 5 * MINUTE
    return found


def found_spans(window: dict[str, t.Any], zone: str, day: dt.date) -> list[Span]:
    """The merged windows that begin within three days around *day*."""
    schedule = schedules({"zone": zone, "windows": [window]}, str)[""]
    earliest = dt.datetime.combine(day, dt.time(), UTC) - dt.timedelta(days=3)
    latest = earliest + dt.timedelta(days=6)
    return [span for source in schedule.windows for span in source.spans(earliest, latest) if span.start >= earliest]


def clock_offset(at: int, zone: zoneinfo.ZoneInfo) -> int:
    """Seconds east of UTC at that second, found by the clock alone."""
    wall = dt.datetime.fromtimestamp(at, zone).replace(tzinfo=UTC)
    return int(wall.timestamp()) - at


def expected_start(day: dt.date, at: dt.time, zone: zoneinfo.ZoneInfo) -> dt.datetime:
    """The first real minute in which the clock shows the time or, where it skips it, as long after the last change."""
    wanted = int(dt.datetime.combine(day, at, UTC).timestamp())
    for second in range(wanted - 15 * 3600, wanted + 15 * 3600, 60):
        if second + clock_offset(second, zone) == wanted:
            return dt.datetime.fromtimestamp(second, UTC)
    return dt.datetime.fromtimestamp(wanted - clock_offset(wanted - 36 * 3600, zone), UTC)


@settings(max_examples=150)
@given(
    st.sampled_from(ZONES),
    st.sampled_from(CHANGES),
    st.integers(0, 95),
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.integers(1, 40),
)
@example("Europe/Berlin", dt.date(2026, 3, 29), 10, {"SU"}, 4)
@example("Europe/Berlin", dt.date(2026, 10, 25), 10, {"SU"}, 4)
@example("Asia/Beirut", dt.date(2026, 3, 29), 0, {"SU"}, 4)
def test_weekly_windows_start_and_last_as_clocks_and_minutes_say(
    zone: str, day: dt.date, quarter: int, days: set[str], quarters: int
) -> None:
    at = dt.time(quarter // 4, quarter % 4 * 15)
    window = {
        "rrule": f"FREQ=WEEKLY;BYDAY={','.join(sorted(days))}",
        "start": f"{at:%H:%M}",
        "duration": quarters * 900,
    }
    earliest = dt.datetime.combine(day, dt.time(), UTC) - dt.timedelta(days=3)
    near = [day + dt.timedelta(days=number) for number in range(-5, 6)]
    clock = zoneinfo.ZoneInfo(zone)
    starts = [expected_start(one, at, clock) for one in near if DAYS[one.weekday()] in days]
    expected = [(start, start + quarters * 15 * MINUTE) for start in starts]
    inside = [pair for pair in expected if earliest <= pair[0] <= earliest + dt.timedelta(days=6)]
    assert [(span.start, span.end) for span in found_spans(window, zone, day)] == inside


@settings(max_examples=60)
@given(st.sampled_from(ZONES), st.sampled_from(CHANGES), st.sets(st.integers(0, 23), min_size=1, max_size=5))
def test_hourly_windows_are_open_in_every_real_hour_that_the_clock_shows(
    zone: str, day: dt.date, hours: set[int]
) -> None:
    window = {"rrule": f"FREQ=HOURLY;BYHOUR={','.join(map(str, sorted(hours)))}", "start": "00:00", "duration": "10m"}
    clock = zoneinfo.ZoneInfo(zone)
    earliest = dt.datetime.combine(day, dt.time(), UTC) - dt.timedelta(days=3)
    first = expected_start(dt.date(2020, 1, 1), dt.time(), clock)
    behind = (earliest - first) % dt.timedelta(hours=1)
    hour = earliest if not behind else earliest - behind + dt.timedelta(hours=1)
    expected = []
    while hour <= earliest + dt.timedelta(days=6):
        if hour.astimezone(clock).hour in hours:
            expected.append(hour)
        hour += dt.timedelta(hours=1)
    assert [span.start for span in found_spans(window, zone, day)] == expected


@given(st.sampled_from(ZONES), st.sampled_from(CHANGES), st.integers(1, 600))
@settings(max_examples=60)
def test_the_length_of_a_window_is_real_time_whatever_the_clock_does(zone: str, day: dt.date, minutes: int) -> None:
    window = {"rrule": "FREQ=DAILY", "start": "01:30", "duration": f"{minutes}m"}
    assert {span.end - span.start for span in found_spans(window, zone, day)} == {minutes * MINUTE}


def test_a_window_on_the_spring_day_keeps_its_length() -> None:
    """recurring-ical-events gives it no length at all: it adds the hour on the wall."""
    spans = found_spans(
        {"rrule": "FREQ=DAILY", "start": "02:30", "duration": "1h"}, "Europe/Berlin", dt.date(2026, 3, 29)
    )
    (on_the_day,) = (span for span in spans if span.start.date() == dt.date(2026, 3, 29))
    assert on_the_day.start == dt.datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert on_the_day.end == dt.datetime(2026, 3, 29, 2, 30, tzinfo=UTC)


def test_an_hourly_rule_has_25_hours_on_the_autumn_day() -> None:
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    spans = found_spans(
        {"rrule": "FREQ=HOURLY", "start": "00:00", "duration": "5m"}, "Europe/Berlin", dt.date(2026, 10, 25)
    )
    assert sum(1 for span in spans if span.start.astimezone(zone).date() == dt.date(2026, 10, 25)) == 25


def test_a_schedule_of_awx_parses_with_its_exceptions() -> None:
    rrule = (
        "DTSTART;TZID=America/New_York:20261102T010000 RRULE:FREQ=DAILY;INTERVAL=2;COUNT=4 "
        "EXDATE;TZID=America/New_York:20261104T010000 RDATE:20261105T060000Z"
    )
    spans = found_spans({"rrule": rrule, "duration": "1h"}, "Europe/Berlin", dt.date(2026, 11, 5))
    assert [f"{span.start:%d %H:%M}" for span in merged(spans)] == ["02 06:00", "05 06:00", "06 06:00"]


@pytest.mark.parametrize(
    ("until", "last"), [("20261104T010000", 4), ("20261104T060000Z", 4), ("20261104T055959Z", 3), ("20261104", 4)]
)
def test_an_until_without_a_zone_is_meant_in_that_of_the_schedule(until: str, last: int) -> None:
    rrule = f"DTSTART;TZID=America/New_York:20261102T010000 RRULE:FREQ=DAILY;UNTIL={until}"
    spans = found_spans({"rrule": rrule, "duration": "1h"}, "UTC", dt.date(2026, 11, 5))
    assert spans[-1].start.day == last


def test_a_30th_of_february_ends_the_search() -> None:
    rule = rules.parsed("windows[0]", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", UTC)
    now = dt.datetime(2026, 1, 1, tzinfo=UTC)
    assert rule.starts(dt.datetime(2026, 1, 1), UTC, now, now + dt.timedelta(days=366)) == []


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            "FREQ=MINUTELY;BYMONTH=2",
            "w: FREQ=MINUTELY cannot be the rule of a window; expected HOURLY or a longer one.",
        ),
        ("FREQ=SECONDLY", "w: FREQ=SECONDLY cannot be the rule of a window; expected HOURLY or a longer one."),
        ("FREQ=NEVER", "w: FREQ=NEVER is unknown; expected HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY."),
        (
            "every tuesday",
            "w: 'every tuesday' is not a rule such as FREQ=WEEKLY;BYDAY=TU,TH: 'EVERY TUESDAY' is not a part of one.",
        ),
        ("FREQ=DAILY;INTERVAL=0", "w: INTERVAL=0 is out of range; expected from 1 to 10000."),
        ("FREQ=DAILY;BYDAY=XX", "w: 'FREQ=DAILY;BYDAY=XX' is not a rule (invalid 'BYDAY': XX)."),
        ("FREQ=DAILY;COUNT=1;UNTIL=20260101", "w: COUNT and UNTIL exclude each other; give one of them."),
        ("FREQ=DAILY;FREQ=DAILY", "w: 'FREQ=DAILY;FREQ=DAILY' has a part twice."),
        ("FREQ=HOURLY;BYMINUTE=5", "w: BYMINUTE is not supported with FREQ=HOURLY; use FREQ=DAILY with BYHOUR."),
        ("FREQ=HOURLY;BYHOUR=24", "w: BYHOUR=24 is out of range; expected from 0 to 23."),
        ("FREQ=HOURLY;BYMONTHDAY=x", "w: BYMONTHDAY=X is out of range; expected from -31 to 31."),
        (
            "FREQ=DAILY;UNTIL=tomorrow",
            "w: UNTIL: 'TOMORROW' is not a time; expected one such as 20261101T020000 or 20261101T020000Z.",
        ),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_in_one_sentence(rule: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        rules.parsed("w", rule, UTC)
    assert refused.value.message == message


def test_a_time_zone_that_does_not_exist_is_named() -> None:
    with pytest.raises(InputError) as refused:
        moments.zone("windows[0].zone", "../../etc/passwd")
    assert refused.value.message == (
        "windows[0].zone: '../../etc/passwd' is not a time zone known here; expected a name such as Europe/Berlin or UTC. "
        "If the name is right, the time zone data is missing on the controller: install tzdata (from the distribution or PyPI)."
    )
