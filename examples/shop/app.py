# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shop: a small HTTP/1.1 service to release, good or bad as its release says.

    GET  /                  {"version", "host"}, and "feature" where it reads a feature flag
    GET  /health            {"status": "healthy", "version"}, or 500; with a flag also {"flags": {name: true or false}}
    GET  /slow?seconds=5    the same as /, but only after that time
    POST /upload            reads a body that may arrive slowly; {"version", "host", "bytes"}
    GET  /stats             {"version", "host", "pid", "started_at", "answered": {path: count}}

On SIGTERM it accepts no more, finishes what it is answering, and exits with 0. Beside this file lie the
release's VERSION and, if the release is to misbehave, behaviour.json (see Behaviour).
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import dataclasses
import json
import os
import pathlib
import random
import signal
import socket
import sys
import time
import typing as t
import urllib.parse

sys.dont_write_bytecode = True  # a release's folder holds what was released

from features import Feature

HEAD_LIMIT = 16384
FLAP = 1.0
LEAK, LEAK_LIMIT = 16 * 2**20, 256 * 2**20
"""Bytes ten times a second, up to so many."""
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 500: "Internal Server Error"}


@dataclasses.dataclass(frozen=True)
class Behaviour:
    """How a release misbehaves; every field is a key of behaviour.json."""

    start: str = "ok"
    """'refuse': exits with 1 instead of serving."""
    health: str = "healthy"
    """Anything else is what /health says, with status 500."""
    version: str = ""
    """The version that it claims to be, instead of its own."""
    healthy_for: float = 0.0
    """Seconds after which it does what *afterwards* says; 0: never."""
    afterwards: str = "fail"
    """'fail': every request is answered with 500. 'flap': so it is in every second stretch of FLAP seconds. 'crash':
    it exits with 1 in the middle of what it does. 'leak': it fills its memory up to LEAK_LIMIT and is killed, as by a
    kernel that has no more. 'fail checks': only /health, and only for who names no host, as the checks of HAProxy do."""
    errors: float = 0.0
    """The share of requests, other than /health and /stats, that are answered with 500."""
    errors_on: str = ""
    """The only path that *errors* applies to; empty: all of them."""
    delay: float = 0.0
    """Seconds that every answer, other than that to /health and /stats, takes longer."""
    latency: float = 0.0
    """Median seconds of the same answers, which vary as those of real services do: log-normally."""
    spread: float = 0.4
    """The standard deviation of the logarithm of *latency*; the 95th percentile is exp(1.645 spread) times the median."""
    start_delay: float = 0.0
    """Seconds before it listens."""
    warm_up: float = 0.0
    """Seconds for which *latency* is longer: four times at the start, and as usual at their end."""
    burst: int = 0
    """So many requests are answered with 500 one after the other, once, *burst_after* seconds after the start."""
    burst_after: float = 0.0
    feature: t.Dict[str, t.Any] = dataclasses.field(default_factory=dict)
    """A feature flag that it reads: what Feature of features.py takes. Every answer then says "feature": "on" or "off",
    and a release with a feature turned on that it does not have fails with 500."""

    @classmethod
    def read(cls, path: pathlib.Path) -> Behaviour:
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else cls()


@dataclasses.dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    length: int
    keep_alive: bool
    names_host: bool = True


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    content: dict[str, t.Any]


class Shop:
    """The service itself; *clock* counts seconds and needs no relation to the time of day."""

    def __init__(
        self, version: str, host: str, behaviour: Behaviour, clock: t.Callable[[], float] = time.monotonic
    ) -> None:
        self.version = behaviour.version or version
        self.host = host
        self.behaviour = behaviour
        self.answered: collections.Counter[str] = collections.Counter()
        self.started_at = time.time()
        self._clock = clock
        self._started = clock()
        self._debt = 0.0
        self._burst = behaviour.burst
        self._chance = random.Random(host)
        self.feature = Feature(**behaviour.feature) if behaviour.feature else None

    async def answer(self, request: Request, reader: asyncio.StreamReader) -> Answer:
        identity = self._identity()
        received = await _read_body(reader, request.length)
        if request.path == "/stats":
            return Answer(200, self._stats())
        if self._spoilt() and self._fails(request):
            return self._broken("unhealthy")
        if request.path == "/health":
            return self._health()
        if self.feature and self.feature.is_on and not self.feature.served:
            return self._broken(f"has no {self.feature.name}")
        await asyncio.sleep(self.behaviour.delay + self._latency())
        if self.behaviour.errors_on in ("", request.path) and self._stumbles():
            return self._broken("failed")
        if request.path == "/":
            return Answer(200, identity)
        if request.path == "/slow":
            await asyncio.sleep(float(request.query.get("seconds", ["5"])[0]))
            return Answer(200, identity)
        if request.path == "/upload" and request.method == "POST":
            return Answer(200, dict(identity, bytes=received))
        return Answer(404, dict(identity, status="no such page"))

    def _identity(self) -> dict[str, t.Any]:
        feature = {"feature": "on" if self.feature.is_on else "off"} if self.feature else {}
        return {"version": self.version, "host": self.host, **feature}

    def _stats(self) -> dict[str, t.Any]:
        return dict(self._identity(), pid=os.getpid(), started_at=self.started_at, answered=dict(self.answered))

    def _health(self) -> Answer:
        healthy = self.behaviour.health == "healthy"
        flags = {"flags": {self.feature.name: self.feature.is_on}} if self.feature else {}
        return Answer(200 if healthy else 500, {"status": self.behaviour.health, "version": self.version, **flags})

    def _broken(self, status: str) -> Answer:
        return Answer(500, dict(self._identity(), status=status))

    def _spoilt(self) -> bool:
        return 0 < self.behaviour.healthy_for <= self._up()

    def _up(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    def _fails(self, request: Request) -> bool:
        """Whether a release that is no longer healthy shows it to this request."""
        if self.behaviour.afterwards == "flap":
            return int((self._clock() - self._started - self.behaviour.healthy_for) / FLAP) % 2 == 0
        if self.behaviour.afterwards == "fail checks":
            return request.path == "/health" and not request.names_host
        return self.behaviour.afterwards == "fail"

    async def decay(self) -> None:
        """Ends the process, or has it ended, where *afterwards* is set to that."""
        if not self.behaviour.healthy_for or self.behaviour.afterwards not in ("crash", "leak"):
            return
        await asyncio.sleep(self.behaviour.healthy_for)
        if self.behaviour.afterwards == "crash":
            os._exit(1)
        leaked: list[bytes] = []
        while len(leaked) * LEAK < LEAK_LIMIT:
            leaked.append(b"x" * LEAK)
            await asyncio.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)

    def _latency(self) -> float:
        cold = 1 - self._up() / self.behaviour.warm_up if self.behaviour.warm_up else 0.0
        slower = 1 + 3 * max(0.0, cold)
        return slower * self.behaviour.latency * self._chance.lognormvariate(0.0, self.behaviour.spread)

    def _stumbles(self) -> bool:
        """True for a burst, and for exactly the configured share of calls, evenly spread."""
        if self._burst and self._up() >= self.behaviour.burst_after:
            self._burst -= 1
            return True
        self._debt += self.behaviour.errors
        if self._debt < 1:
            return False
        self._debt -= 1
        return True


