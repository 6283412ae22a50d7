# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that make each host's drain take a given time, the same for whoever drains it.

Holds one unfinished upload open to every host through every balancer. When a host is first seen drained, its
uploads are finished that host's number of seconds later. Writes when each drain began and its last session ended.

    sessions.py DRAINS.json OUT.json     DRAINS: {"drains": {"app1": 12.0}, "nodes": {"lb1": "10.77.9.1"}}
"""

from __future__ import annotations

import asyncio
import json
import pathlib
import signal
import sys
import time
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.sightings import parse_servers_state

LENGTH = 4096
POLL_EVERY = 0.05
KEEP_ALIVE_EVERY = 5.0


class Upload:
    """A request in flight to one host through one balancer, until it is ended."""

    def __init__(self, address: str, app: str) -> None:
        self._address = address
        self._app = app
        self.ends = asyncio.Event()
        self.ended_at = 0.0

    async def run(self) -> None:
        reader, writer = await asyncio.open_connection(self._address, 8080)
        head = f"POST /upload HTTP/1.1\r\nHost: shop\r\nX-App: {self._app}\r\nContent-Length: {LENGTH}\r\n\r\n"
        writer.write(head.encode())
        sent = 0
        while not self.ends.is_set():
            writer.write(b"x")
            sent += 1
            await writer.drain()
            await _wait(self.ends, KEEP_ALIVE_EVERY)
        writer.write(b"x" * (LENGTH - sent))
        await reader.readline()
        self.ended_at = time.time()
        writer.close()


async def hold(drains: dict[str, float], nodes: dict[str, str], out: pathlib.Path) -> None:
    uploads = {app: [Upload(address, app) for address in nodes.values()] for app in drains}
    tasks = [asyncio.create_task(upload.run()) for each in uploads.values() for upload in each]
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    drained: dict[str, float] = {}
    out.write_text("{}", encoding="utf-8")
    while not stopping.is_set():
        for address in nodes.values():
            for app, is_in in (await _in_rotation(address)).items():
                if not is_in and app in drains and app not in drained:
                    drained[app] = time.time()
                    asyncio.get_running_loop().call_later(drains[app], _end, uploads[app])
        await _wait(stopping, POLL_EVERY)
    for task in tasks:
        task.cancel()
    seen = {app: {"drained_at": at, "ended_at": max(u.ended_at for u in uploads[app])} for app, at in drained.items()}
    out.write_text(json.dumps(seen), encoding="utf-8")


def _end(uploads: t.Iterable[Upload]) -> None:
    for upload in uploads:
        upload.ends.set()


async def _in_rotation(address: str) -> dict[str, bool]:
    reader, writer = await asyncio.open_connection(address, 9999)
    writer.write(b"show servers state shop\n")
    reply = (await reader.read()).decode()
    writer.close()
    return parse_servers_state(reply, "shop")


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except asyncio.TimeoutError:
        pass


def main() -> None:
    wanted = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    asyncio.run(hold(wanted["drains"], wanted["nodes"], pathlib.Path(sys.argv[2])))


if __name__ == "__main__":
    main()
