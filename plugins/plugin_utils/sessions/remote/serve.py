# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other end of a session: executes cores that the controller asks for, one JSON object a line each way.

    controller: {"id": 1, "core": "module:function", "params": {}, "paths": [], "check_mode": false, "diff": false}
    here:       {"id": 1, "result": {}, "warnings": []}, or "error" or "crash" in the place of "result"
    controller: {"cut": 1}     nobody waits for the answer any more
    controller: {"ping": 1}
    here:       {"pong": 1}

It ends when the controller's end of the channel is closed, and when nothing was received for SILENCE seconds: the
controller pings more often than that. A change in progress is finished first; a wait, such as that for a drain,
is cut. Python 3.8 and its standard library.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import sys
import threading
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import in_progress
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote.answering import answer
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote.programs import PROGRAMS

SILENCE = 60.0
"""Seconds without a word after which the controller counts as gone: its network may be cut without a sign of it."""
LAST_CHANGE = 300.0
"""Seconds that a change in progress may still take then; no longer than a restart by systemd."""
LAST_PROGRAMS = 2.0
"""Seconds for the programs that cores run to end then."""
LONGEST = 64 * 1024 * 1024
"""Bytes of one request."""
CORES = "ansible_collections.steady.rollout.plugins.module_utils."


class Refused(Exception):
    """A line that no controller of ours would send."""


class Service:
    """Reads requests, runs each in a thread of its own and writes the answers as they come."""

    def __init__(self, incoming: int, outgoing: int, silence: float = SILENCE) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._silence = silence
        self._buffer = b""
        self._writing = threading.Lock()
        self._nobody_waits: t.Dict[int, threading.Event] = {}

    def run(self) -> str:
        """Serves until the session is over; says why it is."""
        while True:
            ready, _to_write, _broken = select.select([self._incoming], [], [], self._silence)
            if not ready:
                return f"nothing was received for {self._silence:g} s"
            chunk = os.read(self._incoming, 65536)
            if not chunk:
                return "the channel is closed"
            self._buffer += chunk
            try:
                self._handle_lines()
            except Refused as error:
                return str(error)

    def _handle_lines(self) -> None:
        if b"\n" not in self._buffer:
            if len(self._buffer) > LONGEST:
                raise Refused("a request is too long")
            return
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            self._handle(line)

    def _handle(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            raise Refused("a request is not JSON") from None
        if not isinstance(message, dict):
            raise Refused("a request is not an object")
        if "ping" in message:
            self._write({"pong": message["ping"]})
        elif "cut" in message:
            self._cut(message["cut"])
        elif isinstance(message.get("id"), int):
            self._begin(message)
        else:
            raise Refused("a request has no number")

    def _begin(self, message: t.Dict[str, t.Any]) -> None:
        nobody_waits = self._nobody_waits[message["id"]] = threading.Event()
        threading.Thread(target=self._serve, args=(message, nobody_waits), daemon=True).start()

    def _cut(self, number: int) -> None:
        """Whoever asked for it is gone, and others that share this session are not."""
        nobody_waits = self._nobody_waits.get(number)
        if nobody_waits:
            nobody_waits.set()

    def _serve(self, message: t.Dict[str, t.Any], nobody_waits: threading.Event) -> None:
        try:
            with in_progress.served(nobody_waits):
                reply = self._answer(message)
            self._write({"id": message["id"], **reply})
        except OSError:
            pass  # Nobody listens any more; run() finds out by itself.
        except Exception as error:
            self._write({"id": message["id"], "crash": {"what": f"{type(error).__name__}: {error}", "traceback": ""}})
        finally:
            del self._nobody_waits[message["id"]]

    @staticmethod
    def _answer(message: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
        params = expanded(message["params"], message["paths"])
        return answer(found_core(message["core"]), params, bool(message["check_mode"]), bool(message["diff"]))

    def _write(self, message: t.Dict[str, t.Any]) -> None:
        line = json.dumps(message).encode() + b"\n"
        with self._writing:
            while line:
                line = line[os.write(self._outgoing, line) :]


def found_core(name: str) -> t.Callable[..., t.Dict[str, t.Any]]:
    """The function that *name* stands for; only the collection's own are run."""
    module, _colon, function = name.partition(":")
    if not module.startswith(CORES) or not function.isidentifier():
        raise Refused(f"{name} is none of the collection's cores")
    found: t.Callable[..., t.Dict[str, t.Any]] = getattr(importlib.import_module(module), function)
    return found


def expanded(params: t.Dict[str, t.Any], paths: t.Iterable[t.Sequence[t.Union[str, int]]]) -> t.Dict[str, t.Any]:
    """*params* with ``~`` and variables expanded in those options that are paths, as this user of this host has them."""
    for path in paths:
        place: t.Any = params
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = os.path.expanduser(os.path.expandvars(place[path[-1]]))
    return params


def main(incoming: int, outgoing: int) -> t.NoReturn:
    """Serves, and ends the process with the programs that unfinished calls are running.

    A service that a program has started stays.
    """
    PROGRAMS.apart = True
    try:
        Service(incoming, outgoing).run()
    finally:
        if in_progress.closed(LAST_CHANGE):
            PROGRAMS.end(LAST_PROGRAMS)
        os._exit(0)


if __name__ == "__main__":
    sys.exit("Started by a session only.")
