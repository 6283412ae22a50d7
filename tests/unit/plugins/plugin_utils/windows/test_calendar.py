# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Freezes out of iCalendar files as calendars write them, and files that must not count as "no freeze"."""

from __future__ import annotations

import datetime as dt

import pytest
import zoneinfo

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.windows import calendar

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
UTC = dt.timezone.utc


def text_of(*events: str, before: str = "") -> str:
    parts = "".join(f"BEGIN:VEVENT\r\nUID:{number}\r\n{event}\r\nEND:VEVENT\r\n" for number, event in enumerate(events))
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{before}{parts}END:VCALENDAR\r\n"


def frozen(text: str, first: str = "2026-01-01", last: str = "2026-12-31") -> list[str]:
    """The freezes between two days, as name, start and end in UTC."""
    earliest, latest = (dt.datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (first, last))
    spans = [span for one in calendar.freezes("freeze.ics", text, BERLIN) for span in one.spans(earliest, latest)]
    return [f"{span.name}: {span.start:%m-%d %H:%M} - {span.end:%m-%d %H:%M}" for span in sorted(spans)]


def test_days_are_those_of_the_windows_zone_and_their_end_is_not_included() -> None:
    text = text_of("SUMMARY:Christmas\r\nDTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227")
    assert frozen(text) == ["Christmas: 12-23 23:00 - 12-26 23:00"]


def test_a_day_without_an_end_is_one_day_also_when_it_has_23_hours() -> None:
    assert frozen(text_of("SUMMARY:Spring\r\nDTSTART;VALUE=DATE:20260329")) == ["Spring: 03-28 23:00 - 03-29 22:00"]


def test_folded_lines_escapes_and_parameters_in_quotes() -> None:
    text = text_of(
        'SUMMARY;LANGUAGE="en:us":Year\\, end\r\n -freeze\\nof all\r\nDTSTART:20261201T100000Z\r\nDURATION:PT2H'
    )
    assert frozen(text) == ["Year, end-freeze of all: 12-01 10:00 - 12-01 12:00"]


def test_a_repeated_event_with_an_exception_and_a_moved_repetition() -> None:
    weekly = (
        "SUMMARY:Close\r\nDTSTART;TZID=Europe/Berlin:20261102T080000\r\nDTEND;TZID=Europe/Berlin:20261102T100000\r\n"
        "RRULE:FREQ=WEEKLY;COUNT=4\r\nEXDATE;TZID=Europe/Berlin:20261109T080000"
    )
    moved = (
        "SUMMARY:Close moved\r\nRECURRENCE-ID;TZID=Europe/Berlin:20261116T080000\r\n"
        "DTSTART;TZID=Europe/Berlin:20261117T080000\r\nDURATION:PT1H"
    )
    text = text_of(weekly, moved).replace("UID:1", "UID:0")
    assert frozen(text) == [
        "Close: 11-02 07:00 - 11-02 09:00",
        "Close moved: 11-17 07:00 - 11-17 08:00",
        "Close: 11-23 07:00 - 11-23 09:00",
    ]


def test_where_real_time_and_the_clock_differ_the_freeze_lasts_until_the_later_end() -> None:
    weekend = (
        "SUMMARY:Weekend\r\nDTSTART;TZID=Europe/Berlin:20261002T180000\r\nDTEND;TZID=Europe/Berlin:20261005T080000\r\n"
        "RRULE:FREQ=WEEKLY"
    )
    found = frozen(text_of(weekend), "2026-10-22", "2026-10-27")
    assert found == ["Weekend: 10-23 16:00 - 10-26 07:00"]


def test_events_marked_as_free_time_freeze_and_cancelled_ones_do_not() -> None:
    text = text_of(
        "SUMMARY:Holiday\r\nTRANSP:TRANSPARENT\r\nDTSTART;VALUE=DATE:20260501",
        "SUMMARY:Off\r\nSTATUS:CANCELLED\r\nDTSTART;VALUE=DATE:20260601",
    )
    assert frozen(text) == ["Holiday: 04-30 22:00 - 05-01 22:00"]


