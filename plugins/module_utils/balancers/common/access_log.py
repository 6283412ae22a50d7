# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""An access log whose lines are JSON, as the README has nginx, Apache and Envoy write it; read from its end.

A line has *t* (seconds since 1970, when the request ended), *m* (the member, by address or name), *s* (status), *l* (latency),
*v* (method) and *p* (path). Clients choose what is in some of these: what is not as expected is left out.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.request_log import Entry
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

if t.TYPE_CHECKING:
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Snapshot

MOST_BYTES = 16 * 1024 * 1024
"""So much of the file's end is read; at a hundred bytes a line that is 1,400 requests per second over two minutes."""


def read(path: str, where: str, names: t.Mapping[str, str], unit: float) -> list[Entry]:
    """The newest requests. *names* are the members by what the log calls them, *unit* is the latency's in milliseconds."""
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            stream.seek(max(0, size - MOST_BYTES))
            lines = stream.read(MOST_BYTES).split(b"\n")
    except OSError as error:
        raise RolloutError(
            f"{where}: cannot read balancer.request_log {path}: {error.strerror or error}. Give the access log that the README's "
            "configuration writes, and run the module as a user that may read it."
        ) from error
    whole = lines[1:] if size > MOST_BYTES else lines
    return [entry for entry in (_entry(line, names, unit) for line in whole) if entry is not None]


def names(snapshot: Snapshot) -> dict[str, str]:
    """The members by what a log may call them: their address, with or without a scheme."""
    found = {}
    for name, member in snapshot.members.items():
        plain = member.address.split("://", 1)[-1].rstrip("/")
        for scheme in ("", "http://", "https://"):
            found[scheme + plain] = name
    return found


def _entry(line: bytes, names: t.Mapping[str, str], unit: float) -> Entry | None:
    try:
        found = json.loads(line)
        at, status = float(found["t"]), int(found["s"])
        # After another attempt nginx lists all that it tried: the last one gave the answer.
        member, latency = _last(found["m"]), _last(found["l"])
        milliseconds = float(latency) * unit if latency not in ("", "-") else None
        return Entry(at, names.get(member, member), status, milliseconds, str(found["v"]), str(found["p"]))
    except (ValueError, KeyError, TypeError):
        return None


def _last(text: t.Any) -> str:
    return str(text).replace(" : ", ", ").rsplit(", ", 1)[-1].strip()
