# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Becoming another user at the start of a session, as Ansible's connection plugins do it; no I/O."""

from __future__ import annotations

import enum
import typing as t


class Become(t.Protocol):
    """What is used of Ansible's become plugins."""

    name: str
    success: str

    def expect_prompt(self) -> bool: ...
    def check_password_prompt(self, b_output: bytes) -> bool: ...
    def check_incorrect_password(self, b_output: bytes) -> bool: ...
    def check_missing_password(self, b_output: bytes) -> bool: ...


class Step(enum.Enum):
    WAIT = "wait for more output"
    SEND_PASSWORD = "send the password"
    DONE = "the other user"
    WRONG_PASSWORD = "the password is wrong"
    NO_PASSWORD = "a password is needed"


class Escalation:
    """Says from the output so far what is to be done next."""

    def __init__(self, become: Become) -> None:
        self._become = become
        self._sent = False
        self._out = self._err = b""

    @property
    def rest(self) -> bytes:
        """What followed the mark of success on standard output."""
        return self._out.partition(self._become.success.encode())[2].lstrip(b"\r").removeprefix(b"\n")

    def saw(self, out: bytes = b"", err: bytes = b"") -> Step:
        self._out += out
        self._err += err
        if self._become.success.encode() + b"\n" in self._out.replace(b"\r", b""):
            return Step.DONE
        said = self._out.splitlines(True) + self._err.splitlines(True)
        if any(self._become.check_incorrect_password(line) for line in said):
            return Step.WRONG_PASSWORD
        if any(self._become.check_missing_password(line) for line in said):
            return Step.NO_PASSWORD
        if self._become.expect_prompt() and any(self._become.check_password_prompt(line) for line in said):
            if self._sent:
                return Step.WRONG_PASSWORD
            self._sent = True
            self._out = self._err = b""
            return Step.SEND_PASSWORD
        return Step.WAIT
