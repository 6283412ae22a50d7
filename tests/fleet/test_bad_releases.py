# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bad release touches no more hosts than the window, and goes back by itself while no request fails."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from fleet.world.faults import failing_step
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import Background

BAD = "6.6.6"
WINDOW = 2

HEALTHY_FOR_A_WHILE: dict[str, t.Any] = {"rollout_min_healthy_time": 7, "rollout_healthy_deadline": 16}
SMOKE: dict[str, t.Any] = {
    "rollout_smoke_tests": [{"name": "home", "url": "/", "expect": "version == '{{ rollout_target.version }}'"}]
}


@pytest.mark.parametrize(
    ("behaviour", "settings", "because"),
    [
        pytest.param({"start": "refuse"}, {}, "not healthy", id="will not start", marks=pytest.mark.long),
        pytest.param({"health": "unhealthy"}, {}, "not healthy", id="starts but is unhealthy", marks=pytest.mark.long),
        pytest.param({"version": "9.9.9"}, {}, "9.9.9", id="healthy with the wrong version", marks=pytest.mark.long),
        pytest.param(
            {"healthy_for": 5},
            HEALTHY_FOR_A_WHILE,
            "not healthy",
            id="healthy for 5 s and then not",
            marks=pytest.mark.every_suite,
        ),
        pytest.param(
            {"errors": 1.0}, SMOKE, "(smoke: app", id="healthy but fails its smoke test", marks=pytest.mark.long
        ),
    ],
)
def test_a_bad_release_is_rolled_back(
    shop: Shop,
    rolling: Rolling,
    users: Background,
    behaviour: dict[str, t.Any],
    settings: dict[str, t.Any],
    because: str,
) -> None:
    shop.lab.add_release(BAD, behaviour)
    before = shop.starts()
    ended = rolling.run(BAD, **settings)
    assert ended.exit_code != 0
    assert because in ended.last_line, ended.output
    assert "rolled back" in ended.last_line
    assert "Roll out a corrected version" in ended.last_line
    assert 1 <= len(shop.touched(BAD, before)) <= WINDOW
    assert_as_before(shop, users)


def test_a_unit_in_a_crash_loop_was_polled_to_the_deadline(shop: Shop, rolling: Rolling, users: Background) -> None:
    """systemd shows it after three starts, a few seconds; what the service wrote last is in the message."""
    shop.lab.add_release(BAD, {"start": "refuse"})
    ended = rolling.run(BAD, rollout_healthy_deadline=300, rollout_progress_deadline=900)
    assert ended.exit_code != 0
    assert "the service does not stay up" in ended.last_line, ended.output
    assert "shop.service is " in ended.last_line, ended.output
    assert f"shop {BAD} refuses to start" in ended.output
    failed = next(event for event in shop.events() if event["kind"] == "failed")
    admitted = next(event for event in shop.events() if event["kind"] == "admitted" and event["host"] == failed["host"])
    assert failed["at"] - admitted["at"] < 60, ended.output
    assert_as_before(shop, users)


@pytest.mark.long
def test_a_gate_that_fails_after_the_last_host_takes_all_back(
    shop: Shop, rolling: Rolling, users: Background, tmp_path: pathlib.Path
) -> None:
    shop.lab.add_release(BAD)
    ended = rolling.run(BAD, rollout_gate_tasks=failing_step(tmp_path))
    assert ended.exit_code != 0
    assert "the gate of stage 1: fail" in ended.last_line, ended.output
    assert "The 6 changed hosts serve 1.0.0 again" in ended.last_line, ended.output
    assert_as_before(shop, users)


def test_a_corrupt_artifact_is_refused_before_any_host_leaves_service(
    shop: Shop, rolling: Rolling, users: Background
) -> None:
    shop.lab.add_release(BAD, corrupt=True)
    before = shop.starts()
    ended = rolling.run(BAD)
    assert ended.exit_code != 0
    assert f"shop-{BAD}.tar.gz" in ended.last_line, ended.output
    assert shop.starts() == before
    assert_as_before(shop, users)


def test_a_full_disk_is_noticed_before_the_host_leaves_service(shop: Shop, rolling: Rolling, users: Background) -> None:
    shop.lab.add_release(BAD)
    before = shop.starts()
    shop.lab.fill("app1", "app2")
    try:
        ended = rolling.run(BAD)
    finally:
        shop.lab.free("app1", "app2")
    assert ended.exit_code != 0
    assert "no space left" in ended.last_line, ended.output
    assert len(shop.touched(BAD, before)) <= WINDOW
    assert_as_before(shop, users)


def assert_as_before(shop: Shop, users: Background) -> None:
    shop.await_all_in_rotation()
    assert shop.all_on("1.0.0"), shop.versions()
    seen = users.stop()
    assert seen["requests"] > 0
    assert seen["failed"] == 0, seen["failures"]
