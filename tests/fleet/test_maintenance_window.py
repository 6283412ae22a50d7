# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A window that closes midway through a rolling deployment leaves a healthy fleet, and the same command goes on in the next."""

from __future__ import annotations

import datetime as dt
import typing as t

import pytest
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import Background

HOST_TAKES = 8
"""Seconds that the settings say; a host of the lab takes less."""


def window(seconds: float, **settings: t.Any) -> dict[str, t.Any]:
    """A window that is open from a minute ago and for so many seconds more."""
    now = dt.datetime.now(dt.timezone.utc)
    closes = now + dt.timedelta(seconds=seconds)
    single = {"from": f"{now - dt.timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}Z", "to": f"{closes:%Y-%m-%dT%H:%M:%S}Z"}
    tomorrow = {"from": f"{now + dt.timedelta(days=1):%Y-%m-%d}", "duration": "1h"}
    return {"windows": [single, tomorrow], "host_duration": HOST_TAKES, **settings}


@pytest.mark.long
def test_a_window_that_closes_midway_leaves_a_healthy_fleet_and_the_next_one_goes_on(
    shop: Shop, rolling: Rolling, users: Background
) -> None:
    shop.lab.add_release("2.0.0")
    stages = {"rollout_max_unavailable": 1, "rollout_stages": [1, "100%"], "rollout_bake_time": 8}
    ended = rolling.run("2.0.0", rollout_window=window(30), **stages)
    assert ended.exit_code == 2, ended.output
    assert ended.said("2.0.0 is not complete (")
    assert ended.said(
        "Run the same command again in the next maintenance window: the next window in which 8s fit opens at"
    )
    shop.await_all_in_rotation()
    on_it = [name for name, version in shop.versions().items() if version == "2.0.0"]
    assert 0 < len(on_it) < 6, shop.versions()

    outside = rolling.run("2.0.0", rollout_window={**window(30), "windows": [window(30)["windows"][1]]}, **stages)
    assert outside.exit_code == 2
    assert outside.said("Nothing was started: outside the maintenance window; the next window in which 8s fit opens at")
    skipped = rolling.run("2.0.0", rollout_window={"blackouts": ["2026-01-01/2099-12-31"], "state": "skip"}, **stages)
    assert skipped.exit_code == 0, skipped.output
    assert [name for name, version in shop.versions().items() if version == "2.0.0"] == on_it

    ended = rolling.run("2.0.0", rollout_window=window(600), **stages)
    assert ended.exit_code == 0, ended.output
    assert shop.all_on("2.0.0"), shop.versions()
    served = users.stop()
    assert served["failed"] == 0, served["failures"]
