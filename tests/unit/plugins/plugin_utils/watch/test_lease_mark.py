# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invariant 8: a controller that was suspended and wakes up after a take-over changes nothing."""

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.watch import lease_mark
from ansible_collections.steady.rollout.plugins.plugin_utils.watch.lease_mark import FRESH_FOR, WAIT_FOR, LeaseGone


class Clock:
    """Time passes only in sleep; *wakes* is what the watch does then."""

    def __init__(self, now: float, wakes: object = None) -> None:
        self.time = now
        self._wakes = wakes

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        if callable(self._wakes):
            self._wakes()


@pytest.fixture
def mark(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(lease_mark.slots, "run_directory", lambda: str(tmp_path))
    return tmp_path / "lease"


def age(mark: pathlib.Path, renewed_at: float) -> None:
    os.utime(mark, (renewed_at, renewed_at))


def test_without_a_watch_nothing_is_fenced(mark: pathlib.Path) -> None:
    lease_mark.check()


def test_a_fresh_mark_lets_the_step_run(mark: pathlib.Path) -> None:
    lease_mark.renew()
    lease_mark.check()


def test_a_run_that_lost_its_lease_changed_hosts_after_it_was_resumed(mark: pathlib.Path) -> None:
    lease_mark.lose("lease lost: shop is now held by ana.")
    with pytest.raises(LeaseGone, match=r"^lease lost: shop is now held by ana\.$"):
        lease_mark.check()


def test_after_a_suspension_the_watch_is_waited_for(mark: pathlib.Path) -> None:
    lease_mark.renew()
    age(mark, 1000.0)
    clock = Clock(1000.0 + FRESH_FOR, wakes=lambda: lease_mark.lose("taken over"))
    with pytest.raises(LeaseGone, match=r"^taken over$"):
        lease_mark.check(clock.now, clock.sleep)


def test_after_a_suspension_that_nobody_used_the_step_runs(mark: pathlib.Path) -> None:
    lease_mark.renew()
    age(mark, 1000.0)
    clock = Clock(2000.0, wakes=lambda: age(mark, 2000.0))
    lease_mark.check(clock.now, clock.sleep)


def test_a_watch_that_stays_silent_lets_nothing_run(mark: pathlib.Path) -> None:
    lease_mark.renew()
    age(mark, 1000.0)
    clock = Clock(1100.0)
    with pytest.raises(LeaseGone) as gone:
        lease_mark.check(clock.now, clock.sleep)
    assert str(gone.value).startswith(
        f"The watch of this run has not seen its lease for {100 + WAIT_FOR:.0f} s, so another run"
    )
