# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invariant 17: a release that fails after its hosts were proven is stopped and rolled back before the next host goes.

Before the watch, a release that failed 15 s after its health window took the whole fleet: six of six hosts.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.world.rolling import Ended, Rolling
from fleet.world.shifting import (
    BLUE_GREEN_SETTINGS,
    CANARY,
    CANARY_SETTINGS,
    COLOURS,
    QUICK_USERS,
    assert_traffic_rolled_back,
    carries,
)
from fleet.world.shop import Shop
from support.background import Background, traffic
from support.sightings import violations

BAD = "6.6.6"
FLOOR, WINDOW = 4, 2
BAKING: dict[str, t.Any] = {
    "rollout_stages": [2, "100%"],
    "rollout_bake_time": 60,
    "rollout_progress_deadline": 300,
}
AS_IN_THE_README: dict[str, t.Any] = {
    "rollout_max_unavailable": "25%",
    "rollout_min_healthy_time": 10,
    "rollout_health_interval": 1,
    "rollout_healthy_deadline": 300,
    "rollout_progress_deadline": 600,
    "rollout_drain_timeout": 60,
    "rollout_restore_timeout": 60,
    "rollout_step_timeout": 300,
}
"""What the README sets, and the defaults; of six hosts one is out at a time."""
IN_STAGES = {**AS_IN_THE_README, "rollout_stages": [1, "10%", "50%", "100%"]}
LATER = 40
"""Seconds that a stage bakes beyond the time at which its release goes bad."""
PATIENCE = 400.0
long = pytest.mark.long


@pytest.mark.parametrize(
    ("behaviour", "settings"),
    [
        pytest.param(
            {"healthy_for": 12},
            BAKING,
            id="while the others wait for the bake of a stage",
        ),
        pytest.param(
            {"healthy_for": 12, "afterwards": "fail checks"}, BAKING, id="for the balancers' checks alone", marks=long
        ),
        pytest.param({"healthy_for": 12, "afterwards": "leak"}, BAKING, id="leaking memory until killed", marks=long),
    ],
)
def test_a_release_that_fails_after_its_proof_takes_no_more_hosts(
    shop: Shop,
    rolling: Rolling,
    users: Background,
    eyes: Background,
    behaviour: dict[str, t.Any],
    settings: dict[str, t.Any],
) -> None:
    ended, touched = failing_release(shop, rolling, behaviour, settings)
    assert 1 <= len(touched) <= WINDOW, ended.output
    assert_rolled_back(shop, ended, touched)
    assert violations(eyes.stop(), FLOOR, WINDOW) == []
    assert users.stop()["requests"] > 0


@long
@pytest.mark.parametrize("afterwards", ["fail", "flap", "crash"])
@pytest.mark.parametrize("seconds", [15, 45, 120])
def test_with_the_settings_of_the_readme_only_the_first_host_meets_it(
    shop: Shop, rolling: Rolling, users: Background, eyes: Background, seconds: int, afterwards: str
) -> None:
    behaviour = {"healthy_for": seconds, "afterwards": afterwards}
    settings = {**IN_STAGES, "rollout_bake_time": seconds + LATER}
    ended, touched = failing_release(shop, rolling, behaviour, settings)
    assert len(touched) == 1, ended.output
    assert_rolled_back(shop, ended, touched)
    assert violations(eyes.stop(), floor=5, window=1) == []
    assert users.stop()["requests"] > 0


@long
def test_without_stages_the_host_in_flight_is_the_last(
    shop: Shop, rolling: Rolling, users: Background, eyes: Background
) -> None:
    """The next host was admitted before the first one failed: it is rolled back with it."""
    ended, touched = failing_release(shop, rolling, {"healthy_for": 15}, AS_IN_THE_README)
    assert 1 <= len(touched) <= 2, ended.output
    assert_rolled_back(shop, ended, touched)
    assert violations(eyes.stop(), FLOOR) == []
    assert users.stop()["requests"] > 0


