# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many requests in little time, and who answered them: for counting how traffic is split.

Members answer with their name from one asyncio loop in a thread; clients ask from another.
"""

from __future__ import annotations

import asyncio
import collections
import threading
import typing as t


class QuickMember:
    """A member of a pool that answers every request at once with its name. /health is no different."""

    _loop: t.ClassVar[asyncio.AbstractEventLoop | None] = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self._server: asyncio.AbstractServer | None = None
        self._await(self._start())

    def stop(self) -> None:
        """In the loop's own thread, which may be in the middle of the server's work."""
        self._await(self._close())

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _start(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(lambda: _Answering(self.name), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    @classmethod
    def _await(cls, work: t.Coroutine[t.Any, t.Any, None]) -> None:
        if QuickMember._loop is None:
            QuickMember._loop = asyncio.new_event_loop()
            threading.Thread(target=QuickMember._loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(work, QuickMember._loop).result(10)


class _Answering(asyncio.Protocol):
    def __init__(self, name: str) -> None:
        self._answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(name)}\r\n\r\n{name}".encode()
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = t.cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            self._received = self._received.partition(b"\r\n\r\n")[2]
            self._transport.write(self._answer)


def answers(port: int, requests: int, clients: int = 20) -> collections.Counter[str]:
    """How many of *requests* each member answered; raises where one is not answered with 200."""
    return asyncio.run(_ask(port, requests, clients))


class Steady:
    """Clients that keep their connection and ask without a pause, until the end of the with block."""

    def __init__(self, port: int, clients: int = 4) -> None:
        self.requests = 0
        self.failures: list[str] = []
        self._port = port
        self._clients = clients
        self._stopping = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()), daemon=True)

    def __enter__(self) -> Steady:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping = True
        self._thread.join(60)

    async def _all(self) -> None:
        await asyncio.gather(*(self._client() for dummy in range(self._clients)))

    async def _client(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while not self._stopping:
            try:
                status, body = await exchange(reader, writer)
                if status != 200:
                    self.failures.append(f"status {status}: {body[:80]}")
            except (OSError, EOFError) as error:
                self.failures.append(repr(error))
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            self.requests += 1
            await asyncio.sleep(0.001)
        writer.close()


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, str]:
    """(status, body) of one request on a connection that is kept."""
    writer.write(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length:")[2].split("\r\n")[0])
    return int(head.split()[1]), (await reader.readexactly(length)).decode()


async def _ask(port: int, requests: int, clients: int) -> collections.Counter[str]:
    seen: collections.Counter[str] = collections.Counter()
    left = iter(range(requests))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _number in left:
            status, body = await exchange(reader, writer)
            if status != 200:
                raise AssertionError(f"status {status}: {body[:80]}")
            seen[body] += 1
        writer.close()

    await asyncio.gather(*(client() for dummy in range(clients)))
    return seen
