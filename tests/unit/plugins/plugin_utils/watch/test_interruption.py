# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watch keeps for the operator who interrupts the run."""

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.watch import interruption


@pytest.fixture(autouse=True)
def _folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption.slots, "run_directory", lambda: str(tmp_path))


class Clock:
    """Time passes only in sleep; the watch answers after the first one."""

    def __init__(self, answer: list[str] | None = None) -> None:
        self.time = 0.0
        self._answer = answer

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        if self._answer is not None:
            interruption.keep(self._answer)


def kept_before(tmp_path: pathlib.Path, lines: list[str], seconds: float) -> None:
    interruption.keep(lines)
    now = os.stat(tmp_path / "interrupted").st_mtime
    os.utime(tmp_path / "interrupted", (now - seconds, now - seconds))


def test_the_watch_is_asked_once_more(tmp_path: pathlib.Path) -> None:
    kept_before(tmp_path, ["app1: drained"], 2)
    assert not interruption.is_asked()
    clock = Clock(["app1: drained", "app2: drained"])
    assert interruption.newest_lines(clock.now, clock.sleep) == ["app1: drained", "app2: drained"]
    assert not interruption.is_asked()


def test_a_watch_that_is_silent_is_not_waited_for_without_end(tmp_path: pathlib.Path) -> None:
    kept_before(tmp_path, ["app1: drained"], 20)
    clock = Clock()
    assert interruption.newest_lines(clock.now, clock.sleep) == [
        "This was the state 20 s before the interruption; the ledger has not answered since.",
        "app1: drained",
    ]
    assert clock.time == pytest.approx(interruption.ANSWERS_WITHIN, abs=0.2)


def test_before_the_first_report_the_ledger_is_named() -> None:
    assert interruption.newest_lines() == [
        "No watch has reported on this run yet. Look at the ledger with status.yml; run the same command again to resume."
    ]
