# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A raw HTTP/1.1 client connection that hides nothing: no pool, no retry, no redirect.

The one thing that HTTP lets a client repeat is distinguished: a connection that the server closed while it
was idle, after it had served a request (RFC 9112, 9.3.1). That raises ClosedWhileIdle and is no failure.
It is recognised by its time: the close was there before the request was sent, or crossed it on its way,
which shows within CROSSING seconds. A close that comes later broke off an answer in the making and fails.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
import typing as t

from support.tally import Failed

CROSSING = 0.2
NEXT_AFTER = 1.0
"""Seconds after which a client tries the next address."""
PAGE = "maintenance page"
"""A 503 that says when to come back."""


class ClosedWhileIdle(Exception):
    """The server closed a used connection before a byte of the next answer; the request may be sent once more."""


@dataclasses.dataclass(frozen=True)
class Target:
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Connection:
    """One connection to one balancer; opened by its first request.

    Where that takes no connection, one of *others* is tried, as browsers do with the addresses of a name: nothing was
    sent yet.
    """

    def __init__(self, target: Target, others: t.Sequence[Target] = ()) -> None:
        self._targets = (target, *others)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._served = 0
        self._sent_at = 0.0
        self.cookie = ""
        """The last one that was given, as it is sent back."""

    async def exchange(self, head: bytes, chunks: t.Iterable[bytes] = (), pause: float = 0.0) -> dict[str, t.Any]:
        """Sends one request, its body in chunks with *pause* seconds before each, and returns the JSON answer.

        An answer that comes before the whole body was sent ends the sending (RFC 9112, 9.5), and the connection.

        Raises ClosedWhileIdle or Failed; either way the connection is closed then.
        """
        try:
            await self._send_head(head)
            answering = asyncio.ensure_future(self._receive_head())
            try:
                is_whole = await self._send_body(chunks, pause, answering)
                answer = await self._receive(*await answering)
            finally:
                answering.cancel()
            if not is_whole:
                self.close()
            return answer
        except OSError as error:
            self.close()
            raise Failed("reset", f"{type(error).__name__}: {error}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None
        self._served = 0

    async def _send_head(self, head: bytes) -> None:
        if self._writer is None:
            await self._open()
            assert self._writer is not None
        elif self._reader is not None and self._reader.at_eof():
            raise ClosedWhileIdle
        self._writer.write(head)
        self._sent_at = time.monotonic()

    async def _open(self) -> None:
        for number, target in enumerate(self._targets, start=1):
            is_last = number == len(self._targets)
            opening = asyncio.open_connection(target.host, target.port)
            try:
                self._reader, self._writer = await (opening if is_last else asyncio.wait_for(opening, NEXT_AFTER))
                return
            except (OSError, asyncio.TimeoutError) as error:
                if is_last:
                    raise Failed("connect", f"no connection: {error}") from error

    async def _send_body(self, chunks: t.Iterable[bytes], pause: float, answering: asyncio.Future[t.Any]) -> bool:
        """Whether all of it was sent."""
        assert self._writer is not None
        for chunk in chunks:
            await asyncio.wait([answering], timeout=pause)
            if answering.done():
                return False
            self._writer.write(chunk)
            await self._writer.drain()
        return True

    async def _receive(self, status: int, headers: dict[str, str]) -> dict[str, t.Any]:
        body = await self._receive_body(int(headers.get("content-length", 0)))
        self._served += 1
        self.cookie = headers.get("set-cookie", self.cookie).partition(";")[0]
        if headers.get("connection", "").lower() == "close":
            self.close()
        if status == 503 and "retry-after" in headers:
            raise Failed(PAGE, f"Retry-After {headers['retry-after']}: {body[:80].decode(errors='replace')!r}")
        if not 200 <= status < 300:
            raise Failed(f"status {status}", f"answered {status}: {body[:200].decode(errors='replace')!r}")
        try:
            return t.cast("dict[str, t.Any]", json.loads(body))
        except ValueError as error:
            raise Failed("garbled", f"the answer is not JSON: {body[:80]!r}") from error

    async def _receive_head(self) -> tuple[int, dict[str, str]]:
        assert self._reader is not None
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                self._forgive_idle_close(error)
            raise Failed("short", f"closed after {len(error.partial)} bytes of the head") from error
        except ConnectionError as error:
            self._forgive_idle_close(error)
            raise
        lines = head.decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines[1:])
        return int(lines[0].split(" ")[1]), {name.lower(): value.strip() for name, dummy, value in fields}

    def _forgive_idle_close(self, error: Exception) -> None:
        if self._served and time.monotonic() - self._sent_at < CROSSING:
            raise ClosedWhileIdle from error

    async def _receive_body(self, length: int) -> bytes:
        assert self._reader is not None
        try:
            return await self._reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise Failed("short", f"closed after {len(error.partial)} of {length} bytes of the body") from error


def request_head(
    target: Target, path: str, close: bool, method: str = "GET", length: int = 0, headers: t.Iterable[str] = ()
) -> bytes:
    """A request's head; *close* asks the server to close the connection after its answer."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {target}", *headers]
    if length:
        lines.append(f"Content-Length: {length}")
    if close:
        lines.append("Connection: close")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"
