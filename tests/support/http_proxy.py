# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP proxy on loopback whose targets are chosen request by request: the traffic behind the fakes of AWS.

It opens a connection to the target for every request, and frames every answer by Content-Length, so that clients
keep their connection as long as they want.
"""

from __future__ import annotations

import abc
import asyncio
import collections
import concurrent.futures
import contextlib
import threading
import typing as t

Address = t.Tuple[str, int]


class Request(t.NamedTuple):
    head: bytes
    body: bytes
    path: str
    headers: dict[str, str]
    keep_alive: bool


class Proxy(abc.ABC):
    """Serves between ``with`` and its end, on *port*."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    def __enter__(self: T) -> T:
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._run(self._start())
        return self

    def __exit__(self, *exc: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)

    @abc.abstractmethod
    async def answer(self, request: Request) -> bytes:
        """The whole answer to one request."""

    async def background(self) -> None:
        """Runs beside the requests until the end."""
        await asyncio.sleep(0)

    async def forward(self, request: Request, address: Address) -> bytes:
        """What the target answers, or 502."""
        try:
            return await exchange(request, address)
        except (OSError, asyncio.IncompleteReadError):
            return plain(502, "the target did not answer")

    def _run(self, coroutine: t.Coroutine[t.Any, t.Any, None]) -> None:
        future: concurrent.futures.Future[None] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        future.result(10)

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        self._keep(asyncio.ensure_future(self.background()))

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._keep(task)
        gone = (OSError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*gone), contextlib.closing(writer):
            while True:
                request = await _read_request(reader)
                if request is None:
                    return
                answer = await self.answer(request)
                if not request.keep_alive:
                    answer = answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
                writer.write(answer)
                await writer.drain()
                if not request.keep_alive:
                    return


T = t.TypeVar("T", bound=Proxy)


class Turns:
    """Smooth weighted round robin: exact over any stretch, so that few requests show the split."""

    def __init__(self) -> None:
        self._credit: collections.Counter[str] = collections.Counter()

    def next(self, weights: t.Mapping[str, int]) -> str:
        for name, weight in weights.items():
            self._credit[name] += weight
        chosen = max(weights, key=lambda name: self._credit[name])
        self._credit[chosen] -= sum(weights.values())
        return chosen


async def exchange(request: Request, address: Address) -> bytes:
    """One request on a connection of its own."""
    reader, writer = await asyncio.open_connection(*address)
    with contextlib.closing(writer):
        writer.write(request.head + request.body)
        await writer.drain()
        return await _read_response(reader)


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    """None where the client closed its connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines[1:])}
    body = await reader.readexactly(int(headers.get("content-length") or 0))
    if "chunked" in headers.get("transfer-encoding", ""):
        body = await _read_chunks(reader)
    kept = [line for line in lines[1:] if line and not line.lower().startswith(("connection:", "keep-alive:"))]
    head = "\r\n".join([lines[0], *kept, "Connection: close", "", ""]).encode("latin-1")
    return Request(head, body, lines[0].split()[1], headers, headers.get("connection", "").lower() != "close")


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    read = b""
    while True:
        size = await reader.readuntil(b"\r\n")
        chunk = await reader.readexactly(int(size.split(b";")[0], 16) + 2)
        read += size + chunk
        if chunk == b"\r\n":
            return read


async def _read_response(reader: asyncio.StreamReader) -> bytes:
    """A whole answer, framed by Content-Length for a client whose connection stays open."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines[1:])}
    length = headers.get("content-length")
    body = await reader.readexactly(int(length)) if length is not None else await reader.read()
    kept = [line for line in lines[1:] if line and not line.lower().startswith(("connection:", "content-length:"))]
    return "\r\n".join([lines[0], *kept, f"Content-Length: {len(body)}", "", ""]).encode("latin-1") + body


def plain(status: int, text: str, kind: str = "text/plain") -> bytes:
    head = f"HTTP/1.1 {status} Fake\r\nContent-Type: {kind}\r\nContent-Length: {len(text.encode())}\r\n\r\n"
    return head.encode() + text.encode()