def test_a_time_zone_that_only_the_calendar_defines() -> None:
    defined = (
        "BEGIN:VTIMEZONE\r\nTZID:Our time\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0300\r\n"
        "TZOFFSETTO:+0300\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    text = text_of("SUMMARY:Audit\r\nDTSTART;TZID=Our time:20260601T120000\r\nDURATION:PT1H", before=defined)
    assert frozen(text) == ["Audit: 06-01 09:00 - 06-01 10:00"]


def test_a_time_zone_under_a_name_of_a_program() -> None:
    text = text_of("SUMMARY:A\r\nDTSTART;TZID=/citadel.org/20260101_1/Europe/Berlin:20260601T120000\r\nDURATION:PT1H")
    assert frozen(text) == ["A: 06-01 10:00 - 06-01 11:00"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "freeze.ics: this is not an iCalendar file: it does not begin with BEGIN:VCALENDAR."),
        (
            "<html>please log in</html>",
            "freeze.ics: line 1: '<html>please log in</html>' is outside of a calendar; expected BEGIN:VCALENDAR.",
        ),
        (
            text_of(),
            "freeze.ics: the calendar has no events. An empty export is no proof that nothing is frozen: check where it comes from, "
            "or remove it from the freezes.",
        ),
        (
            text_of("SUMMARY:A\r\nDTSTART;VALUE=DATE:20260501")[:-17],
            "freeze.ics: the calendar is cut off: VCALENDAR has no end.",
        ),
        (
            text_of("SUMMARY:A\r\nDTSTART;VALUE=DATE:20260501")[:-29],
            "freeze.ics: the calendar is cut off: VEVENT has no end.",
        ),
        (text_of("SUMMARY:A"), "freeze.ics: the event 'A': expected one DTSTART, found 0."),
        (
            text_of("SUMMARY:A\r\nDTSTART:20260231T000000"),
            "freeze.ics: the event 'A': DTSTART: '20260231T000000' is not a time (day is out of range for month).",
        ),
        (
            text_of("SUMMARY:A\r\nDTSTART:20260201T000000Z"),
            "freeze.ics: the event 'A' has no length, so it freezes nothing; give it an end.",
        ),
        (
            text_of("SUMMARY:A\r\nDTSTART:20260201T000000Z\r\nDTEND:20260131T000000Z"),
            "freeze.ics: the event 'A' ends before it begins (DTSTART:20260201T000000Z, DTEND:20260131T000000Z).",
        ),
        (
            text_of("SUMMARY:A\r\nDTSTART:20260201T000000Z\r\nDURATION:soon"),
            "freeze.ics: the event 'A': DURATION:soon is not a length such as PT2H or P3D.",
        ),
        (
            text_of("SUMMARY:A\r\nDTSTART;VALUE=DATE:20260201\r\nRRULE:FREQ=DAILY\r\nEXDATE:20260202T000000"),
            "freeze.ics: the event 'A': EXDATE:20260202T000000 and DTSTART have to be both days or both times.",
        ),
        (
            text_of(
                "SUMMARY:A\r\nDTSTART;VALUE=DATE:20260201\r\nRECURRENCE-ID;RANGE=THISANDFUTURE;VALUE=DATE:20260201"
            ),
            "freeze.ics: the event 'A' changes all later repetitions (RANGE), which is not supported.",
        ),
        (
            text_of("no colon"),
            "freeze.ics: line 5: 'no colon' is not a line such as DTSTART;TZID=Europe/Berlin:20261101T020000.",
        ),
    ],
)
def test_what_cannot_be_read_is_an_error_and_never_no_freeze(text: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        frozen(text)
    assert refused.value.message == message


def test_an_unknown_time_zone_is_an_error() -> None:
    with pytest.raises(InputError, match=r"^freeze\.ics: the event 'A': 'Middle-earth' is not a time zone known here;"):
        frozen(text_of("SUMMARY:A\r\nDTSTART;TZID=Middle-earth:20260201T000000\r\nDURATION:PT1H"))
