# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open, until when, when next, does it fit: answers for fixed moments, against a walk through the minutes."""

from __future__ import annotations

import datetime as dt
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.windows import asking, messages
from ansible_collections.steady.rollout.plugins.plugin_utils.windows.schedule import Answer, Schedule, answer
from ansible_collections.steady.rollout.plugins.plugin_utils.windows.settings import schedules
from ansible_collections.steady.rollout.plugins.plugin_utils.windows.spans import Span

UTC = dt.timezone.utc
NIGHTS = {"rrule": "FREQ=WEEKLY;BYDAY=TU,TH", "start": "02:00", "duration": "2h"}
CHRISTMAS = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Christmas\nDTSTART;VALUE=DATE:20261124\nEND:VEVENT\nEND:VCALENDAR\n"


class Fixed(t.NamedTuple):
    """A source of spans that are given."""

    all: t.Tuple[Span, ...]

    def spans(self, earliest: dt.datetime, latest: dt.datetime) -> list[Span]:
        return [span for span in self.all if span.end > earliest and span.start <= latest]


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC)


def asked(now: str, needed: str = "0", **options: t.Any) -> Answer:
    found = schedules({"zone": "Europe/Berlin", "windows": [NIGHTS], **options}, lambda path: CHRISTMAS)[""]
    return answer(found, at(now), dt.timedelta(minutes=int(needed)))


@pytest.mark.parametrize(
    ("now", "needed", "options", "said"),
    [
        (
            "2026-11-24 02:00",
            "20",
            {},
            "the maintenance window is open until 2026-11-24 04:00 CET (1h left, 20m needed)",
        ),
        (
            "2026-11-24 02:50",
            "20",
            {},
            "the maintenance window closes at 2026-11-24 04:00 CET, in 10m, and the work needs 20m; the next "
            "window in which 20m fit opens at 2026-11-26 02:00 CET",
        ),
        ("2026-11-24 03:00", "0", {}, "outside the maintenance window; the next window opens at 2026-11-26 02:00 CET"),
        (
            "2026-11-24 02:00",
            "150",
            {},
            "the maintenance window closes at 2026-11-24 04:00 CET, in 1h, and the work needs 2h30m; no window "
            "in which 2h30m fit opens within a year",
        ),
        (
            "2026-11-24 02:00",
            "0",
            {"freezes": ["freeze.ics"]},
            "closed by 'Christmas' until 2026-11-25 00:00 CET; the next window opens at 2026-11-26 02:00 CET",
        ),
        (
            "2026-11-24 02:00",
            "0",
            {"blackouts": ["2026-11-24/2026-11-26"]},
            "closed by 'blackout of 2026-11-24' until 2026-11-27 00:00 CET; "
            "the next window opens at 2026-12-01 02:00 CET",
        ),
        ("2026-11-24 12:00", "0", {"windows": []}, "the maintenance window is open for at least a year"),
        (
            "2026-11-24 12:00",
            "0",
            {"windows": [{"from": "2026-11-20", "to": "2026-11-22"}]},
            "outside the maintenance window; no window opens within a year",
        ),
    ],
)
def test_the_answer_in_one_sentence(now: str, needed: str, options: dict[str, t.Any], said: str) -> None:
    assert messages.sentence(asked(now, needed, **options)) == said


def test_freezes_beat_windows_also_in_the_middle_of_one() -> None:
    found = asked("2026-11-24 01:30", blackouts=[{"from": "2026-11-24 03:00", "duration": "30m", "name": "Backup"}])
    assert found.is_open
    assert found.until == at("2026-11-24 02:00")
    assert found.next == Span(at("2026-11-24 02:30"), at("2026-11-24 03:00"))


@settings(max_examples=80)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=5),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=5),
    st.integers(0, 70),
    st.integers(0, 15),
)
def test_open_until_and_next_agree_with_a_walk_through_the_minutes(
    windows: list[tuple[int, int]], closed: list[tuple[int, int]], now: int, needed: int
) -> None:
    zero, minute = at("2026-01-01 00:00"), dt.timedelta(minutes=1)

    def spans(pairs: list[tuple[int, int]]) -> tuple[Span, ...]:
        return tuple(Span(zero + first * minute, zero + (first + length) * minute) for first, length in pairs)

    schedule = Schedule((Fixed(spans(windows)),), (Fixed(spans(closed)),))
    found = answer(schedule, zero + now * minute, needed * minute)
    free = [
        any(first <= one < first + length for first, length in windows)
        and not any(first <= one < first + length for first, length in closed)
        for one in range(200)
    ]
    assert found.is_open == free[now]
    if free[now]:
        assert found.until == zero + free.index(False, now) * minute
        assert found.fits == (free.index(False, now) - now >= needed)
    starts = [one for one in range(now + 1, 199) if free[one] and not free[one - 1]]
    fitting = [one for one in starts if all(free[one : one + needed])]
    assert (found.next.start if found.next else None) == (zero + fitting[0] * minute if fitting else None)


