# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What HAProxy's replies mean: rows of 'show servers state' and 'show stat' made into members.

The state comes from the bits of srv_admin_state and srv_op_state, never from the status text: a drained server
that is down still says DOWN, one with an agent says 'DRAIN (agent)', one without a check says 'no check'.
Columns are found by their header, since they differ between versions.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Member

Row = t.Dict[str, str]

# srv_admin_state
FORCED_MAINT, INHERITED_MAINT, FORCED_DRAIN, INHERITED_DRAIN, UNRESOLVED = 0x01, 0x02, 0x08, 0x10, 0x20
ANY_MAINT = FORCED_MAINT | INHERITED_MAINT | UNRESOLVED
ANY_DRAIN = FORCED_DRAIN | INHERITED_DRAIN
# srv_check_state, srv_agent_state
CHECK_CONFIGURED, CHECK_ENABLED = 0x02, 0x04
# srv_op_state
STOPPED, STARTING, RUNNING, STOPPING = 0, 1, 2, 3
# type in 'show stat'
BACKEND_ROW, SERVER_ROW = "1", "2"


# The columns of 'show stat' that matter for a member.
OF_SERVER = ("pxname", "svname", "type", "iid", "sid", "status", "weight", "scur", "qcur", "bck", "tracked")
OF_CHECKS = ("chkdown", "check_status", "check_code", "last_chk", "check_desc", "check_rise", "check_fall")
OF_MEMBERS = frozenset(OF_SERVER + OF_CHECKS)


class BadReply(ValueError):
    """Text that is not the table asked for."""


def state_rows(text: str, only: t.Collection[str] = ()) -> list[Row]:
    """The rows of 'show servers state', or of a file that it was saved to; of some servers *only* where they are named."""
    names: list[str] = []
    rows = []
    for line in text.splitlines():
        if line.startswith("#"):
            names = line[1:].split()
        elif names and line.strip() and (not only or any(f" {name} " in line for name in only)):
            rows.append(dict(zip(names, line.split())))
    if not {"be_id", "be_name", "srv_id", "srv_name", "srv_op_state", "srv_admin_state", "srv_uweight"} <= set(names):
        raise BadReply(text)
    return [row for row in rows if row["srv_name"] in only] if only else rows


def stat_rows(text: str, only: t.Container[str] = ()) -> list[Row]:
    """The rows of 'show stat', of its hundred columns *only* those named; a line that is cut off is no row."""
    if not text.startswith("# pxname,"):
        raise BadReply(text)
    lines = csv.reader(text[2:].splitlines())
    header = next(lines)
    is_kept = [not only or name in only for name in header]
    names = list(itertools.compress(header, is_kept))
    return [dict(zip(names, itertools.compress(line, is_kept))) for line in lines if len(line) >= len(header)]


def old_sessions(stat: t.Iterable[Row], pool: str) -> dict[str, int]:
    """What a process that a reload left behind still has in flight and queued, by member."""
    return {row["svname"]: sum(busy(row)) for row in stat if row["pxname"] == pool and row["type"] == SERVER_ROW}


def has_backend(stat: t.Iterable[Row], number: str) -> bool:
    return any(row["type"] == BACKEND_ROW and row["iid"] == number for row in stat)


def is_backup(row: Row) -> bool:
    return row.get("bck") == "1"


def pool_queue(stat: t.Iterable[Row]) -> int:
    """Requests that wait for any server of the backend."""
    return sum(_number(row.get("qcur")) for row in stat if row["type"] == BACKEND_ROW)


def members(state: t.Iterable[Row], stat: t.Iterable[Row], old: t.Mapping[str, int] | None = None) -> dict[str, Member]:
    """The members of one pool; *old* are the sessions of left-over processes, None where they cannot be seen."""
    counters = {row["svname"]: row for row in stat if row["type"] == SERVER_ROW}
    found = {row["srv_name"]: _member(row, counters.get(row["srv_name"], {}), old) for row in state}
    return _backups_stand_by(found)


def _member(row: Row, counters: Row, old: t.Mapping[str, int] | None) -> Member:
    name = row["srv_name"]
    bits = int(row["srv_admin_state"])
    admin = state_in_force(bits)
    op_state = int(row["srv_op_state"])
    weight = int(row["srv_uweight"])
    sessions, queue = busy(counters)
    usable = admin == contract.IN_SERVICE and op_state in (STARTING, RUNNING) and weight > 0
    return Member(
        name=name,
        address=_address(row),
        own=own_state(bits),
        admin=admin,
        operational=contract.PAUSED if bits & ANY_MAINT else _operational(op_state, row, counters),
        weight=weight,
        sessions=sessions,
        queue=queue,
        old_sessions=None if old is None else old.get(name, 0),
        usable=usable,
        in_rotation=usable,
        backup=is_backup(counters),
        tracks=counters.get("tracked", ""),
        agent=bool(_number(row.get("srv_agent_state")) & CHECK_ENABLED),
        check=check_in_words(counters),
        went_down=_number(counters["chkdown"]) if counters.get("chkdown") else None,
    )


def state_in_force(bits: int) -> str:
    if bits & ANY_MAINT:
        return contract.MAINTENANCE
    return contract.DRAINED if bits & ANY_DRAIN else contract.IN_SERVICE


def own_state(bits: int) -> str:
    """The configured 'disabled' (0x04) stays set after the server was made ready: by itself it means nothing."""
    if bits & FORCED_MAINT:
        return contract.MAINTENANCE
    return contract.DRAINED if bits & FORCED_DRAIN else contract.IN_SERVICE


def _operational(op_state: int, row: Row, counters: Row) -> str:
    if op_state == STOPPED:
        return contract.DOWN
    if op_state == STARTING:
        return contract.STARTING
    if op_state == STOPPING:
        return contract.STOPPING
    if counters.get("tracked"):
        return contract.UP
    check = _number(row.get("srv_check_state"))
    if not (check & CHECK_CONFIGURED and check & CHECK_ENABLED):
        return contract.NO_CHECK
    full = _number(counters.get("check_rise")) + _number(counters.get("check_fall")) - 1
    return contract.UP if _number(row.get("srv_check_health")) >= full else contract.GOING_DOWN


def _backups_stand_by(found: dict[str, Member]) -> dict[str, Member]:
    """A backup takes traffic only when no other member can."""
    if not any(member.usable and not member.backup for member in found.values()):
        return found
    return {
        name: dataclasses.replace(member, in_rotation=False) if member.backup else member
        for name, member in found.items()
    }


def check_in_words(counters: Row) -> str:
    # While a check is running ('* ') the code is 0 and the details are empty.
    status = counters.get("check_status", "").lstrip("* ")
    code = counters.get("check_code", "")
    details = counters.get("last_chk") or counters.get("check_desc", "")
    return " ".join(filter(None, (status, code if code != "0" else "", details)))


def _address(row: Row) -> str:
    address = row.get("srv_addr", "-")
    port = row.get("srv_port", "0")
    shown = f"[{address}]" if ":" in address and not address.startswith("/") else address
    return shown if port in ("0", "-") else f"{shown}:{port}"


def busy(row: Row) -> tuple[int, int]:
    """What is in flight to a server and queued for it."""
    return _number(row.get("scur")), _number(row.get("qcur"))


def _number(text: str | None) -> int:
    return int(text) if text and (text.isdigit() or text.lstrip("-").isdigit()) else 0
