# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""HAProxy's own request log, kept in a ring in its memory: 'log ring@NAME format raw' with 'option httplog', read by 'show events'.

A line is what HAProxy documents as its HTTP log format (configuration manual, 8.2.3). Its time is the host's local one.
"""

from __future__ import annotations

import re
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.request_log import Entry

MONTHS = {
    name: number
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], start=1
    )
}
LINE = re.compile(
    r"\[(?P<day>\d{1,2})/(?P<month>[A-Z][a-z]{2})/(?P<year>\d{4}):(?P<clock>\d\d:\d\d:\d\d)\.(?P<ms>\d{3})\] "
    r"\S+ (?P<backend>[^\s/]+)/(?P<server>\S+) "
    r"(?P<request>-?\d+)/(?P<queue>-?\d+)/(?P<connect>-?\d+)/(?P<response>-?\d+)/\+?(?P<total>\d+) (?P<status>-?\d+) "
    r'.*"(?P<method>\S+) (?P<path>\S+)(?: [^"]*)?"?\s*$'
)
NAME = re.compile(r"[A-Za-z0-9_.:-]+")


def entries(text: str, pool: str) -> list[Entry]:
    """The requests of the pool's servers in the reply to 'show events'."""
    found = []
    for line in text.splitlines():
        match = LINE.search(line)
        if match is not None and match.group("backend") == pool and match.group("server") != "<NOSRV>":
            found.append(_entry(match))
    return found


def _entry(match: t.Match[str]) -> Entry:
    response = int(match.group("response"))
    return Entry(
        at=_began(match) + int(match.group("total")) / 1000,
        member=match.group("server"),
        status=int(match.group("status")),
        milliseconds=float(response) if response >= 0 else None,
        method=match.group("method"),
        path=match.group("path"),
    )


def _began(match: t.Match[str]) -> float:
    hours, minutes, seconds = map(int, match.group("clock").split(":"))
    month = MONTHS.get(match.group("month"), 1)
    local = (int(match.group("year")), month, int(match.group("day")), hours, minutes, seconds, 0, 0, -1)
    return time.mktime(local) + int(match.group("ms")) / 1000
