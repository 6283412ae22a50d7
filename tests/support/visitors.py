# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients to whom a 503 with a page is as good an answer as a 200: what they must never see is no answer."""

from __future__ import annotations

import collections
import contextlib
import http.client
import threading
import typing as t

from support.haproxy import wait_until

PAUSE = 0.002


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


class Visitors:
    """Sends requests until told to stop: some clients keep their connection, others open one for each request."""

    def __init__(self, port: int, keeping: int = 4, closing: int = 2) -> None:
        self.keeping = keeping
        self._port = port
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._visit, args=(True,), daemon=True) for dummy in range(keeping)]
        self._threads += [threading.Thread(target=self._visit, args=(False,), daemon=True) for dummy in range(closing)]
        self.statuses: collections.Counter[int] = collections.Counter()
        self.failures: list[str] = []
        self.reconnects = 0
        """Connections that were found closed when the next request was to be sent on them."""

    def __enter__(self) -> Visitors:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def see(self, status: int) -> None:
        """Returns when they have seen this answer twenty times more."""
        wanted = self.statuses[status] + 20
        wait_until(lambda: self.statuses[status] >= wanted, f"twenty more answers with {status}")

    def _visit(self, keeps: bool) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._stop.wait(PAUSE):
            reused = connection is not None
            connection = connection or http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            try:
                connection.request("GET", "/", headers={} if keeps else {"Connection": "close"})
                answer = _read(connection)
            except (OSError, http.client.HTTPException) as error:
                self._note_failure(error, reused)
                connection.close()
                connection = None
                continue
            with self._lock:
                self.statuses[answer.status] += 1
            if not keeps or answer.headers.get("connection", "").lower() == "close":
                connection.close()
                connection = None
        if connection:
            connection.close()

    def _note_failure(self, error: Exception, reused: bool) -> None:
        """A kept connection that was closed while idle is told from an answer that did not come."""
        idle = reused and isinstance(error, (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError))
        with self._lock:
            if idle:
                self.reconnects += 1
            else:
                self.failures.append(repr(error))
