# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of the service: mixed HTTP traffic through the balancers, counted exactly.

    traffic.py --url http://10.77.9.1:8080 --url http://10.77.9.2:8080 --rate 800 --seconds 60 --json seen.json

Five kinds of clients work side by side: quick ones that keep their connection, quick ones that open one for
each request (``Connection: close``), slow ones (``GET /slow?seconds=5``, half of them keeping the connection),
uploads whose body arrives in pieces, and sticky ones that send back the cookie that they are given and remember
which versions they met, one after the other. The rate is that of the quick ones, half of it each; who falls behind
does not catch up. It ends by itself after the given seconds or requests, or is ended by SIGTERM or
SIGINT; then nothing new is begun and what was begun is brought to its end, so every request is counted once.

A request failed unless a whole 2xx answer came within the time limit: another status, a refused or reset
connection, an answer cut short, a timeout. One thing is counted apart, as a reconnect: a connection that the
server closed while idle, after it had served at least one request (see http_connection). HTTP lets a client
send the next request on a fresh connection then; it is done once, and what comes of it counts. Uploads are
never sent twice.

The report is rewritten every second while traffic runs ("running": true).
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import itertools
import json
import os
import pathlib
import signal
import sys
import time
import typing as t
import urllib.parse

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.http_connection import ClosedWhileIdle, Connection, Target, request_head
from support.tally import STICKY, Failed, Tally


@dataclasses.dataclass(frozen=True)
class Mix:
    """Who sends what. *rate* is quick requests a second over all; times are seconds."""

    rate: float = 600.0
    keepalive: int = 16
    close: int = 8
    slow: int = 4
    slow_seconds: float = 5.0
    uploads: int = 4
    upload_seconds: float = 3.0
    upload_chunks: int = 6
    upload_bytes: int = 65536
    sticky: int = 0
    sticky_pause: float = 0.5
    tester: str = ""
    """A header that the sticky ones send, 'name: value'."""
    timeout: float = 30.0
    failover: bool = False
    """Whether a client whose balancer takes no connection tries the next one."""


