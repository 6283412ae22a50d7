# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ledger in memory under a clock that the test moves, and short words for its operations."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger import dispatch
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.observe import observe
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.shift import next_act
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.show import show
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Clock, Ledger
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.store import Store

OWNER = {"user": "ops", "controller": "laptop", "pid": 4711}
START = 1_790_000_000.0


class FakeClock:
    """Moves only when it is set or when somebody sleeps."""

    def __init__(self) -> None:
        self.time = START
        self._due: list[tuple[float, t.Callable[[], object]]] = []

    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, monotonic=lambda: self.time, sleep=self.move)

    def at(self, moment: float, act: t.Callable[[], object]) -> None:
        """Has somebody else act once the time has come."""
        self._due.append((moment, act))

    def move(self, seconds: float) -> None:
        self.time += seconds
        for due in [due for due in self._due if due[0] <= self.time]:
            self._due.remove(due)
            due[1]()


class LedgerClient:
    """All operations on one service; *run* and *token* are remembered from the last opening."""

    def __init__(self, service: str = "shop", store: Store | None = None) -> None:
        self.service = service
        self.fake = FakeClock()
        self.store = store or Store.in_memory()
        self.ledger = Ledger(self.store, clock=self.fake.clock())
        self.run: str | None = None
        self.token: int | None = None

    def open(self, version: str | None = "2.0.0", **options: t.Any) -> dict[str, t.Any]:
        opened = self.rollout("opened", version=version, **{"owner": OWNER, **options})
        self.run, self.token = opened["run"], opened["token"]
        return opened

    def plan(self, hosts: list[dict[str, t.Any]], **options: t.Any) -> dict[str, t.Any]:
        return self.rollout("planned", hosts=hosts, **options)

    def rollout(self, state: str, **options: t.Any) -> dict[str, t.Any]:
        return self._performed({**dispatch.OF_ROLLOUT, **dispatch.OF_CONTROL}[state], self._params(state, options))

    def host(self, state: str, host: str, **options: t.Any) -> dict[str, t.Any]:
        return self._performed(dispatch.OF_HOST[state], self._params(state, {"host": host, **options}))

    def admit(self, host: str, limit: float = 600.0, timeout: float | None = 0.0, **options: t.Any) -> dict[str, t.Any]:
        return self.host("admitted", host, limit=limit, timeout=timeout, **options)

    def go(self, host: str, version: str = "2.0.0") -> dict[str, t.Any]:
        """The whole way of a host that nothing happens to."""
        verdict = self.admit(host)
        if verdict["verdict"] != "go":
            raise AssertionError(verdict["msg"])
        return self.host("proven", host, version=version, drained_for=1.5)

    def watch(self, **options: t.Any) -> dict[str, t.Any]:
        return self._performed(observe, self._params("", options))

    def shift(self, **options: t.Any) -> dict[str, t.Any]:
        return self._performed(next_act, self._params("next", options))

    def info(self, **options: t.Any) -> dict[str, t.Any]:
        return show(self.ledger, {"service": self.service, **options})

    def phases(self) -> dict[str, str]:
        return {host["host"]: host["phase"] for host in self.info()["hosts"]}

    def _performed(self, operation: dispatch.Operation, params: dict[str, t.Any]) -> dict[str, t.Any]:
        return dispatch.performed(self.ledger, operation, params)

    def _params(self, state: str, options: dict[str, t.Any]) -> dict[str, t.Any]:
        return {"service": self.service, "state": state, "run": self.run, "token": self.token, **options}


def fleet(count: int, zones: t.Sequence[str] = ("",), version: str = "1.0.0") -> list[dict[str, t.Any]]:
    """app1 to appN, healthy on one version, spread over the zones in turn."""
    return [
        {"name": f"app{number}", "zone": zones[(number - 1) % len(zones)], "healthy": True, "version": version}
        for number in range(1, count + 1)
    ]


def pool(hosts: t.Iterable[dict[str, t.Any]], node: str = "lb1", **others: dict[str, t.Any]) -> dict[str, t.Any]:
    """A balancer node that has all hosts in rotation, except as *others* say."""
    members = {host["name"]: {"admin": "in_service", "operational": "up", "in_rotation": True} for host in hosts}
    for name, changes in others.items():
        members[name] = {**members.get(name, {}), **changes}
    return {"host": node, "members": members}


DRAINED = {"admin": "drained", "operational": "up", "in_rotation": False}
DOWN = {"admin": "in_service", "operational": "down", "in_rotation": False}
UP = {"admin": "in_service", "operational": "up", "in_rotation": True}
