# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import types
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.callback.story import CallbackModule


class Screen:
    verbosity = 0

    def __init__(self) -> None:
        self.lines: list[str] = []

    def display(self, text: str, **dummy: t.Any) -> None:
        self.lines.append(text)


@pytest.fixture
def story() -> t.Any:
    told = CallbackModule()
    told._display = Screen()
    return told


def result_of(action: str, outcome: dict[str, t.Any]) -> t.Any:
    task = types.SimpleNamespace(action=f"steady.rollout.{action}", get_name=lambda: action)
    return types.SimpleNamespace(task=task, host=types.SimpleNamespace(get_name=lambda: "app1"), result=outcome)


def failed(text: str) -> dict[str, t.Any]:
    return {"failed": True, "msg": "One or more items failed", "results": [{"failed": True, "msg": text}]}


def test_a_testers_route_that_failed_is_told_although_the_run_goes_on(story: t.Any) -> None:
    story.v2_runner_on_failed(result_of("lb_route", failed("lb1: HAProxy has no map.")), ignore_errors=True)
    assert [line.split("  ", 1)[1] for line in story._display.lines] == [
        "testers' requests are not routed as wanted: lb1: HAProxy has no map."
    ]


def test_what_the_ledger_is_told_of_is_not_told_twice(story: t.Any) -> None:
    story.v2_runner_on_failed(result_of("lb_weight", failed("lb1: no answer.")), ignore_errors=True)
    assert story._display.lines == []
