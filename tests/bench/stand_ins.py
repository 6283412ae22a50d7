# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of very many hosts in one process: every loopback address is a host, and the one called answers.

    stand_ins.py HOSTS PORT     HOSTS: a folder with h1, h2 ..., each with a link 'current' to releases/<version>

Listens on every address of its network namespace. GET /health answers {"status", "version", "host"}.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

FIRST = 127 << 24 | 64 << 16


def address(number: int) -> str:
    """127.64.0.1 for the first host."""
    value = FIRST + number
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def name_at(called: str) -> str:
    value = 0
    for part in called.split("."):
        value = value << 8 | int(part)
    return f"h{value - FIRST}"


def answer(hosts: str, called: str) -> bytes:
    name = name_at(called)
    try:
        version = os.path.basename(os.readlink(os.path.join(hosts, name, "current")))
    except OSError:
        return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    body = json.dumps({"status": "healthy", "version": version, "host": name}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class Connection(asyncio.Protocol):
    def __init__(self, hosts: str) -> None:
        self._hosts = hosts
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._called = transport.get_extra_info("sockname")[0]

    def data_received(self, data: bytes) -> None:
        self._read += data
        while b"\r\n\r\n" in self._read:
            head, _end, self._read = self._read.partition(b"\r\n\r\n")
            self._transport.write(answer(self._hosts, self._called))
            if b"HTTP/1.0" in head or b"connection: close" in head.lower():
                self._transport.close()


async def main(hosts: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(hosts), "0.0.0.0", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
