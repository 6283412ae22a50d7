# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The traffic behind support.aws: what a load balancer's nodes would do, as an HTTP proxy on loopback.

    with FakeAws() as aws, Plane(aws, listener_arn) as plane:
        fetch(plane.port)

It reads listeners, rules, weights and targets as they are at each request, and checks the targets' health itself.
It is a fake. Unlike AWS it takes groups in exact turn by their weights and not at random, opens a connection to the
target for every request, knows of conditions only http-header and path-pattern, has no stickiness, and learns of a
change at once. HTTP only: a Network Load Balancer's targets are checked and chosen alike, connections are not.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import fnmatch
import threading
import typing as t
import urllib.parse

from support.aws import FakeAws
from support.aws_targets import Key

CHECK_EVERY = 0.1
CHECK_PATIENCE = 2.0

Action = t.Dict[str, t.Any]


class Request(t.NamedTuple):
    head: bytes
    body: bytes
    path: str
    headers: dict[str, str]
    keep_alive: bool


class Plane:
    """One listener. *addresses* says where instances are: (host, port) by instance id."""

    def __init__(
        self, aws: FakeAws, listener_arn: str, addresses: t.Mapping[str, tuple[str, int]] | None = None
    ) -> None:
        self._aws = aws
        self._listener_arn = listener_arn
        self._addresses = addresses or {}
        self._loop = asyncio.new_event_loop()
        self._turns: collections.Counter[str] = collections.Counter()
        self._next: collections.Counter[str] = collections.Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.names: dict[str, Key] = {}
        """Members by name: a request with ?to=name goes to that one, as long as it may go there."""
        self.in_flight: collections.Counter[Key] = collections.Counter()
        self.served: collections.Counter[str] = collections.Counter()
        """Requests by the name of their target group."""

    def __enter__(self) -> Plane:
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._run(self._start())
        return self

    def __exit__(self, *exc: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self, coroutine: t.Coroutine[t.Any, t.Any, None]) -> None:
        future: concurrent.futures.Future[None] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        future.result(10)

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        self._keep(asyncio.ensure_future(self._check_for_ever()))

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Requests

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
                writer.write(await self._answer(request))
                await writer.drain()
                if not request.keep_alive:
                    return

    async def _answer(self, request: Request) -> bytes:
        action = self._action(request)
        if action["Type"] == "fixed-response":
            return _fixed_response(action["FixedResponseConfig"])
        group, key = self._choose(action, self._wish(request))
        if key is None:
            return _plain(503, "no targets")
        self.served[group] += 1
        self.in_flight[key] += 1
        try:
            return await self._forward(request, key)
        except (OSError, asyncio.IncompleteReadError):
            return _plain(502, "the target did not answer")
        finally:
            self.in_flight[key] -= 1

    def _action(self, request: Request) -> Action:
        """The last action of the first rule that fits: what stands before it is authentication."""
        with self._aws.lock:
            (listener,) = self._aws.backend().describe_listeners(None, [self._listener_arn])
            rules = [rule for rule in listener.rules.values() if rule.priority != "default"]
            for rule in sorted(rules, key=lambda one: int(one.priority)):
                if all(_fits(condition, request) for condition in rule.conditions):
                    return dict(rule.actions[-1].data)
            return dict(listener.default_actions[-1].data)

    def _wish(self, request: Request) -> Key | None:
        query = urllib.parse.parse_qs(request.path.partition("?")[2])
        return self.names.get(query.get("to", [""])[0])

    def _choose(self, action: Action, wish: Key | None) -> tuple[str, Key | None]:
        """Smooth weighted round robin among groups, round robin among the targets of one."""
        groups = {one["TargetGroupArn"]: one["Weight"] for one in action["ForwardConfig"]["TargetGroups"]}
        if not sum(groups.values()):
            return "", None
        for arn, weight in groups.items():
            self._turns[arn] += weight
        chosen = max(groups, key=lambda arn: self._turns[arn])
        self._turns[chosen] -= sum(groups.values())
        with self._aws.lock:
            targets = self._aws.elb.book(self._aws.backend(), chosen).routable()
        if not targets:
            return chosen.split("/")[1], None
        if wish in targets:
            return chosen.split("/")[1], wish
        self._next[chosen] += 1
        return chosen.split("/")[1], targets[self._next[chosen] % len(targets)]

    def _address(self, key: Key) -> tuple[str, int]:
        return self._addresses.get(key[0], (key[0], key[1] or 0))

    async def _forward(self, request: Request, key: Key) -> bytes:
        reader, writer = await asyncio.open_connection(*self._address(key))
        with contextlib.closing(writer):
            writer.write(request.head + request.body)
            await writer.drain()
            return await _read_response(reader)

    # Health checks

    async def _check_for_ever(self) -> None:
        while True:
            await asyncio.gather(*(self._check(arn, key, path) for arn, key, path in self._to_check()))
            await asyncio.sleep(CHECK_EVERY)

    def _to_check(self) -> list[tuple[str, Key, str]]:
        with self._aws.lock:
            backend = self._aws.backend()
            return [
                (arn, key, group.health_check_path or "/")
                for arn, group in backend.target_groups.items()
                for key in self._aws.elb.book(backend, arn).listed()
            ]

    async def _check(self, arn: str, key: Key, path: str) -> None:
        passes = False
        with contextlib.suppress(OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
            passes = await asyncio.wait_for(self._probe(key, path), CHECK_PATIENCE)
        with self._aws.lock:
            self._aws.elb.book(self._aws.backend(), arn).checked(key, passes)

    async def _probe(self, key: Key, path: str) -> bool:
        head = f"GET {path} HTTP/1.1\r\nHost: check\r\nConnection: close\r\n\r\n".encode()
        answer = await self._forward(Request(head, b"", path, {}, False), key)
        return answer.startswith(b"HTTP/1.1 200")


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


def _fits(condition: dict[str, t.Any], request: Request) -> bool:
    if condition["Field"] == "http-header":
        config = condition["HttpHeaderConfig"]
        value = request.headers.get(config["HttpHeaderName"].lower(), "")
        return any(fnmatch.fnmatchcase(value.lower(), one.lower()) for one in config["Values"])
    if condition["Field"] == "path-pattern":
        values = condition.get("PathPatternConfig", {}).get("Values") or condition.get("Values", [])
        return any(fnmatch.fnmatchcase(request.path.partition("?")[0], one) for one in values)
    return False


def _fixed_response(config: dict[str, t.Any]) -> bytes:
    return _plain(int(config["StatusCode"]), config.get("MessageBody") or "", config.get("ContentType") or "text/plain")


def _plain(status: int, text: str, kind: str = "text/plain") -> bytes:
    head = f"HTTP/1.1 {status} Fake\r\nContent-Type: {kind}\r\nContent-Length: {len(text.encode())}\r\n\r\n"
    return head.encode() + text.encode()
