# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One session for several workers: real sockets, and a scripted process at the other end."""

from __future__ import annotations

import json
import pathlib
import socket
import subprocess
import sys
import threading
import time
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import protocol, shared_client, shared_server
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.pipes import Pipes
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.session import Session, SessionEnded
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.shared_server import Shared

OTHER_END = """
import json, os, sys
log = open(sys.argv[1], "a")
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(asked), file=log, flush=True)
    if asked.get("core") == "end:it":
        sys.exit("the host has gone")
    said = {"pong": asked["ping"]} if "ping" in asked else {"id": asked.get("id"), "result": {"pid": os.getpid()}}
    if asked.get("core") not in ("never:answered", None) or "ping" in asked:
        print(json.dumps(said), flush=True)
"""
"""Answers with its process id, notes what it is asked, and never answers one core."""


class Host:
    """Whatever HostExecutor does, for one host and with the scripted process."""

    kind = "session"
    identity = "app"

    def __init__(self, log: pathlib.Path) -> None:
        self._log = log
        self._session: Session | None = None
        self.is_reachable = True
        self.opened = 0

    def session(self, timeout: float | None = None) -> Session | None:
        if self._session is None or self._session.ended:
            if not self.is_reachable:
                raise OSError("no route to host")
            argv = [sys.executable, "-c", OTHER_END, str(self._log)]
            pipe = subprocess.PIPE
            self._session = Session(Pipes(subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe)))
            self.opened += 1
        return self._session

    def close(self) -> None:
        if self._session:
            self._session.close()

    def heard(self) -> list[dict[str, t.Any]]:
        if not self._log.exists():
            return []
        return [json.loads(line) for line in self._log.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(autouse=True)
def directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_client.slots, "run_directory", lambda: str(tmp_path))


@pytest.fixture
def host(tmp_path: pathlib.Path) -> t.Iterator[Host]:
    made = Host(tmp_path / "log")
    yield made
    made.close()


@pytest.fixture
def shared(host: Host) -> t.Iterator[Host]:
    listener = shared_server._listener(host.identity)
    threading.Thread(target=Shared(t.cast(t.Any, host), listener).serve, daemon=True).start()
    yield host
    listener.close()


def joined(host: Host) -> Session:
    found = shared_client.join(host.identity)
    assert found is not None
    return found


def ask(session: Session, core: str = "a:b", timeout: float = 30.0) -> dict[str, t.Any]:
    return session.call(protocol.request(core, {}, [], False, False), timeout)


def waits_for_ever(shared: Host, session: Session) -> None:
    """Returns when the request has arrived."""
    before = len(shared.heard())
    session.begin(session.number(), protocol.request("never:answered", {}, [], False, False), lambda _answer: None)
    awaited(lambda: len(shared.heard()) > before)


def ask_without_end(worker: socket.socket) -> None:
    for number in range(1, 100_000):
        worker.sendall(protocol.request_line(number, protocol.request("a:b", {}, [], False, False)))


def awaited(is_true: t.Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ended_of(session: Session) -> str:
    awaited(lambda: bool(session.ended))
    return session.ended


def test_each_worker_opened_a_session_of_its_own_with_every_balancer(shared: Host) -> None:
    workers = [joined(shared) for _number in range(3)]
    assert len({ask(one)["result"]["pid"] for one in workers}) == 1
    assert shared.opened == 1
    for one in workers:
        one.close()


def test_answers_go_to_whoever_asked(shared: Host) -> None:
    first, second = joined(shared), joined(shared)
    waits_for_ever(shared, first)
    assert ask(second)["id"] == 1
    first.close()
    second.close()


def test_what_a_worker_that_is_gone_waits_for_is_cut_and_nothing_else(shared: Host) -> None:
    gone, stays = joined(shared), joined(shared)
    waits_for_ever(shared, gone)
    (doomed,) = [one["id"] for one in shared.heard()]
    waits_for_ever(shared, stays)
    gone.close()
    awaited(lambda: any("cut" in one for one in shared.heard()))
    ask(stays)
    assert [one["cut"] for one in shared.heard() if "cut" in one] == [doomed]
    stays.close()


def test_the_end_of_the_host_is_passed_on_to_workers_that_wait_for_nothing(shared: Host) -> None:
    idle, asks = joined(shared), joined(shared)
    with pytest.raises(SessionEnded) as caught:
        ask(asks, "end:it")
    assert str(caught.value) == "the host has gone"
    assert ended_of(idle) == "the host has gone"


def test_a_session_that_ended_is_opened_again_for_the_next_worker(shared: Host) -> None:
    with pytest.raises(SessionEnded):
        ask(joined(shared), "end:it")
    again = joined(shared)
    assert "result" in ask(again)
    assert shared.opened == 2
    again.close()


def test_a_host_that_cannot_be_reached_again_is_left_to_each_worker(shared: Host) -> None:
    first = joined(shared)
    shared.is_reachable = False
    with pytest.raises(SessionEnded):
        ask(first, "end:it")
    assert shared_client.join(shared.identity) is None
    assert shared_client.join(shared.identity) is None


def test_nothing_is_joined_where_nothing_is_shared() -> None:
    assert shared_client.join("nobody") is None


def test_the_end_of_the_process_that_shares_is_one_clear_reason(host: Host) -> None:
    listener = shared_server._listener(host.identity)

    def serve() -> None:
        connection, _address = listener.accept()
        connection.sendall(b"ready\n")
        connection.recv(65536)
        connection.close()
        listener.close()

    threading.Thread(target=serve, daemon=True).start()
    session = joined(host)
    with pytest.raises(SessionEnded) as caught:
        ask(session)
    assert str(caught.value) == "the process that shares its session with the workers of this run has ended"
    assert shared_client.join(host.identity) is None
    session.close()


def test_a_worker_that_reads_nothing_held_up_the_others(shared: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_server, "READS_WITHIN", 1)
    deaf = socket.socket(socket.AF_UNIX)
    deaf.connect(shared_client.path_of(shared.identity))
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    deaf.settimeout(10)
    with pytest.raises(BrokenPipeError):
        ask_without_end(deaf)
    hears = joined(shared)
    assert "result" in ask(hears)
    hears.close()
    deaf.close()


def test_a_session_that_had_just_ended_was_taken_for_one_that_is_ready(host: Host) -> None:
    listener = shared_server._listener(host.identity)

    def serve() -> None:
        connection, _address = listener.accept()
        connection.sendall(protocol.line({"ended": "the host has gone"}))
        connection.close()

    threading.Thread(target=serve, daemon=True).start()
    assert shared_client.join(host.identity) is None
    listener.close()


def test_a_second_service_uses_the_session_of_the_first(shared: Host) -> None:
    with pytest.raises(OSError, match="Address already in use"):
        shared_server._listener(shared.identity)
