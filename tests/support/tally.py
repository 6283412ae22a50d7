# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client of the balancers saw: exact counts of requests, failures and versions.

Written by one asyncio loop, so it takes no locks.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import typing as t

SAMPLES = 100
STICKY = "sticky"
BIN = math.log(1.02)
"""Latencies are resolved to two percent."""


class Failed(Exception):
    """One request that did not end with a whole 2xx answer; *kind* sorts it, the text says what happened."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


@dataclasses.dataclass
class Met:
    """Answers of one kind: how many, and when the first and the last of their requests were begun."""

    requests: int = 0
    first_begun: float = math.inf
    last_begun: float = 0.0

    def count(self, begun: float) -> None:
        self.requests += 1
        self.first_begun = min(begun, self.first_begun)
        self.last_begun = max(begun, self.last_begun)


@dataclasses.dataclass
class Tally:
    """Counts since *started_at* (seconds since the epoch)."""

    started_at: float
    ok: int = 0
    failed: int = 0
    reconnects: int = 0
    clients: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    failures: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    kinds: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    versions: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    timeline: dict[int, collections.Counter[str]] = dataclasses.field(default_factory=dict)
    slowest: dict[str, float] = dataclasses.field(default_factory=dict)
    last_begun: dict[str, float] = dataclasses.field(default_factory=dict)
    """When the last request was begun that a version answered."""
    newest: tuple[str, float] = ("", 0.0)
    """The version that was met last for the first time, and when."""
    mixed: int = 0
    """Answers of another version than the newest to requests that were begun after the newest had answered."""
    journeys: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    """By sticky client: the versions that it met, in this order."""
    features: dict[tuple[str, str, str], Met] = dataclasses.field(default_factory=dict)
    """By host, version and what the answer said of the feature."""
    latencies: dict[str, dict[str, collections.Counter[int]]] = dataclasses.field(default_factory=dict)
    """By client and version: how many answers took as long as each bin stands for."""

    @property
    def requests(self) -> int:
        """Requests that have ended, well or badly."""
        return self.ok + self.failed

    def count_ok(self, client: str, version: str, now: float, seconds: float) -> None:
        self.ok += 1
        self._client(client)["ok"] += 1
        if version not in self.versions:
            self.newest = (version, now)
        self.mixed += version != self.newest[0] and now - seconds > self.newest[1]
        self.versions[version] += 1
        self.last_begun[version] = max(now - seconds, self.last_begun.get(version, 0.0))
        self.timeline.setdefault(int(now - self.started_at), collections.Counter())[version] += 1
        self.slowest[client] = max(seconds, self.slowest.get(client, 0.0))
        if client.startswith(STICKY):
            journey = self.journeys.setdefault(client, [])
            journey += [version] if journey[-1:] != [version] else []
        took = self.latencies.setdefault(client, {}).setdefault(version, collections.Counter())
        took[round(math.log(max(seconds, 1e-6)) / BIN)] += 1

    def count_failed(self, client: str, target: str, now: float, seconds: float, failure: Failed) -> None:
        self.failed += 1
        self._client(client)["failed"] += 1
        self.kinds[failure.kind] += 1
        if len(self.failures) < SAMPLES:
            self.failures.append(
                {
                    "at": round(now, 3),
                    "second": round(now - self.started_at, 3),
                    "after": round(seconds, 3),
                    "client": client,
                    "target": target,
                    "kind": failure.kind,
                    "detail": failure.detail,
                }
            )

    def note_feature(self, answer: t.Mapping[str, t.Any], begun: float) -> None:
        """Which host of which version used a feature, where the service reports that with its answers."""
        if "feature" in answer:
            key = (str(answer.get("host")), str(answer.get("version")), str(answer["feature"]))
            self.features.setdefault(key, Met()).count(begun)

    def count_reconnect(self, client: str) -> None:
        self.reconnects += 1
        self._client(client)["reconnects"] += 1

    def report(self, now: float) -> dict[str, t.Any]:
        """Everything as plain JSON data; seconds and requests a second are up to *now*."""
        seconds = max(now - self.started_at, 0.001)
        return {
            "requests": self.requests,
            "ok": self.ok,
            "failed": self.failed,
            "reconnects": self.reconnects,
            "started_at": round(self.started_at, 3),
            "seconds": round(seconds, 3),
            "rate": round(self.requests / seconds, 1),
            "clients": self.clients,
            "slowest": {client: round(value, 3) for client, value in self.slowest.items()},
            "journeys": self.journeys,
            "p95": {client: {of: _p95(took) for of, took in its.items()} for client, its in self.latencies.items()},
            "versions": dict(self.versions),
            "mixed": self.mixed,
            "last_begun": {version: round(at, 3) for version, at in self.last_begun.items()},
            "timeline": [{"second": second, "versions": dict(seen)} for second, seen in sorted(self.timeline.items())],
            "features": [
                {"host": host, "version": version, "feature": feature, **dataclasses.asdict(met)}
                for (host, version, feature), met in sorted(self.features.items())
            ],
            "kinds": dict(self.kinds),
            "failures": self.failures,
        }

    def _client(self, name: str) -> dict[str, int]:
        return self.clients.setdefault(name, {"ok": 0, "failed": 0, "reconnects": 0})


def _p95(took: collections.Counter[int]) -> float:
    """Seconds that 95 percent of the answers took at most."""
    wanted, reached = 0.95 * sum(took.values()), 0
    for number, count in sorted(took.items()):
        reached += count
        if reached >= wanted:
            return round(math.exp(number * BIN), 6)
    return 0.0
