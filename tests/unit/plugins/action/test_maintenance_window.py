# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""maintenance_window as a playbook of the user's runs it."""

from __future__ import annotations

import datetime as dt
import pathlib

import pytest
from support.playbooks import played

NIGHTS = {"rrule": "FREQ=WEEKLY;BYDAY=TU,TH", "start": "02:00", "duration": "2h"}
ASKED = {"zone": "Europe/Berlin", "windows": [NIGHTS], "at": "2026-11-24 05:00"}


def play(directory: pathlib.Path, *options: str, **arguments: object) -> tuple[int, str]:
    tasks = [
        {"steady.rollout.maintenance_window": {**ASKED, **arguments}, "register": "window"},
        {
            "ansible.builtin.debug": {
                "msg": "{{ window.msg }} | {{ window.skip | default }} | {{ window.kind | default }}"
            }
        },
    ]
    exit_code, printed = played(directory, {"tasks": tasks}, *options)
    return exit_code, " ".join(printed.split())


def test_outside_of_the_window_it_fails_and_says_when_the_next_one_opens(tmp_path: pathlib.Path) -> None:
    exit_code, printed = play(tmp_path)
    assert exit_code == 2
    assert (
        "Nothing was started: outside the maintenance window; the next window opens at 2026-11-26 02:00 CET." in printed
    )


@pytest.mark.parametrize(("options", "skip"), [((), "True"), (("--check",), "True")])
def test_with_skip_it_reports_that_and_succeeds(tmp_path: pathlib.Path, options: tuple[str, ...], skip: str) -> None:
    exit_code, printed = play(tmp_path, *options, state="skip")
    assert exit_code == 0, printed
    assert (
        f"outside the maintenance window; the next window opens at 2026-11-26 02:00 CET; nothing is done | {skip} |"
        in printed
    )


def test_it_waits_for_a_window_that_opens_soon(tmp_path: pathlib.Path) -> None:
    opens = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=4)
    soon = {"from": opens.isoformat(timespec="seconds"), "duration": "1h"}
    exit_code, printed = play(tmp_path, windows=[soon], at="", state="wait", wait_limit="1m")
    assert exit_code == 0, printed
    assert "the maintenance window is open until" in printed
    assert dt.datetime.now(dt.timezone.utc) >= opens - dt.timedelta(seconds=1)


def test_a_calendar_is_looked_for_beside_the_playbook_as_the_role_says(tmp_path: pathlib.Path) -> None:
    """The role's search paths are a template, whose letters were searched one by one."""
    (tmp_path / "files").mkdir()
    event = "BEGIN:VEVENT\nSUMMARY:Audit\nDTSTART;VALUE=DATE:20261124\nEND:VEVENT\n"
    (tmp_path / "files" / "freeze.ics").write_text(f"BEGIN:VCALENDAR\n{event}END:VCALENDAR\n")
    tasks = [{"steady.rollout.maintenance_window": {**ASKED, "at": "2026-11-24 02:30", "freezes": ["freeze.ics"]}}]
    exit_code, printed = played(tmp_path, {"vars": {"__rollout_search_paths": "{{ [playbook_dir] }}"}, "tasks": tasks})
    assert exit_code == 2
    assert "closed by 'Audit' until 2026-11-25 00:00 CET" in " ".join(printed.split())


def test_a_calendar_that_cannot_be_read_is_an_error_beside_an_open_window(tmp_path: pathlib.Path) -> None:
    missing = str(tmp_path / "freeze.ics")
    exit_code, printed = play(tmp_path, at="2026-11-24 02:30", freezes=[missing], state="skip")
    assert exit_code == 2
    assert (
        f"freezes: {missing} cannot be read ([Errno 2] No such file or directory: '{missing}'). A calendar that cannot be "
        "read is not taken for one without freezes." in printed.replace("''", "'")  # as ansible-core 2.16 prints YAML
    )