class Server:
    """Serves HTTP/1.1 with keep-alive for a Shop and tracks which connections are between two requests."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._idle: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self._stopping = asyncio.Event()

    async def run(self, host: str, port: int) -> None:
        """Serves until stop() was called and everything begun by then is answered."""
        listener = await asyncio.start_server(self._serve, host, port, limit=HEAD_LIMIT, backlog=1024)
        print(f"shop {self._shop.version} listens on {host}:{port}", flush=True)
        await self._stopping.wait()
        listener.close()
        for writer in list(self._idle):
            writer.close()
        while self._open:
            await asyncio.sleep(0.01)

    def stop(self) -> None:
        self._stopping.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while await self._serve_one(reader, writer) and not self._stopping.is_set():
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client left in the middle of its request
        except (ValueError, asyncio.LimitOverrunError) as error:
            writer.write(_encode(Answer(400, {"status": f"not understood: {error}"}), keep_alive=False))
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()  # else asyncio logs a traceback for each client that left

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one request; False when the connection is to be closed after it."""
        self._idle.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        finally:
            self._idle.discard(writer)
        request = _parse(head)
        answer = await self._shop.answer(request, reader)
        keep_alive = request.keep_alive and not self._stopping.is_set()
        writer.write(_encode(answer, keep_alive))
        await writer.drain()
        self._shop.answered[request.path] += 1
        return keep_alive


def _parse(head: bytes) -> Request:
    lines = head.decode("latin-1").split("\r\n")
    method, target, protocol = lines[0].split(" ")
    path, _mark, query = target.partition("?")
    headers = {}
    for line in lines[1:]:
        name, _colon, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise ValueError("a body needs a Content-Length")
    connection = headers.get("connection", "keep-alive" if protocol == "HTTP/1.1" else "close").lower()
    return Request(
        method=method,
        path=path,
        query=urllib.parse.parse_qs(query) if query else {},
        length=int(headers.get("content-length", 0)),
        keep_alive=connection != "close",
        names_host="host" in headers,
    )


async def _read_body(reader: asyncio.StreamReader, length: int) -> int:
    received = 0
    while received < length:
        chunk = await reader.read(min(65536, length - received))
        if not chunk:
            raise asyncio.IncompleteReadError(b"", length - received)
        received += len(chunk)
    return received


def _encode(answer: Answer, keep_alive: bool) -> bytes:
    body = json.dumps(answer.content).encode() + b"\n"
    head = (
        f"HTTP/1.1 {answer.status} {REASONS[answer.status]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: {'keep-alive' if keep_alive else 'close'}\r\n\r\n"
    )
    return head.encode() + body


async def _run(shop: Shop, host: str, port: int) -> None:
    await asyncio.sleep(shop.behaviour.start_delay)
    server = Server(shop)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, server.stop)
    beside = [asyncio.create_task(one) for one in (shop.decay(), *([shop.feature.follow()] if shop.feature else []))]
    await server.run(host, port)
    for task in beside:
        task.cancel()


def main() -> int:
    parser = argparse.ArgumentParser(description="The shop, a service to release.")
    parser.add_argument("--host", default=os.environ.get("SHOP_HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(os.environ.get("SHOP_PORT", "8080")))
    parser.add_argument("--name", default=os.environ.get("SHOP_NAME", socket.gethostname()))
    arguments = parser.parse_args()
    release = pathlib.Path(__file__).resolve().parent
    version = (release / "VERSION").read_text(encoding="utf-8").strip()
    behaviour = Behaviour.read(release / "behaviour.json")
    if behaviour.start == "refuse":
        print(f"shop {version} refuses to start", file=sys.stderr)
        return 1
    asyncio.run(_run(Shop(version, arguments.name, behaviour), arguments.host, arguments.port))
    print(f"shop {version} has stopped", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
