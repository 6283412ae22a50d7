# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that has the sessions which all workers of a run share, and that passes their requests on.

Every worker calls every load balancer. One session for all of them instead of one for each spares the run, and the
balancer's host, the start of an ssh and of a Python process for each. What a worker that is gone waits for is cut.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils import controller, detached
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import protocol, slots
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import HostExecutor
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.pipes import Closed
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.session import Session, SessionEnded
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.shared_client import READY, Socket, path_of

WAITING = 128
"""Workers that may be waiting to be connected."""
READS_WITHIN = 5
"""Seconds that a worker may leave an answer unread. One that has been suspended must not hold up the others."""
POLL_INTERVAL = 0.2


def start(executors: Executors, hosts: t.Iterable[str]) -> None:
    """Shares the sessions with those of *hosts* that have one, until the run ends. Where it cannot, nobody shares."""
    shared = [one for one in (_shared(executors, host) for host in hosts) if one]
    if shared:
        detached.start(lambda: _serve(shared))
    for one in shared:
        # Whoever connects must notice when the process that serves has ended.
        one.listener.close()


def _shared(executors: Executors, host: str) -> Shared | None:
    try:
        executor = executors.on(host)
        return Shared(executor, _listener(executor.identity)) if executor.kind == "session" else None
    except (RolloutError, AnsibleError, OSError):
        return None


def _listener(identity: str) -> socket.socket:
    """Raises OSError where another one listens: that of the service before, in a release of several."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(path_of(identity))
        listener.listen(WAITING)
    except (OSError, slots.NotPrivate):
        listener.close()
        raise
    return listener


def _serve(shared: t.Sequence[Shared]) -> None:
    for one in shared:
        threading.Thread(target=one.serve, daemon=True).start()
    while not controller.has_ended():
        time.sleep(POLL_INTERVAL)


class Shared:
    """The session with one host, and who connects to use it."""

    def __init__(self, executor: HostExecutor, listener: socket.socket) -> None:
        self._executor = executor
        self.listener = listener

    def serve(self) -> None:
        """Until the host cannot be reached. From then on each worker finds out by itself whether it can."""
        try:
            while self._session():
                connection, _address = self.listener.accept()
                self._serve_one(connection)
        except (RolloutError, AnsibleError, OSError):
            pass
        finally:
            self.listener.close()

    def _serve_one(self, connection: socket.socket) -> None:
        session = self._session()
        if session:
            threading.Thread(target=Worker(connection, session).serve, daemon=True).start()
        else:
            connection.close()

    def _session(self) -> Session | None:
        """Opened again where it has ended."""
        return self._executor.session()


class Worker:
    """One that has connected, its requests and what they are called in the session."""

    def __init__(self, connection: socket.socket, session: Session) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", READS_WITHIN, 0))
        self._channel = Socket(connection)
        self._session = session
        self._numbers: dict[int, int] = {}

    def serve(self) -> None:
        """Until the worker closes the connection or ends, or the session does."""
        end = self._session.number()
        try:
            self._session.await_end(end, self._pass_on_the_end)
            self._send(READY + b"\n")
            self._read()
        except SessionEnded as ended:
            self._say({"ended": str(ended)})
        finally:
            self._session.forget(end)
            for number in list(self._numbers.values()):
                self._session.cut(number)
            self._channel.close()

    def _read(self) -> None:
        with contextlib.suppress(Closed):
            while True:
                for line in self._channel.lines(None):
                    self._handle(json.loads(line))

    def _handle(self, message: dict[str, t.Any]) -> None:
        if "ping" in message:
            self._say({"pong": message["ping"]})
            return
        number = message.pop("id")
        self._numbers[number] = self._session.number()
        self._session.begin(self._numbers[number], message, lambda answer: self._answer(number, answer))

    def _answer(self, number: int, answer: dict[str, t.Any] | None) -> None:
        self._numbers.pop(number, None)
        if answer is not None:
            self._say({**answer, "id": number})

    def _pass_on_the_end(self, _answer: dict[str, t.Any] | None) -> None:
        self._say({"ended": self._session.ended})

    def _say(self, message: t.Mapping[str, t.Any]) -> None:
        self._send(protocol.line(message))

    def _send(self, line: bytes) -> None:
        """To one that does not read nothing more is sent: half a line would have arrived."""
        try:
            self._channel.write(line)
        except Closed:
            self._channel.hang_up()
