# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A timer that starts the rollout ten times around a window runs it exactly once; time is compressed to seconds."""

from __future__ import annotations

import datetime as dt
import json
import pathlib
import time

import pytest
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import Background

EVERY = 20.0
"""Seconds between two starts of the timer."""
OPENS_AFTER, OPEN_FOR = 50, 130
HELD = 23


@pytest.mark.long
def test_ten_starts_around_a_window_run_it_exactly_once(
    shop: Shop, rolling: Rolling, users: Background, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.lab.add_release("2.0.0")
    monkeypatch.setenv("ANSIBLE_CALLBACKS_ENABLED", "steady.rollout.outcome")
    opens = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=OPENS_AFTER)
    window = {"from": opens.isoformat(timespec="seconds"), "duration": OPEN_FOR}
    settings = {"rollout_window": {"windows": [window], "state": "skip", "host_duration": 5}}
    began, runs = time.monotonic(), []
    for number in range(10):
        time.sleep(max(began + number * EVERY - time.monotonic(), 0))
        monkeypatch.setenv("STEADY_ROLLOUT_RESULT_FILE", str(tmp_path / f"{number}.json"))
        runs.append(rolling.start("2.0.0", **settings))
    ended = [run.wait(silent=True) for run in runs]

    results = [json.loads((tmp_path / f"{number}.json").read_text()) for number in range(10)]
    assert [one.exit_code for one in ended] == [one["exit_code"] for one in results]
    assert {one.exit_code for one in ended} <= {0, HELD}, [one.output for one in ended]
    assert results[0]["outcome"] == results[-1]["outcome"] == "skipped"
    assert shop.all_on("2.0.0"), shop.versions()
    admitted = [event["host"] for event in shop.events() if event["kind"] == "admitted"]
    assert sorted(admitted) == sorted(shop.versions())
    worked = [one for one in ended if one.said("updated")]
    assert len(worked) == 1, [one.output for one in ended]
    served = users.stop()
    assert served["failed"] == 0, served["failures"]
