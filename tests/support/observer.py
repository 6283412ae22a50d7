# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An outside observer of the balancers: looks at every node ten times a second and writes down who is in rotation.

    observer.py --node lb1=10.77.9.1:9999 --node lb2=10.77.9.2:9999 --pool shop --seconds 60 --json seen.json

A node is given by its HAProxy command socket, a path or host:port (any level will do), or by its Envoy's
administration interface, http://host:port. It ends after the given seconds, on SIGTERM or SIGINT. The report
(see sightings.py) is rewritten every second while it runs. A look that failed or came late is written down as
a gap, never as a good look. Looks at two nodes that lie further apart than SAME_TIME are not put together.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pathlib
import signal
import sys
import time
import typing as t
import urllib.request

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.sightings import NodeRecord, Record, parse_clusters, parse_servers_state

INTERVAL = 0.1
SAME_TIME = 0.02
LOOK_TIMEOUT = 1.0
REPORT_INTERVAL = 1.0


class Observer:
    """Looks at nodes until stopped; *nodes* maps a name to a socket's path, host:port or http://host:port."""

    def __init__(self, nodes: t.Mapping[str, str], pool: str, clock: t.Callable[[], float] = time.time) -> None:
        self.record = Record(clock(), {name: NodeRecord() for name in nodes})
        self._nodes = dict(nodes)
        self._pool = pool
        self._clock = clock

    def report(self, running: bool) -> dict[str, t.Any]:
        return dict(self.record.report(self._clock()), running=running, pool=self._pool)

    async def look_around(self) -> None:
        """One round: a look at every node, all at the same time."""
        looks = await asyncio.gather(*(self._look(name) for name in self._nodes))
        seen = [look for look in looks if look is not None]
        times = [look[0] for look in seen]
        if len(seen) == len(looks) and max(times) - min(times) <= SAME_TIME:
            self.record.see_round(max(times), [look[1] for look in seen])

    async def _look(self, name: str) -> tuple[float, dict[str, bool]] | None:
        try:
            members = await asyncio.wait_for(_members(self._nodes[name], self._pool), LOOK_TIMEOUT)
        except (OSError, ValueError, asyncio.TimeoutError) as error:
            self.record.miss(self._clock(), name, f"{type(error).__name__}: {error}")
            return None
        now = self._clock()
        self.record.see(now, name, members)
        return now, members


async def _members(address: str, pool: str) -> dict[str, bool]:
    if address.startswith("http://"):
        reply = await asyncio.get_running_loop().run_in_executor(None, _fetch, f"{address}/clusters?format=json")
        return parse_clusters(reply, pool)
    return parse_servers_state(await _ask(address, f"show servers state {pool}\n"), pool)


def _fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=LOOK_TIMEOUT) as reply:
        return t.cast("str", reply.read().decode(errors="replace"))


async def _ask(address: str, question: str) -> str:
    if address.startswith("/"):
        reader, writer = await asyncio.open_unix_connection(address)
    else:
        host, _colon, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(question.encode())
        return (await reader.read()).decode(errors="replace")
    finally:
        writer.close()


async def _run(observer: Observer, seconds: float, report: pathlib.Path, starter: int | None) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    due = reported = loop.time()
    end = loop.time() + seconds
    while not stopping.is_set() and loop.time() < end and starter in (None, os.getppid()):
        await observer.look_around()
        if loop.time() >= reported:
            _write(report, observer.report(running=True))
            reported = loop.time() + REPORT_INTERVAL
        due = max(due + INTERVAL, loop.time())
        await _sleep(stopping, due - loop.time())
    _write(report, observer.report(running=False))


async def _sleep(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), max(seconds, 0.001))
    except asyncio.TimeoutError:
        pass


def _write(path: pathlib.Path, content: dict[str, t.Any]) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
    os.replace(draft, path)


def _go_first() -> None:
    """Looks on time even on a busy machine, where we may."""
    try:
        os.nice(-10)
    except PermissionError:
        pass


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--node", action="append", required=True, metavar="NAME=SOCKET")
    parser.add_argument("--pool", required=True)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--json", type=pathlib.Path, required=True)
    parser.add_argument("--for-process", type=int, help="end when this process, our parent, is gone")
    arguments = parser.parse_args()
    nodes = dict(node.split("=", 1) for node in arguments.node)
    _go_first()
    observer = Observer(nodes, arguments.pool)
    asyncio.run(_run(observer, arguments.seconds, arguments.json, arguments.for_process))
    return 0


if __name__ == "__main__":
    sys.exit(main())
