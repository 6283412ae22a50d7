#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module is implemented by the action plugin of its name, which runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_window
short_description: Say whether a maintenance window is open, until when, and when the next one opens
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - Windows are rules (the strings that AWX schedules use) with a duration, or single spans of time. Blackout dates and
    the events of iCalendar files close them.
  - A window lasts its duration in real time, also on the days on which daylight saving begins or ends. It begins at its
    time on the clock; in the hour that autumn has twice this is the first one. A time that spring skips counts as long
    after midnight as on other days (02:30 in winter time is 03:30 in summer time), as RFC 5545 says.
  - Runs on the controller, with its clock.
notes:
  - Rules need the Python package C(python-dateutil) on the controller.
  - The search for the next window ends after a year.
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode it answers, and neither fails outside of the window nor waits for it.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  windows:
    description:
      - The windows. Without any, it is always open but for O(blackouts) and O(freezes).
      - A rule has C(rrule), such as C(FREQ=WEEKLY;BYDAY=TU,TH), C(duration), such as V(2h), and C(start), the time of day
        such as V('02:00'). Instead of C(start), C(rrule) may be a whole schedule such as
        C(DTSTART;TZID=Europe/Berlin:20261103T020000 RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU), with C(EXRULE), C(RDATE) and
        C(EXDATE), too. C(INTERVAL), C(COUNT) and rules that do not name their days need that.
      - A single one has C(from) and C(to), or C(from) and C(duration). C(from) and C(to) are a date or a time such as
        V('2026-12-24 02:00'), with an offset such as V('2026-10-25T02:30+01:00') if need be. A date in C(to) is included.
      - Each may have a C(zone) of its own, and a C(name).
      - C(FREQ=HOURLY) counts hours as they pass. C(MINUTELY) and C(SECONDLY) are refused.
    type: list
    elements: dict
    default: []
  zone:
    description: The time zone of everything that names none.
    type: str
    default: UTC
  blackouts:
    description:
      - When nothing may be done, in spite of O(windows). A date, two dates such as V(2026-12-20/2027-01-06), both included,
        or a dictionary with C(from) and C(to) or C(duration), C(zone) and C(name).
    type: list
    elements: raw
    default: []
  freezes:
    description:
      - iCalendar files on the controller; each of their events is a freeze, also one that is marked as free time.
      - A relative path is looked for beside the playbook, beside the inventory and in the current folder.
      - A file that is missing, cut off, empty or without events is an error, and so is an event that cannot be read.
        Cancelled events are left out.
    type: list
    elements: str
    default: []
  sites:
    description:
      - Time zones by site, as in C(rollout_zone) of the hosts. Windows, blackouts and all-day events that name no zone are
        then in the zone of each site. It is open if it is so for one of the sites.
    type: dict
    default: {}
  state:
    description:
      - What happens outside of the window, or if the work does not fit any more. V(open) fails, V(skip) returns RV(skip)
        and V(wait) waits for the next window, at most O(wait_limit), and fails if that is too late.
    type: str
    choices: [open, skip, wait]
    default: open
  wait_limit:
    description: For how long O(state=wait) may wait, such as V(8h).
    type: str
    default: 1h
  needed:
    description: How long the work takes, such as V(45m). If it is not given, it is worked out from O(host_seconds).
    type: str
  host_seconds:
    description: How long one host takes, such as C(host_seconds.p95) of M(steady.rollout.rollout_info).
    type: str
  hosts:
    description: How many hosts have to be done within the window.
    type: int
    default: 1
  parallel:
    description: How many hosts are done at the same time.
    type: int
    default: 1
  extra:
    description: Durations that come on top, such as bake times.
    type: list
    elements: str
    default: []
  at:
    description: The moment to answer for instead of now, such as V('2026-12-24 02:00').
    type: str
seealso:
  - module: steady.rollout.rollout_info
"""

EXAMPLES = r"""
- name: Ask whether a window is open
  steady.rollout.maintenance_window:
    zone: Europe/Berlin
    windows:
      - {rrule: "FREQ=WEEKLY;BYDAY=TU,TH", start: "02:00", duration: 2h}
      - {from: "2026-11-28 22:00", duration: 6h, name: Move to the new network}
    blackouts: [2026-12-20/2027-01-06]
    needed: 20m
    at: "2026-11-24 02:30"
  register: window

- name: Fail where it is not
  ansible.builtin.assert:
    that: window.open and window.fits

- name: End quietly on Christmas Eve
  steady.rollout.maintenance_window:
    blackouts: ["2026-12-24"]
    state: skip
    at: "2026-12-24 12:00"
"""

RETURN = r"""
open:
  description: Whether a window is open.
  type: bool
  returned: success
fits:
  description: Whether it is open for as long as the work takes.
  type: bool
  returned: success
until:
  description: When the open window closes, in its time zone.
  type: str
  returned: success
  sample: "2026-11-24T04:00:00+01:00"
left:
  description: Seconds until it closes; 0 where none is open.
  type: float
  returned: success
next:
  description: The next window in which the work fits, C(from), C(to), and C(at) in seconds since 1970; none within a year if empty.
  type: dict
  returned: success
next_text:
  description: The same as a sentence.
  type: str
  returned: success
closed_by:
  description: The name of the freeze or blackout that closes the window now.
  type: str
  returned: success
closes:
  description: For each site, and for C('') as everybody else, when it closes in seconds since 1970; 0 where the work does not fit.
  type: dict
  returned: success
sites:
  description: The same answers for each of O(sites).
  type: dict
  returned: success
skip:
  description: Whether O(state=skip) found no window that is open for long enough.
  type: bool
  returned: success
waited:
  description: Seconds waited for the window.
  type: float
  returned: success
msg:
  description: All of it in one sentence.
  type: str
  returned: always
  sample: the maintenance window is open until 2026-11-24 04:00 CET (1h58m left, 20m needed)
kind:
  description: V(outside_window) where it failed because no window is open.
  type: str
  returned: failure
"""

SPEC = {
    "argument_spec": {
        "windows": {"type": "list", "elements": "dict", "default": []},
        "zone": {"type": "str", "default": "UTC"},
        "blackouts": {"type": "list", "elements": "raw", "default": []},
        "freezes": {"type": "list", "elements": "str", "default": []},
        "sites": {"type": "dict", "default": {}},
        "state": {"type": "str", "choices": ["open", "skip", "wait"], "default": "open"},
        "wait_limit": {"type": "str", "default": "1h"},
        "needed": {"type": "str"},
        "host_seconds": {"type": "str"},
        "hosts": {"type": "int", "default": 1},
        "parallel": {"type": "int", "default": 1},
        "extra": {"type": "list", "elements": "str", "default": []},
        "at": {"type": "str"},
    },
}