class Traffic:
    """Sends a mix to one or more balancers until stopped; *tally* may be read at any time."""

    def __init__(self, urls: t.Sequence[str], mix: Mix, clock: t.Callable[[], float] = time.time) -> None:
        self.targets = [_target(url) for url in urls]
        self.mix = mix
        self.tally = Tally(clock())
        self._clock = clock
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    def report(self, running: bool) -> dict[str, t.Any]:
        return dict(self.tally.report(self._clock()), running=running, targets=[str(target) for target in self.targets])

    async def run(self) -> None:
        """Returns once stop() was called and every request begun has ended."""
        clients = [asyncio.ensure_future(client) for client in self._clients()]
        try:
            await asyncio.gather(*clients)
        finally:
            for client in clients:
                client.cancel()

    def _clients(self) -> t.Iterator[t.Coroutine[t.Any, t.Any, None]]:
        mix = self.mix
        targets = itertools.cycle(self.targets)
        shares = {"keepalive": mix.keepalive, "close": mix.close}
        for name, count in shares.items():
            interval = count * len([size for size in shares.values() if size]) / mix.rate
            for number in range(count):
                target = next(targets)
                head = request_head(target, "/", close=name == "close")
                yield self._quick(name, target, head, interval, delay=interval * number / count)
        for number in range(mix.slow):
            yield self._slow(next(targets), close=number % 2 == 1)
        for target in itertools.islice(targets, mix.uploads):
            yield self._upload(target)
        for number, target in enumerate(itertools.islice(targets, mix.sticky)):
            yield self._sticky(f"{STICKY}{number}", target)

    async def _quick(self, name: str, target: Target, head: bytes, interval: float, delay: float) -> None:
        connection = self._connection(target)
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        while not await self._stopped_until(due):
            await self._count(name, target, connection, head)
            due = max(due + interval, loop.time())
        connection.close()

    async def _sticky(self, name: str, target: Target) -> None:
        """A user who comes back every now and then, on a new connection, with the cookie that the first answer gave."""
        connection = self._connection(target)
        while not await self._stopped_until(asyncio.get_running_loop().time() + self.mix.sticky_pause):
            headers = [f"Cookie: {connection.cookie}"] if connection.cookie else []
            headers += [self.mix.tester] if self.mix.tester else []
            head = request_head(target, "/", close=True, headers=headers)
            await self._count(name, target, connection, head)

    async def _slow(self, target: Target, close: bool) -> None:
        connection = self._connection(target)
        head = request_head(target, f"/slow?seconds={self.mix.slow_seconds:g}", close)
        while not self._stopping.is_set():
            if not await self._count("slow", target, connection, head):
                await self._stopped_until(asyncio.get_running_loop().time() + 0.2)
        connection.close()

    async def _upload(self, target: Target) -> None:
        mix = self.mix
        chunk = b"x" * (mix.upload_bytes // mix.upload_chunks)
        chunks = [chunk] * mix.upload_chunks
        head = request_head(target, "/upload", close=True, method="POST", length=len(chunk) * len(chunks))
        while not self._stopping.is_set():
            pause = mix.upload_seconds / mix.upload_chunks
            if not await self._count("upload", target, self._connection(target), head, chunks, pause):
                await self._stopped_until(asyncio.get_running_loop().time() + 0.2)

    def _connection(self, target: Target) -> Connection:
        others = [one for one in self.targets if one != target] if self.mix.failover else []
        return Connection(target, others)

    async def _count(
        self,
        client: str,
        target: Target,
        connection: Connection,
        head: bytes,
        chunks: t.Sequence[bytes] = (),
        pause: float = 0.0,
    ) -> bool:
        begun = self._clock()
        try:
            answer = await self._request(client, connection, head, chunks, pause)
            if chunks and answer.get("bytes") != sum(map(len, chunks)):
                raise Failed("garbled", f"{answer.get('bytes')} bytes of the upload arrived")
        except Failed as failure:
            now = self._clock()
            self.tally.count_failed(client, str(target), now, now - begun, failure)
            return False
        now = self._clock()
        self.tally.count_ok(client, str(answer.get("version")), now, now - begun)
        self.tally.note_feature(answer, begun)
        return True

    async def _request(
        self, client: str, connection: Connection, head: bytes, chunks: t.Sequence[bytes], pause: float
    ) -> dict[str, t.Any]:
        try:
            return await self._within_time(connection, head, chunks, pause)
        except ClosedWhileIdle:
            self.tally.count_reconnect(client)
            return await self._within_time(connection, head, chunks, pause)

    async def _within_time(
        self, connection: Connection, head: bytes, chunks: t.Sequence[bytes], pause: float
    ) -> dict[str, t.Any]:
        try:
            return await asyncio.wait_for(connection.exchange(head, chunks, pause), self.mix.timeout)
        except asyncio.TimeoutError as error:
            raise Failed("timeout", f"no answer within {self.mix.timeout:g} s") from error

    async def _stopped_until(self, due: float) -> bool:
        """Sleeps until *due* on the loop's clock; True when stopped before or meanwhile."""
        left = due - asyncio.get_running_loop().time()
        if left <= 0 or self._stopping.is_set():
            await asyncio.sleep(0)
            return self._stopping.is_set()
        try:
            await asyncio.wait_for(self._stopping.wait(), left)
        except asyncio.TimeoutError:
            return False
        return True


def _target(url: str) -> Target:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{url}: expected http://host:port")
    return Target(parts.hostname, parts.port or 80)


async def run_until(
    traffic: Traffic,
    seconds: float = 0.0,
    requests: int = 0,
    report: pathlib.Path | None = None,
    starter: int | None = None,
) -> dict[str, t.Any]:
    """Runs the traffic for so long or so many requests (0: until stopped) and returns its report.

    With a *starter*, it also ends once that process is no longer our parent.
    """
    running = asyncio.ensure_future(traffic.run())
    end = time.monotonic() + seconds if seconds else float("inf")
    rewritten = 0.0
    while not running.done():
        await asyncio.wait([running], timeout=0.1)
        now = time.monotonic()
        enough = now >= end or (requests and traffic.tally.requests >= requests)
        if enough or starter not in (None, os.getppid()):
            traffic.stop()
        if report and now - rewritten >= 1.0:
            _write(report, traffic.report(running=True))
            rewritten = now
    running.result()
    if report:
        _write(report, traffic.report(running=False))
    return traffic.report(running=False)


def _write(path: pathlib.Path, content: dict[str, t.Any]) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
    os.replace(draft, path)


async def _main(arguments: argparse.Namespace) -> int:
    mix = Mix(**{field.name: getattr(arguments, field.name) for field in dataclasses.fields(Mix)})
    traffic = Traffic(arguments.url, mix)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, traffic.stop)
    seen = await run_until(traffic, arguments.seconds, arguments.requests, arguments.json, arguments.for_process)
    shown = ("requests", "failed", "reconnects", "seconds", "rate", "versions", "clients", "kinds")
    print(json.dumps({name: seen[name] for name in shown}))
    return 1 if seen["failed"] else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", action="append", required=True, help="http://host:port; may be repeated")
    parser.add_argument("--seconds", type=float, default=0.0, help="0: until stopped")
    parser.add_argument("--requests", type=int, default=0, help="stop once so many have ended; 0: no limit")
    parser.add_argument("--json", type=pathlib.Path, help="where the report is written")
    parser.add_argument("--for-process", type=int, help="end when this process, our parent, is gone")
    for field in dataclasses.fields(Mix):
        option = "--" + field.name.replace("_", "-")
        parser.add_argument(option, type=type(field.default), default=field.default)
    return asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
