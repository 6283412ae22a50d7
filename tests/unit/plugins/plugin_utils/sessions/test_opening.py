# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a session is opened: which failure is tried again, which is another's, and which is final."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import types
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import opening, payload
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.opening import CannotServe, Opening, WrongPassword
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.ssh import CannotOpen

READY = """
import json, re, sys
text = ""
while "main(" not in text:
    text += sys.stdin.readline()
print("Welcome to this host")
print(json.dumps({"steady": re.search(r"main\\('([0-9a-f]+)'", text).group(1), "state": "ready"}), flush=True)
sys.stdin.read()
"""
CANNOT = READY.replace('"state": "ready"', '"state": "cannot", "why": "there is no room"')


def ending(code: int, said: str) -> str:
    return f"import sys; print({said!r}, file=sys.stderr); sys.exit({code})"


class Link:
    """Starts one program after the other, whatever the command is; the connection has the number of the attempt."""

    def __init__(self, *programs: str) -> None:
        self._programs = list(programs)
        self.commands: list[str] = []
        self.skipped: list[set[int]] = []

    def start(self, command: str, skip: t.Collection[int] = ()) -> tuple[subprocess.Popen[bytes], int, int]:
        self.commands.append(command)
        self.skipped.append(set(skip))
        pipe = subprocess.PIPE
        process = subprocess.Popen([sys.executable, "-c", self._programs.pop(0)], stdin=pipe, stdout=pipe, stderr=pipe)
        return process, os.open(os.devnull, os.O_RDONLY), len(self.commands) - 1


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    small = payload.Payload(b"", "0" * 64, "# the bootstrap")
    monkeypatch.setattr(payload, "payload", lambda: small)
    patient = types.SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: None)
    monkeypatch.setattr(opening, "time", patient)


def attempt(*programs: str, interpreters: t.Sequence[str] = ("python3",), become: t.Any = None) -> Link:
    link = Link(*programs)
    done = Opening(link, interpreters, "", become, None).open()
    done.pipes.hang_up()
    done.pipes.close()
    os.close(done.place)
    return link


def test_the_first_attempt_is_enough_whatever_the_login_shell_prints() -> None:
    assert len(attempt(READY).commands) == 1


def test_a_connection_that_broke_is_opened_again() -> None:
    assert len(attempt(ending(255, "Connection closed by remote host"), READY).commands) == 2


def test_a_full_connection_is_left_for_another() -> None:
    """sshd's MaxSessions: the master refuses, and would refuse again."""
    full = ending(255, "mux_client_request_session: session request failed: Session open refused by peer")
    assert attempt(full, READY).skipped == [set(), {0}]


def test_after_five_attempts_the_host_cannot_be_reached() -> None:
    lost = ending(255, "No route to host")
    with pytest.raises(CannotOpen, match=r"\ANo route to host\Z"):
        attempt(*[lost] * 5, READY)


def test_an_interpreter_that_is_too_old_is_left_for_the_others_once() -> None:
    link = attempt(ending(1, "SyntaxError"), READY, interpreters=("python3", "/usr/bin/python3.11"))
    assert len(link.commands) == 2
    assert link.commands[0] != link.commands[1]


def test_where_no_interpreter_serves_the_module_is_left() -> None:
    with pytest.raises(CannotServe, match=r"\ASyntaxError\Z"):
        attempt(ending(1, "SyntaxError"), READY)
    with pytest.raises(CannotServe, match=r"\Athere is no room\Z"):
        attempt(CANNOT)


class Sudo:
    """A become plugin whose program asks for a password on standard error."""

    name, success = "sudo", "BECOME-SUCCESS-x"

    def build_become_command(self, command: str, shell: t.Any) -> str:
        return f"sudo {command}"

    def get_option(self, name: str) -> str:
        return "secret"

    def expect_prompt(self) -> bool:
        return True

    def check_password_prompt(self, line: bytes) -> bool:
        return b"password:" in line

    def check_incorrect_password(self, line: bytes) -> bool:
        return b"Sorry" in line

    def check_missing_password(self, line: bytes) -> bool:
        return b"required" in line


ASKING = "import sys; print('password:', file=sys.stderr, flush=True); answer = sys.stdin.readline()\n"


def test_the_password_is_sent_when_it_is_asked_for() -> None:
    accepted = "assert answer == 'secret\\n'\nprint('BECOME-SUCCESS-x', flush=True)"
    link = attempt(ASKING + accepted + READY, become=Sudo())
    assert "sudo" in link.commands[0]


def test_a_wrong_password_is_not_sent_again() -> None:
    """Another attempt would fail too, and may lock the account."""
    refused = "print('Sorry, try again.', file=sys.stderr, flush=True); sys.stdin.read()"
    with pytest.raises(WrongPassword, match=r"\Asudo does not accept the password\Z"):
        attempt(ASKING + refused, READY, become=Sudo())


def test_a_password_that_is_missing_is_asked_for() -> None:
    with pytest.raises(
        WrongPassword, match=r"\Asudo asks for a password and none is set \(ansible_become_password\)\Z"
    ):
        attempt(
            "import sys; print('a password is required', file=sys.stderr, flush=True); sys.stdin.read()", become=Sudo()
        )
