# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invariant 17: a release that fails after its hosts were proven is stopped and rolled back before the next host goes.

Before the watch, a release that failed 15 s after its health window took the whole fleet: six of six hosts.
"""

from __future__ import annotations

import typing as t

import pytest
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import Background

BAD = "6.6.6"
WINDOW = 2
BAKING = {"rollout_stages": [2, "100%"], "rollout_bake_time": 60, "rollout_progress_deadline": 300}


@pytest.mark.parametrize(
    ("healthy_for", "settings"),
    [
        pytest.param(12, BAKING, id="while the others wait for the bake of a stage", marks=pytest.mark.every_suite),
        pytest.param(45, BAKING, id="late in the bake of a stage", marks=pytest.mark.long),
    ],
)
def test_a_release_that_fails_after_its_proof_takes_no_more_hosts(
    shop: Shop, rolling: Rolling, users: Background, healthy_for: int, settings: dict[str, t.Any]
) -> None:
    shop.lab.add_release(BAD, {"healthy_for": healthy_for})
    before = shop.starts()
    ended = rolling.run(BAD, **settings)
    assert ended.exit_code != 0, ended.output
    assert "rolled back" in ended.last_line, ended.output
    assert "marked bad" in ended.last_line, ended.output
    touched = shop.touched(BAD, before)
    assert 1 <= len(touched) <= WINDOW, ended.output
    named = [host for host in shop.apps if f"{host} failed (health" in ended.last_line]
    assert named, ended.last_line
    assert set(named) <= set(touched)
    shop.await_all_in_rotation()
    assert shop.all_on("1.0.0"), shop.versions()
    assert users.stop()["requests"] > 0
