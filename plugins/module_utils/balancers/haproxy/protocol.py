# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""HAProxy's command line over a unix or TCP socket: one connection a question, several commands in it.

A connection that is kept would go on asking the old process after a reload, and would take one of the ten
places that HAProxy has for it; a new one costs 0.1 ms.
"""

from __future__ import annotations

import os
import re
import socket
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

# A command longer than HAProxy's buffer (16 kB unless tuned down) resets the connection.
LONGEST_BATCH = 8000
LARGEST_REPLY = 16 * 1024 * 1024
"""Bytes; ten thousand servers come to half of it."""
LEVEL_HINT = "the socket's level is operator or user; add 'level admin' to its 'stats socket' line"


class TooLong(OSError):
    """More than any HAProxy says came."""


class Cli(t.Protocol):
    """Something that answers HAProxy's commands."""

    where: str

    def ask(self, commands: t.Sequence[str]) -> list[str]:
        """One reply for each command, without its closing empty line."""


class Address(t.NamedTuple):
    """Where a socket is: a path, or host and port."""

    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


def parse_address(text: str, option: str) -> Address:
    """Reads '/path', 'unix:/path', 'host:port', 'tcp://host:port' and '[::1]:port'; raises InputError."""
    plain = re.sub(r"^(tcp://|unix://|unix:|unix@|ipv[46]@)", "", text.strip())
    if plain.startswith("/"):
        return Address(path=plain)
    match = re.match(r"(?:\[([0-9a-fA-F:.%]+)\]|([^\s:/\[\]]+)):([0-9]{1,5})\Z", plain)
    if not match or not 0 < int(match.group(3)) < 65536:
        raise InputError(
            f"{option}: '{text}' is neither the absolute path of a unix socket nor 'host:port'; "
            "for example /run/haproxy/admin.sock or tcp://10.0.0.1:9999."
        )
    return Address(host=match.group(1) or match.group(2), port=int(match.group(3)))


class SocketCli:
    """The command line behind a socket.

    *timeout* in seconds bounds each question from connecting to the last byte of the answer. *half_close* ends
    our side after sending: the master's socket waits for that, a worker's closes by itself.
    """

    def __init__(self, address: Address, where: str, timeout: float, half_close: bool = False) -> None:
        self.address = address
        self.where = where
        self.timeout = timeout
        self.half_close = half_close

    def ask(self, commands: t.Sequence[str]) -> list[str]:
        replies: list[str] = []
        for batch in batches(commands):
            text = self._exchange(";".join(batch) + "\n")
            answered = split_replies(text)
            if len(answered) != len(batch):
                raise Unreachable(
                    f"{self.where}: HAProxy closed the connection after {len(answered)} of {len(batch)} answers "
                    f"to '{batch[0]}'. If it was being reloaded, run again."
                )
            replies += map(without_severity, answered)
        return replies

    def _exchange(self, line: str) -> str:
        deadline = time.monotonic() + self.timeout
        try:
            with self._connect(deadline) as stream:
                stream.settimeout(_left(deadline))
                stream.sendall(line.encode())
                if self.half_close:
                    stream.shutdown(socket.SHUT_WR)
                return _read_all(stream, deadline).decode("utf-8", "replace")
        except TooLong as error:
            raise RolloutError(f"{self.where}: {error}") from None
        except OSError as error:
            raise Unreachable(f"{self.where}: {self._explain(error)}") from error

    def _connect(self, deadline: float) -> socket.socket:
        if not self.address.path:
            return socket.create_connection((self.address.host, self.address.port), timeout=_left(deadline))
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            stream.settimeout(_left(deadline))
            stream.connect(self.address.path)
        except BaseException:
            stream.close()
            raise
        return stream

    def _explain(self, error: OSError) -> str:
        if isinstance(error, socket.timeout):
            return f"HAProxy did not answer within {self.timeout:g} s. Is the process alive and the host reachable?"
        if isinstance(error, FileNotFoundError):
            return "no such socket. Is HAProxy running, and is this the path of its 'stats socket' line?"
        if isinstance(error, PermissionError):
            return f"uid {os.geteuid()} may not open the socket. Use become, or the 'user' and 'mode' of its line."
        if isinstance(error, ConnectionRefusedError):
            return "connection refused: nothing listens there. Is HAProxy running?"
        return f"cannot talk to HAProxy: {error.strerror or error}."


def _read_all(stream: socket.socket, deadline: float) -> bytes:
    received: list[bytes] = []
    size = 0
    while True:
        stream.settimeout(_left(deadline))
        chunk = stream.recv(262144)
        if not chunk:
            return b"".join(received)
        received.append(chunk)
        size += len(chunk)
        if size > LARGEST_REPLY:
            raise TooLong(f"the answer is longer than {LARGEST_REPLY} bytes. Is this HAProxy's socket?")


def _left(deadline: float) -> float:
    """Seconds until the end of a question; raises socket.timeout after it."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise socket.timeout()
    return left


def batches(commands: t.Sequence[str]) -> t.Iterator[list[str]]:
    """Cuts commands into lines that HAProxy's buffer holds."""
    batch: list[str] = []
    size = 0
    for command in commands:
        if batch and size + len(command) + 1 > LONGEST_BATCH:
            yield batch
            batch, size = [], 0
        batch.append(command)
        size += len(command) + 1
    if batch:
        yield batch


def split_replies(text: str) -> list[str]:
    """Every reply ends with an empty line; one that was cut off is left out."""
    replies = []
    lines: list[str] = []
    for line in text.split("\n")[:-1]:
        if line.strip():
            lines.append(line)
        else:
            replies.append("\n".join(lines))
            lines = []
    return replies


def without_severity(reply: str) -> str:
    """A socket with 'severity-output' puts '[3]:' or '[err]:' before what it has to say."""
    return re.sub(r"^\[\w+\]:\s*", "", reply)


def expect_silence(where: str, command: str, reply: str) -> None:
    """Raises RolloutError unless *reply* is what success looks like: nothing."""
    if not reply.strip():
        return
    hint = f": {LEVEL_HINT}." if "permission denied" in reply.lower() else "."
    raise RolloutError(f"{where}: HAProxy answered '{first_line(reply)}' to '{command}'{hint}")


def first_line(reply: str) -> str:
    return reply.strip().split("\n")[0].rstrip(".")
