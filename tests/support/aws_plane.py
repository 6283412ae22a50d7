# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The traffic behind support.aws: what a load balancer's nodes would do, as an HTTP proxy on loopback.

    with FakeAws() as aws, Plane(aws, listener_arn) as plane:
        fetch(plane.port)

It reads listeners, rules, weights and targets as they are at each request, and checks the targets' health itself.
It is a fake. Unlike AWS it takes groups in exact turn by their weights and not at random, opens a connection to the
target for every request, supports of conditions only http-header and path-pattern, has no stickiness, and learns of a
change at once. HTTP only: a Network Load Balancer's targets are checked and chosen alike, connections are not.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import fnmatch
import re
import typing as t
import urllib.parse

from support.aws import FakeAws
from support.aws_targets import Key
from support.http_proxy import Address, Proxy, Request, Turns, exchange, plain

CHECK_EVERY = 0.1
CHECK_PATIENCE = 2.0

Action = t.Dict[str, t.Any]


class Plane(Proxy):
    """One listener. *addresses* says where instances are: (host, port) by instance id."""

    def __init__(
        self, aws: FakeAws, listener_arn: str, addresses: t.Mapping[str, Address] | None = None, checks: bool = True
    ) -> None:
        super().__init__()
        self._aws = aws
        self._listener_arn = listener_arn
        self._addresses = addresses or {}
        self._checks = checks
        self._turns = Turns()
        self._next: collections.Counter[str] = collections.Counter()
        self.names: dict[str, Key] = {}
        """Members by name: a request with ?to=name goes to that one, as long as it may go there."""
        self.unchecked: set[str] = set()
        """Target groups, by ARN, whose targets need not answer to be healthy."""
        self.in_flight: collections.Counter[Key] = collections.Counter()

    async def answer(self, request: Request) -> bytes:
        action = self._action(request)
        if action["Type"] == "fixed-response":
            return _fixed_response(action["FixedResponseConfig"])
        key = self._choose(action, self._wish(request))
        if key is None:
            return plain(503, "no targets")
        self.in_flight[key] += 1
        try:
            return await self.forward(request, self._address(key))
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

    def _choose(self, action: Action, wish: Key | None) -> Key | None:
        """Weighted round robin among groups, round robin among the targets of one."""
        groups = {one["TargetGroupArn"]: one["Weight"] for one in action["ForwardConfig"]["TargetGroups"]}
        if not sum(groups.values()):
            return None
        chosen = self._turns.next(groups)
        with self._aws.lock:
            targets = self._aws.elb.registry(self._aws.backend(), chosen).routable()
        if not targets or wish in targets:
            return wish if wish in targets else None
        self._next[chosen] += 1
        return targets[(self._next[chosen] - 1) % len(targets)]

    def _address(self, key: Key) -> Address:
        return self._addresses.get(key[0], (key[0], key[1] or 0))

    # Health checks

    async def background(self) -> None:
        """One plane checks for all of the account's listeners."""
        if not self._checks:
            return
        while True:
            await asyncio.gather(*(self._check(arn, key, path) for arn, key, path in self._to_check()))
            await asyncio.sleep(CHECK_EVERY)

    def _to_check(self) -> list[tuple[str, Key, str]]:
        with self._aws.lock:
            backend = self._aws.backend()
            return [
                (arn, key, group.health_check_path or "/")
                for arn, group in backend.target_groups.items()
                if arn not in self.unchecked
                for key in self._aws.elb.registry(backend, arn).registered()
            ]

    async def _check(self, arn: str, key: Key, path: str) -> None:
        head = f"GET {path} HTTP/1.1\r\nHost: check\r\nConnection: close\r\n\r\n".encode()
        answer = b""
        with contextlib.suppress(OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
            request = Request(head, b"", path, {}, False)
            answer = await asyncio.wait_for(exchange(request, self._address(key)), CHECK_PATIENCE)
        with self._aws.lock:
            self._aws.elb.registry(self._aws.backend(), arn).checked(key, answer.startswith(b"HTTP/1.1 200"))


def _fits(condition: dict[str, t.Any], request: Request) -> bool:
    if condition["Field"] == "http-header":
        config = condition["HttpHeaderConfig"]
        value = request.headers.get(config["HttpHeaderName"].lower(), "")
        if any(re.search(one, value) for one in config.get("RegexValues") or ()):
            return True
        return any(fnmatch.fnmatchcase(value.lower(), one.lower()) for one in config.get("Values") or ())
    if condition["Field"] == "path-pattern":
        values = condition.get("PathPatternConfig", {}).get("Values") or condition.get("Values", [])
        return any(fnmatch.fnmatchcase(request.path.partition("?")[0], one) for one in values)
    return False


def _fixed_response(config: dict[str, t.Any]) -> bytes:
    return plain(int(config["StatusCode"]), config.get("MessageBody") or "", config.get("ContentType") or "text/plain")
