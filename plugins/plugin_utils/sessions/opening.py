# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a session: starts the other end, becomes the user, sends the runner where it is missing."""

from __future__ import annotations

import dataclasses
import os
import secrets
import subprocess
import time
import typing as t

from ansible.plugins.become import BecomeBase

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import payload, protocol, starting
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.escalation import Escalation, Step
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.pipes import Closed, Pipes
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.ssh import CannotOpen

LIMIT = 60.0
"""Seconds for a session to open, from the start of its process; unpacking the runner takes a slow host some."""
ATTEMPTS = 5
OF_SSH = 255
"""The exit code of ssh itself; any other is that of what ran there."""


class CannotServe(Exception):
    """The host answers, but no session can be had; the module may still run. Says why."""


class TooSlow(CannotServe):
    """Nothing was heard for as long as may be waited."""


class WrongPassword(Exception):
    """Another attempt would fail too, and may lock the account."""


class HasLink(t.Protocol):
    def start(self, command: str, skip: t.Collection[int] = ()) -> tuple[subprocess.Popen[bytes], int, int]:
        """Runs *command* there; returns the process, the held place's file and the number of the connection."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Opened:
    pipes: Pipes
    place: int
    """The open file of the place that is held among the sessions of one connection."""
    why_not_kept: str
    """Why the runner had to be sent and will have to be again; empty where it is kept."""


@dataclasses.dataclass(frozen=True)
class Opening:
    """All that it takes to open a session to one host."""

    link: HasLink
    interpreters: t.Sequence[str]
    env_prefix: str
    become: BecomeBase | None
    shell: t.Any
    limit: float = LIMIT

    def open(self) -> Opened:
        """Tries again where a connection broke or was full; raises CannotOpen, CannotServe or WrongPassword."""
        full: set[int] = set()
        tried = False
        for attempt in range(ATTEMPTS):
            text, command = self._command(tried)
            process, place, number = self.link.start(command, full)
            try:
                return _negotiated(process, place, text, self.become, _Deadline(self.limit))
            except Closed as closed:
                _abandon(process, place)
                if closed.code != OF_SSH and len(self.interpreters) > 1 and not tried:
                    tried = True  # The first that is there is too old, or does not start.
                elif closed.code != OF_SSH:
                    raise CannotServe(closed.said or f"the session ended with exit code {closed.code}") from None
                elif "refused by peer" in closed.said:
                    full.add(number)
                elif attempt == ATTEMPTS - 1:
                    raise CannotOpen(closed.said) from None
                else:
                    time.sleep(0.1 * 2**attempt)
            except BaseException:
                _abandon(process, place)
                raise
        raise CannotOpen("all connections to the host are full")

    def _command(self, tried: bool) -> tuple[_Start, str]:
        start = _Start.new()
        line = starting.command(self.interpreters, len(start.text), self.env_prefix, tried)
        if self.become is None:
            return start, starting.in_shell(line)
        return start, starting.in_shell(self.become.build_become_command(starting.in_shell(line), self.shell))


@dataclasses.dataclass(frozen=True)
class _Start:
    nonce: str
    text: bytes

    @classmethod
    def new(cls) -> _Start:
        sent = payload.payload()
        nonce = secrets.token_hex(8)
        call = f"\nmain({nonce!r}, {sent.digest!r}, {len(sent.content)}, {payload.SERVE!r})\n"
        return cls(nonce, (sent.bootstrap + call).encode())


class _Deadline:
    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._at = time.monotonic() + limit

    def left(self, what: str) -> float:
        left = self._at - time.monotonic()
        if left <= 0:
            raise TooSlow(f"{what} within {self._limit:g} s")
        return left


def _abandon(process: subprocess.Popen[bytes], place: int) -> None:
    pipes = Pipes(process)
    pipes.hang_up(patience=0.1)
    pipes.close()
    os.close(place)


def _negotiated(
    process: subprocess.Popen[bytes], place: int, start: _Start, become: BecomeBase | None, deadline: _Deadline
) -> Opened:
    pipes = Pipes(process)
    if become is not None:
        _escalate(pipes, become, deadline)
    pipes.write(start.text)
    said = _greeting(pipes, start.nonce, deadline)
    if said["state"] == "need":
        pipes.write(payload.payload().content)
        said = _greeting(pipes, start.nonce, deadline)
    if said["state"] != "ready":
        raise CannotServe(str(said.get("why", "the runner does not start there")))
    return Opened(pipes, place, str(said.get("why_not_kept") or ""))


def _escalate(pipes: Pipes, become: BecomeBase, deadline: _Deadline) -> None:
    escalation = Escalation(become)
    step = Step.WAIT
    while step is not Step.DONE:
        step = escalation.saw(*pipes.read(deadline.left(f"{become.name} does not answer")))
        if step is Step.SEND_PASSWORD:
            pipes.write(str(become.get_option("become_pass")).encode() + b"\n")
        elif step is Step.WRONG_PASSWORD:
            raise WrongPassword(f"{become.name} does not accept the password")
        elif step is Step.NO_PASSWORD:
            raise WrongPassword(f"{become.name} asks for a password and none is set (ansible_become_password)")
    pipes.rest = escalation.rest


def _greeting(pipes: Pipes, nonce: str, deadline: _Deadline) -> dict[str, t.Any]:
    lines: list[bytes] = []
    while True:
        for number, line in enumerate(lines):
            said = protocol.greeting(line, nonce)
            if said:
                pipes.rest = b"".join(one + b"\n" for one in lines[number + 1 :]) + pipes.rest
                return said
        lines = pipes.lines(deadline.left("Python does not start there"))
