# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""As much of Redis's protocol as is needed here: commands of texts, one after the other, each under a deadline."""

from __future__ import annotations

import contextlib
import socket
import ssl
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.http.exchange import Address, Deadline, in_words

LONGEST = 1024 * 1024
"""Bytes of one text."""
LONGEST_LINE = 4096
MOST_ELEMENTS = 100_000
DEEPEST = 4
MEANINGS = {
    "NOAUTH": "it requires a password; give {0}password",
    "WRONGPASS": "user or password is wrong; correct {0}user and {0}password",
    "NOPERM": "this user may not do that; permit it with ACL SETUSER",
    "OOM": "it has no memory left for writes; free some, or raise maxmemory",
    "READONLY": "it is a replica and takes no writes; give the address of the primary",
    "MISCONF": "it refuses writes because it cannot save to disk; check its log",
    "LOADING": "it is still loading its data; try again",
    "MOVED": "it is a cluster, which is not supported; use a server of its own for flags",
    "ERR invalid password": "user or password is wrong; correct {0}user and {0}password",
}
"""How errors begin, and what to do; options follow the words that lead to them."""

Reply = t.Union[str, int, None, t.List["Reply"]]


class Refused(RolloutError):
    """The server answered with an error."""


class Connection:
    """A context manager; connects at its beginning. *option* is what messages put before the names of options."""

    def __init__(
        self, where: str, address: Address, tls: ssl.SSLContext | None, timeout: float, option: str = "system."
    ) -> None:
        self._where = where
        self._address = address
        self._tls = tls
        self._timeout = timeout
        self._option = option
        self._socket: socket.socket | None = None
        self._unread = b""

    def __enter__(self) -> Connection:
        deadline = Deadline(self._timeout)
        with self._worded():
            self._socket = self._address.connect(deadline)
            if self._tls is not None:
                self._socket.settimeout(deadline.left())
                self._socket = self._tls.wrap_socket(self._socket, server_hostname=self._address.host)
        return self

    def __exit__(self, *_problem: t.Any) -> None:
        if self._socket is not None:
            self._socket.close()

    def ask(self, *words: str) -> Reply:
        """The answer to one command; raises Refused where it is an error and Unreachable where none comes."""
        deadline = Deadline(self._timeout)
        with self._worded():
            if self._socket is None:
                raise OSError("not connected")
            self._socket.settimeout(deadline.left())
            self._socket.sendall(encoded(words))
            return self._reply(deadline, 0)

    @contextlib.contextmanager
    def _worded(self) -> t.Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            raise Unreachable(f"{self._where}: {in_words(error, self._timeout)}.", kind="flags_unreachable") from error

    def _reply(self, deadline: Deadline, depth: int) -> Reply:
        line = self._line(deadline)
        kind, rest = line[:1], line[1:]
        if kind == "-":
            raise self._refused(rest)
        if kind == "+":
            return rest
        if kind == ":":
            return int(rest)
        if kind == "$":
            return self._text(int(rest), deadline)
        if kind == "*" and depth < DEEPEST and int(rest) <= MOST_ELEMENTS:
            return [self._reply(deadline, depth + 1) for dummy in range(int(rest))]
        raise ValueError("it does not speak Redis's protocol")

    def _refused(self, text: str) -> Refused:
        meaning = next((words for begin, words in MEANINGS.items() if text.startswith(begin)), "").format(self._option)
        return Refused(
            f"{self._where}: refused the command: {meaning or text[:200]}."
            + (f" The server replied: {text[:200]}" if meaning else ""),
            kind="flags_refused",
        )

    def _text(self, length: int, deadline: Deadline) -> str | None:
        if length < 0:
            return None
        if length > LONGEST:
            raise ValueError(f"a text of {length} bytes, more than {LONGEST}")
        while len(self._unread) < length + 2:
            self._receive(deadline)
        text, self._unread = self._unread[:length], self._unread[length + 2 :]
        return text.decode("utf-8", "replace")

    def _line(self, deadline: Deadline) -> str:
        while b"\r\n" not in self._unread:
            if len(self._unread) > LONGEST_LINE:
                raise ValueError("it does not speak Redis's protocol")
            self._receive(deadline)
        line, _end, self._unread = self._unread.partition(b"\r\n")
        return line.decode("utf-8", "replace")

    def _receive(self, deadline: Deadline) -> None:
        if self._socket is None:
            raise OSError("not connected")
        self._socket.settimeout(deadline.left())
        more = self._socket.recv(65536)
        if not more:
            raise ConnectionResetError("closed")
        self._unread += more


def encoded(words: t.Sequence[str]) -> bytes:
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        raw = word.encode("utf-8", "replace")
        parts += [f"${len(raw)}\r\n".encode(), raw, b"\r\n"]
    return b"".join(parts)
