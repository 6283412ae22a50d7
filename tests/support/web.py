# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of any method, and the whole of their answers."""

from __future__ import annotations

import contextlib
import http.client
import typing as t


class Answer(t.NamedTuple):
    status: int
    headers: dict[str, str]
    """Names in small letters."""
    body: str


def request(port: int, method: str = "GET", path: str = "/", body: str = "", header: str = "") -> Answer:
    """One request on a connection of its own; raises OSError or HTTPException where it fails."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        name, dummy, value = header.partition(": ")
        connection.request(
            method, path, body.encode() or None, {"Connection": "close", **({name: value} if name else {})}
        )
        return _read(connection)


def _read(connection: http.client.HTTPConnection) -> Answer:
    reply = connection.getresponse()
    headers = {name.lower(): value for name, value in reply.getheaders()}
    return Answer(reply.status, headers, reply.read().decode("utf-8"))
