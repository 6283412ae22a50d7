# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.escalation import Escalation, Step


class Sudo:
    """The parts of Ansible's plugin that are used, with a mark that is known."""

    name = "sudo"
    success = "BECOME-SUCCESS-x"
    prompt = b"[sudo via ansible, key=x] password:"

    def __init__(self, has_password: bool = True) -> None:
        self._has_password = has_password

    def expect_prompt(self) -> bool:
        return self._has_password

    def check_password_prompt(self, b_output: bytes) -> bool:
        return b_output.strip().startswith(self.prompt)

    def check_incorrect_password(self, b_output: bytes) -> bool:
        return b"Sorry, try again." in b_output

    def check_missing_password(self, b_output: bytes) -> bool:
        return b"sudo: a password is required" in b_output


def test_without_a_password_the_mark_is_enough() -> None:
    escalation = Escalation(Sudo(has_password=False))
    assert escalation.saw(b"Last login: today\nBECOME-SUC") is Step.WAIT
    assert escalation.saw(b"CESS-x\nrest") is Step.DONE
    assert escalation.rest == b"rest"


def test_the_password_is_sent_once_on_the_prompt() -> None:
    escalation = Escalation(Sudo())
    assert escalation.saw(err=b"We trust you have received the usual lecture\n") is Step.WAIT
    assert escalation.saw(err=Sudo.prompt[:10]) is Step.WAIT
    assert escalation.saw(err=Sudo.prompt[10:]) is Step.SEND_PASSWORD
    assert escalation.saw(err=b"\n") is Step.WAIT
    assert escalation.saw(b"BECOME-SUCCESS-x\r\n") is Step.DONE


@pytest.mark.parametrize("said", [b"Sorry, try again.\n", Sudo.prompt])
def test_a_wrong_password_is_not_sent_again(said: bytes) -> None:
    """A further attempt would lock the account sooner."""
    escalation = Escalation(Sudo())
    escalation.saw(err=Sudo.prompt)
    assert escalation.saw(err=said) is Step.WRONG_PASSWORD


def test_a_missing_password_is_said() -> None:
    assert Escalation(Sudo(False)).saw(err=b"sudo: a password is required\n") is Step.NO_PASSWORD
