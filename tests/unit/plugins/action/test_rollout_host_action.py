# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a place at a coordinator that is reached over ssh."""

from __future__ import annotations

import contextlib
import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.steady.rollout.plugins.action import rollout_host
from ansible_collections.steady.rollout.plugins.plugin_utils.in_worker import InWorkerAction

ADMISSION = {"state": "admitted", "run": "r1", "host": "app1"}


class Coordinator:
    """Answers in turn; an answer of None is silence. Time passes only in sleep."""

    def __init__(self, *answers: dict[str, t.Any] | None) -> None:
        self._answers = iter(answers)
        self.now = 0.0

    def answer(self, *_arguments: t.Any) -> dict[str, t.Any]:
        answer = next(self._answers)
        if answer is None:
            raise AnsibleConnectionFailure("Connection reset by peer")
        return answer

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[Coordinator], dict[str, t.Any]]:
    def asked(coordinator: Coordinator) -> dict[str, t.Any]:
        monkeypatch.setattr(InWorkerAction, "as_module", coordinator.answer)
        monkeypatch.setattr(rollout_host.slots, "place", lambda *_words: contextlib.nullcontext())
        monkeypatch.setattr(rollout_host.controller, "leave_if_ended", lambda: None)
        monkeypatch.setattr(rollout_host.time, "monotonic", lambda: coordinator.now)
        monkeypatch.setattr(rollout_host.time, "sleep", coordinator.sleep)
        action = rollout_host.ActionModule.__new__(rollout_host.ActionModule)
        return action.as_module(ADMISSION, {})

    return asked


def test_one_lost_connection_does_not_drop_a_host_that_waits(ask: t.Callable[[Coordinator], t.Any]) -> None:
    assert ask(Coordinator({"verdict": "wait"}, None, {"verdict": "wait"}, None, {"verdict": "go"})) == {
        "verdict": "go"
    }


def test_a_coordinator_that_stays_silent_is_given_up(ask: t.Callable[[Coordinator], t.Any]) -> None:
    coordinator = Coordinator({"verdict": "wait"}, *[None] * 100)
    with pytest.raises(AnsibleConnectionFailure):
        ask(coordinator)
    assert coordinator.now > rollout_host.SILENT_FOR
