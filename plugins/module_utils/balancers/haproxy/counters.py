# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What HAProxy has counted for each server, from the rows of 'show stat'.

A server's own columns count the answers that it gave (hrsp_*) and the times that it gave none: connections that failed
for good (econ) and answers that were missing, broken or cut off (eresp). The 502 to 504 that HAProxy then answers itself
are counted for the backend only.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Counters
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import state as haproxy_state
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.state import Row

# TIME_STATS_SAMPLES of HAProxy's sources, although its manual says 1024.
TIMES_WINDOW = 512
ANSWERS = ("hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other")


def series(info: str) -> str:
    """Which process counts, from the reply to 'show info'."""
    found = dict(re.findall(r"^(Pid|Start_time_sec): *(\S+)", info, re.MULTILINE))
    return " ".join(f"{name}={value}" for name, value in sorted(found.items()))


def counters(stat: t.Iterable[Row]) -> dict[str, Counters]:
    """The counters of the servers of a pool."""
    return {row["svname"]: _counters(row) for row in stat if row["type"] == haproxy_state.SERVER_ROW}


def _counters(row: Row) -> Counters:
    failed = _number(row, "econ") + _number(row, "eresp")
    if row.get("mode") == "tcp":
        return Counters(requests=max(_number(row, "stot"), failed), errors=failed)
    errors = _number(row, "hrsp_5xx") + failed
    # An answer that was cut off is counted among the answers too.
    without_answer = _number(row, "econ") + max(0, _number(row, "eresp") - _number(row, "srv_abrt"))
    answered = sum(_number(row, name) for name in ANSWERS)
    return Counters(
        requests=max(answered + without_answer, errors),
        errors=errors,
        latency=float(_number(row, "rtime")),
        timed=_number(row, "req_tot") or answered,
        window=TIMES_WINDOW,
    )


def _number(row: Row, column: str) -> int:
    text = row.get(column) or ""
    return int(text) if text.isdigit() else 0