def test_sites_are_open_by_their_own_clocks() -> None:
    options = {"windows": [NIGHTS], "sites": {"eu": "Europe/Berlin", "us": "America/New_York"}, "needed": "30m"}
    verdict = asking.Question(options, str).asked(at("2026-11-24 02:00"))
    assert verdict.act == asking.GO
    assert verdict.result()["closes"] == {
        "": at("2026-11-24 04:00").timestamp(),
        "eu": at("2026-11-24 03:00").timestamp(),
        "us": 0.0,
    }
    assert verdict.result()["sites"]["us"]["next"]["from"] == "2026-11-24T02:00:00-05:00"


def test_hosts_of_no_site_open_no_window_for_the_sites() -> None:
    options = {"windows": [NIGHTS], "sites": {"us": "America/New_York"}, "state": "skip"}
    verdict = asking.Question(options, str).asked(at("2026-11-24 02:30"))
    assert verdict.act == asking.SKIP


@pytest.mark.parametrize(
    ("state", "wait_limit", "waited", "act"),
    [
        ("open", "9h", 0, "fail"),
        ("skip", "9h", 0, "skip"),
        ("wait", "9h", 0, "wait"),
        ("wait", "10m", 0, "fail"),
        ("wait", "9h", 9, "fail"),
    ],
)
def test_what_follows_outside_of_the_window(state: str, wait_limit: str, waited: int, act: str) -> None:
    options = {"windows": [NIGHTS], "state": state, "wait_limit": wait_limit}
    verdict = asking.Question(options, str).asked(at("2026-11-24 01:00"), dt.timedelta(hours=waited))
    assert verdict.act == act
    assert verdict.wait_until == (at("2026-11-24 02:00") if act == "wait" else None)


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({}, 0),
        ({"needed": "45m", "host_seconds": "10"}, 2700),
        ({"host_seconds": "40.5", "hosts": 7, "parallel": 2, "extra": ["5m", 30]}, 4 * 40.5 + 330),
        ({"host_seconds": ""}, 0),
    ],
)
def test_what_the_work_needs_is_given_or_worked_out_from_the_history(options: dict[str, t.Any], seconds: float) -> None:
    assert asking.needed_seconds(options) == seconds


@pytest.mark.parametrize(
    ("window", "message"),
    [
        (
            {"start": "02:00"},
            "windows[0]: {'start': '02:00'} is not a window; expected {rrule: ..., duration: ...} or {from: ..., to: ...}.",
        ),
        (
            {"rrule": "FREQ=DAILY", "start": 1320, "duration": 1},
            "windows[0].start: '1320' is not a time of day such as '02:00'. Put it in "
            "quotes: YAML takes 22:00 for a number.",
        ),
        (
            {"rrule": "FREQ=DAILY", "start": "02:00"},
            "windows[0].duration: 'None' is not a duration; expected seconds, or for example 30s, 5m or 1h30m.",
        ),
        (
            {"rrule": "FREQ=DAILY", "start": "02:00", "duration": 0},
            "windows[0].duration: expected more than 0 s, found 0.",
        ),
        ({"rrule": "FREQ=DAILY", "duration": "1h"}, "windows[0].start: 'None' is not a time of day such as '02:00'."),
        (
            {"rrule": "FREQ=WEEKLY", "start": "02:00", "duration": "1h"},
            "windows[0].rrule: 'FREQ=WEEKLY' counts from a day that it does not "
            "name; write it as 'DTSTART;TZID=Europe/Berlin:20261103T020000 RRULE:FREQ=WEEKLY' and leave out 'start'.",
        ),
        (
            {"rrule": "DTSTART:20260101T000000", "duration": "1h"},
            "windows[0].rrule: 'DTSTART:20260101T000000' has no rule such as FREQ=WEEKLY;BYDAY=TU.",
        ),
        (
            {"rrule": "DTSTART:20260101T000000 RRULE:FREQ=DAILY", "start": "02:00", "duration": "1h"},
            "windows[0]: DTSTART and 'start' exclude each other; give one of them.",
        ),
        ({"from": "2026-11-24", "to": "2026-11-20"}, "windows[0]: it ends (2026-11-20) before it begins (2026-11-24)."),
        ({"from": "2026-11-24"}, "windows[0]: expected either 'to' or 'duration'."),
        (
            {"from": "soon", "to": "2026-11-20"},
            "windows[0].from: 'soon' is neither a date such as 2026-12-24 nor a time such as '2026-12-24 "
            "02:00' or '2026-12-24T02:00+01:00'.",
        ),
        (
            {"from": "2026-11-24", "to": "2026-11-25", "day": 1},
            "windows[0]: 'day' is not a setting; the settings are from, to, duration, zone, name.",
        ),
        (
            {"from": "1826-11-24", "to": "2026-11-25"},
            "windows[0].from: the year 1826 is out of range; expected from 1970 to 2199.",
        ),
    ],
)
def test_a_window_that_cannot_be_meant_is_refused_in_one_sentence(window: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        schedules({"windows": [window]}, str)
    assert refused.value.message == message
