# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextvars
import threading
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils import background
from ansible_collections.steady.rollout.plugins.plugin_utils.background import in_thread


def result_of(pending: background.Pending[t.Any]) -> t.Any:
    return background.with_signs_of_life(lambda: 0, lambda: None, 1.0, begin=lambda work: pending)


def test_work_returns_what_it_found_or_raises_what_it_met() -> None:
    assert result_of(in_thread(lambda: 7)) == 7
    with pytest.raises(ZeroDivisionError):
        result_of(in_thread(lambda: 1 // 0))


def test_work_sees_the_context_that_it_was_begun_in() -> None:
    warned = contextvars.ContextVar("warned", default="")
    warned.set("here")
    assert result_of(in_thread(warned.get)) == "here"


def test_it_is_not_over_before_its_end() -> None:
    ends = threading.Event()
    pending = in_thread(lambda: ends.wait(30))
    assert not pending.is_over()
    ends.set()
    assert result_of(pending) is True


def test_work_that_lasts_gives_a_sign_every_so_often() -> None:
    clock = [0.0]
    shown: list[float] = []

    class Late:
        def is_over(self) -> bool:
            return clock[0] >= 40.0

        def result(self) -> int:
            return 7

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    found = background.with_signs_of_life(
        lambda: 7, lambda: shown.append(clock[0]), 15.0, lambda work: Late(), lambda: clock[0], sleep
    )
    assert (found, [round(at) for at in shown]) == (7, [15, 30])
