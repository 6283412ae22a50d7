# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker's way to a session that all workers of its run share."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import protocol, slots
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.pipes import Closed
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.session import Session

JOINED_WITHIN = 10.0
"""Seconds for the shared session to be there. Then a worker opens one of its own."""
READY = b"ready"
"""The first line, once there is a session."""
LOST = "the process that shares its session with the workers of this run has ended"


def join(identity: str, timeout: float | None = None) -> Session | None:
    """The shared session with the host, user and environment that *identity* stands for; None where there is none."""
    patience = JOINED_WITHIN if timeout is None else min(timeout, JOINED_WITHIN)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path_of(identity))
    except (OSError, slots.NotPrivate):
        connection.close()
        return None
    channel = Socket(connection)
    try:
        if channel.lines(patience) == [READY]:
            return Session(channel)
    except Closed:
        pass
    channel.close()
    return None


def path_of(identity: str) -> str:
    return os.path.join(slots.run_directory(), f"session-{identity}")


class Socket:
    """A session's channel through the process that shares it, which uses one for its own end, too."""

    def __init__(self, connection: socket.socket) -> None:
        self.rest = b""
        self._connection = connection
        self._writing = threading.Lock()

    def lines(self, seconds: float | None) -> list[bytes]:
        """Whole lines that have come; None for *seconds* waits for as long as it takes."""
        if seconds is not None and not select.select([self._connection], [], [], seconds)[0]:
            return []
        try:
            chunk = self._connection.recv(65536)
        except OSError:
            chunk = b""
        if not chunk:
            raise Closed(None, LOST)
        lines, self.rest = protocol.split_lines(self.rest + chunk)
        return lines

    def write(self, data: bytes, wait: bool = True) -> bool:
        """Writes all of *data*; False where somebody else is writing and *wait* is not set."""
        if not self._writing.acquire(blocking=wait):
            return False
        try:
            self._connection.sendall(data)
        except OSError:
            raise Closed(None, LOST) from None
        finally:
            self._writing.release()
        return True

    def hang_up(self) -> bool:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        return True

    def kill(self) -> None:
        self.hang_up()

    def close(self) -> None:
        self._connection.close()
