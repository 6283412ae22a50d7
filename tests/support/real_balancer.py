# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the contract suite asks of a load balancer that it starts: the same few words for every backend.

A new backend is a subclass with its name in STARTERS of tests/integration/contract/conftest.py. It has three pools:

    shop   app1 to app4, for all paths but
    other  the same processes again, for paths under OTHER
    wide   w1 to w51, which get no traffic and need no process
    green  app4, for requests that a route sends there
"""

from __future__ import annotations

import abc
import contextlib
import os
import pathlib
import threading
import typing as t

from support.haproxy import App, Member, fetch, wait_until

SHOP = tuple(f"app{number}" for number in range(1, 5))
WIDE = tuple(f"w{number}" for number in range(1, 52))
OTHER = "/other/"
NOBODY = 65534
HELD = "/slow?held"
HELD_AT_MOST = 25.0


class Denial(t.NamedTuple):
    """How changes are denied: by other settings, or to a user id who makes the call."""

    settings: dict[str, t.Any]
    uid: int | None = None


class RealBalancer(abc.ABC):
    """One node, running between start() and stop()."""

    backend: t.ClassVar[str]
    cannot: t.ClassVar[t.Mapping[str, str]] = {}
    """Cases of the suite that this backend cannot pass, with the reason."""
    closes_idle_on_change: t.ClassVar[bool] = False
    """Whether a change closes idle connections of clients, who then see a reset where they had just sent a request."""

    closes_idle_on_reload: t.ClassVar[bool] = False
    """The same for a route or page, which may take a reload where a change of members takes none."""
    says_retry_after: t.ClassVar[bool] = True
    """Whether its maintenance page can have that header."""
    green: t.ClassVar[str] = "green"
    """What the balancer calls that pool as the target of a route."""
    cookie: t.ClassVar[str] = "canary"
    """The cookie by which testers may be known to it, beside the header X-Canary."""

    port: int

    def log(self) -> str:
        """The setting request_log; empty for a backend that has none."""
        return ""

    def __init__(self, directory: pathlib.Path, make_member: t.Callable[[str], t.Any]) -> None:
        self.directory = directory
        self.members = {name: make_member(name) for name in SHOP}

    @classmethod
    def title(cls) -> str:
        """How results name it: with its version where several are tested."""
        return cls.backend

    @staticmethod
    @abc.abstractmethod
    def missing() -> str:
        """What to install before it can be started, or an empty string."""

    @abc.abstractmethod
    def start(self) -> None:
        """Returns once both pools answer."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Ends every process that it started, the members too."""

    @abc.abstractmethod
    def reload(self) -> None:
        """As its operator would; returns once new requests go to what was reloaded."""

    @abc.abstractmethod
    def restart(self) -> None:
        """Stops and starts it, members left alone; returns once both pools answer."""

    @abc.abstractmethod
    def settings(self, pool: str = "shop") -> dict[str, t.Any]:
        """The option ``balancer``."""

    @abc.abstractmethod
    def silent_settings(self) -> dict[str, t.Any]:
        """The same where no node answers."""

    @abc.abstractmethod
    def denied(self) -> contextlib.AbstractContextManager[Denial]:
        """Changes are denied meanwhile."""

    def routing_settings(self) -> dict[str, t.Any]:
        """The same for a route of testers or a maintenance page in front of 'shop'."""
        return self.settings()

    @contextlib.contextmanager
    def routing_denied(self) -> t.Iterator[Denial]:
        """Changes of routes and pages are denied meanwhile."""
        with self.denied() as denial:
            yield Denial(self._routing_where(denial.settings), denial.uid)

    def routing_silent(self) -> dict[str, t.Any]:
        """routing_settings() where no node answers."""
        return self._routing_where(self.silent_settings())

    def _routing_where(self, settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """routing_settings() with what is different in *settings* from the usual ones."""
        usual = self.settings()
        return {**self.routing_settings(), **{name: one for name, one in settings.items() if one != usual.get(name)}}

    def as_shown(self, body: str) -> str:
        """What clients see of a page's text."""
        return body

    def name(self, member: str, pool: str = "shop") -> str:
        """What the balancer calls a member."""
        return member

    def new_name(self, port: int) -> str:
        """What a member may be called that is added, at that port of this machine."""
        return f"app{len(SHOP) + 1}"

    def place(self, pool: str = "shop") -> tuple[int, str]:
        """Port and path of a pool."""
        return self.port, OTHER if pool == "other" else "/"

    def answered_by(self, pool: str = "shop", requests: int = 20) -> set[str]:
        """Who answered that many requests, each on its own connection; raises where one failed."""
        answers = [fetch(*self.place(pool)) for dummy in range(requests)]
        failed = [answer for answer in answers if answer[0] != 200]
        if failed:
            raise AssertionError(f"{len(failed)} of {requests} requests failed: {failed[0]}")
        return {body for dummy, body in answers}

    def await_answers(self) -> None:
        wait_until(self._answers, f"{self.backend} answers for both pools")

    def _answers(self) -> bool:
        try:
            return all(fetch(*self.place(pool))[0] == 200 for pool in ("shop", "other"))
        except OSError:
            return False

    def stop_members(self) -> None:
        for member in self.members.values():
            member.stop()


class _CountingApp(App):
    def do_GET(self) -> None:
        slow = self.path.startswith("/slow")
        server = t.cast("BusyMember", self.server)
        server.count(slow)
        try:
            if self.path == HELD:
                server.let_go.wait(HELD_AT_MOST)
            super().do_GET()
        finally:
            server.count(-slow)


class BusyMember(Member):
    """A member that knows how many of its slow requests are in flight."""

    def __init__(self, name: str) -> None:
        self.in_flight = 0
        self.let_go = threading.Event()
        self._counting = threading.Lock()
        super().__init__(name)
        self.RequestHandlerClass = _CountingApp

    def count(self, change: int) -> None:
        with self._counting:
            self.in_flight += change


class SlowRequests:
    """Requests of *seconds* each, or held until finish(), sent until one of them is in flight to *member*."""

    def __init__(self, balancer: RealBalancer, member: str, seconds: float | None = None) -> None:
        self._balancer = balancer
        self._path = HELD if seconds is None else f"/slow?seconds={seconds}"
        self._statuses: list[int] = []
        self._threads: list[threading.Thread] = []
        wanted = balancer.members[member]
        before = wanted.in_flight
        for _number in range(10 * len(SHOP)):
            self._send_one()
            if wanted.in_flight > before:
                return
        raise AssertionError(f"no request of {len(self._threads)} reached {member}")

    def finish(self) -> set[int]:
        """Waits for all answers and returns their statuses, 0 for none."""
        for member in self._balancer.members.values():
            member.let_go.set()
        for thread in self._threads:
            thread.join(30)
        return set(self._statuses)

    def _send_one(self) -> None:
        members = self._balancer.members.values()
        before = sum(member.in_flight for member in members)
        thread = threading.Thread(target=self._run, daemon=True)
        self._threads.append(thread)
        thread.start()
        wait_until(lambda: sum(member.in_flight for member in members) > before, "a slow request is in flight")

    def _run(self) -> None:
        try:
            self._statuses.append(fetch(self._balancer.port, self._path)[0])
        except OSError:
            self._statuses.append(0)


@contextlib.contextmanager
def read_only(directory: pathlib.Path) -> t.Iterator[int | None]:
    """Nobody may write into a directory: root's calls are made as another user, others find it read-only."""
    if os.geteuid() == 0:
        yield NOBODY
        return
    mode = directory.stat().st_mode
    directory.chmod(0o555)
    try:
        yield None
    finally:
        directory.chmod(mode)