@long
def test_it_fails_while_the_others_wait_at_a_gate(
    shop: Shop, rolling: Rolling, users: Background, eyes: Background, tmp_path: pathlib.Path
) -> None:
    """Whatever the gate says then."""
    gate = tmp_path / "gate.yml"
    gate.write_text(
        "- name: Look for a while\n  ansible.builtin.command: sleep 25\n  changed_when: false\n", encoding="utf-8"
    )
    settings = {**BAKING, "rollout_bake_time": 0, "rollout_gate_tasks": str(gate)}
    ended, touched = failing_release(shop, rolling, {"healthy_for": 12}, settings)
    assert 1 <= len(touched) <= WINDOW, ended.output
    assert_rolled_back(shop, ended, touched)
    assert violations(eyes.stop(), FLOOR, WINDOW) == []
    assert users.stop()["requests"] > 0


@long
def test_one_path_that_fails_is_seen_by_the_metric_of_the_stage(
    shop: Shop, rolling: Rolling, fleet: Lab, tmp_path: pathlib.Path
) -> None:
    """Neither health nor the balancers' checks notice; the error counts of the balancers do."""
    behaviour = {"errors": 1.0, "errors_on": "/upload"}
    mix = {**QUICK_USERS, "uploads": 12}
    looks = {
        "rollout_metrics": [{"name": "errors", "query": "error_share", "judge": True, "critical": True}],
        "rollout_analysis_interval": 2,
        "rollout_metric_window": 12,
        "rollout_metric_policy": {"on_no_data": "wait"},
    }
    with traffic(fleet.urls(), tmp_path / "crowd.json", inside=fleet.inside(), **mix) as users:
        ended, touched = failing_release(shop, rolling, behaviour, {**BAKING, "rollout_bake_time": 8, **looks})
        assert users.stop()["requests"] > 0
    assert ended.exit_code != 0, ended.output
    assert f"{BAD} rolled back: the gate of stage 1: fail: errors" in ended.last_line, ended.output
    assert "marked bad" in ended.last_line, ended.output
    assert 1 <= len(touched) <= WINDOW, ended.output
    assert_as_before(shop)


@long
def test_a_canary_that_fails_after_its_proof_loses_its_share(
    shop: Shop, fleet: Lab, users: Background, eyes: Background
) -> None:
    settings = {**CANARY_SETTINGS, "rollout_metric_gate": False}
    ended, touched = failing_release(shop, Rolling(fleet, settings), {"healthy_for": 20}, {}, playbook="canary")
    assert set(touched) <= set(CANARY), ended.output
    assert_rolled_back(shop, ended, touched)
    assert_traffic_rolled_back(shop, ended, BAD)
    assert violations(eyes.stop(), FLOOR, WINDOW) == []
    assert users.stop()["requests"] > 0


@long
def test_a_colour_that_fails_after_the_switch_loses_the_traffic(shop: Shop, fleet: Lab, users: Background) -> None:
    settings = {**BLUE_GREEN_SETTINGS, "rollout_bake_time": 60, "rollout_metric_gate": False}
    ended, touched = failing_release(shop, Rolling(fleet, settings), {"healthy_for": 35}, {}, playbook="blue_green")
    assert set(touched) <= set(COLOURS["green"]), ended.output
    assert_named(ended, touched)
    assert carries(shop) == {tuple(COLOURS["blue"])}
    assert shop.all_on("1.0.0"), shop.versions()
    assert users.stop()["requests"] > 0


def failing_release(
    shop: Shop,
    rolling: Rolling,
    behaviour: dict[str, t.Any],
    settings: t.Mapping[str, t.Any],
    playbook: str = "rolling",
) -> tuple[Ended, list[str]]:
    """A rollout of a release that behaves so, and the hosts that it has touched."""
    shop.lab.add_release(BAD, behaviour)
    before = shop.starts()
    ended = rolling.start(BAD, playbook=playbook, **settings).wait(PATIENCE)
    return ended, shop.touched(BAD, before)


def assert_rolled_back(shop: Shop, ended: Ended, touched: t.Sequence[str]) -> None:
    assert_named(ended, touched)
    assert_as_before(shop)


def assert_named(ended: Ended, touched: t.Sequence[str]) -> None:
    """The version by its fault, and a host that had it."""
    assert ended.exit_code != 0, ended.output
    assert f"{BAD} rolled back" in ended.last_line, ended.output
    assert "marked bad" in ended.last_line, ended.output
    assert [host for host in touched if f"{host} failed (health: proven" in ended.output], ended.output
    assert [host for host in touched if f"{host} failed (" in ended.last_line], ended.output


def assert_as_before(shop: Shop) -> None:
    shop.await_all_in_rotation()
    assert shop.all_on("1.0.0"), shop.versions()
