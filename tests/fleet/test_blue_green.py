# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All traffic goes to the other colour and back in one switch, and users of every kind notice nothing."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.world.faults import all_on_again, failing_step
from fleet.world.fronts import Front
from fleet.world.moments import Moment, spread
from fleet.world.rolling import Rolling
from fleet.world.shifting import BLUE_GREEN_SETTINGS, COLOURS, carried_by, carries, moves
from fleet.world.shop import Shop
from support.background import Background

BLUE, GREEN = (tuple(COLOURS[name]) for name in ("blue", "green"))
SEED = 4
MOMENTS = 15
LATER = 2.0
EVENTS = 20
"""What an undisturbed switch writes."""


@pytest.fixture
def shifting(fleet: Lab, fronts: list[Front]) -> Rolling:
    return Rolling(fleet, {**BLUE_GREEN_SETTINGS, "rollout_balancers": [front.entry() for front in fronts]})


@pytest.mark.parametrize("fronts", ["haproxy", pytest.param("envoy", marks=pytest.mark.long)], indirect=True)
def test_traffic_is_switched_and_switched_back_under_traffic(
    shop: Shop,
    fronts: list[Front],
    shifting: Rolling,
    users: Background,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop.lab.add_release("2.0.0")
    loaded = tmp_path / "loaded"
    ended = shifting.run("2.0.0", playbook="blue_green", rollout_load_command=f"touch {loaded}")
    assert ended.exit_code == 0, ended.output
    assert loaded.exists()
    assert ended.last_line.startswith(
        "shop: green serves, 3 hosts on 2.0.0. Traffic: blue 0 %, green 100 %. blue is kept"
    )
    assert carries(shop, fronts) == {GREEN}
    there = moves(shop)[-1]
    seen = users.report()
    back = shifting.run("", playbook="rollback")
    assert back.exit_code == 0, back.output
    assert back.last_line == "shop: blue serves again, 3 hosts on 1.0.0. Traffic: green 0 %, blue 100 %."
    assert carries(shop, fronts) == {BLUE}
    home = moves(shop)[-1]
    after = users.stop()
    assert after["failed"] == 0, after["failures"]
    assert there[1] == {"blue": 0.0, "green": 100.0}
    with capsys.disabled():
        print(
            f"\nlast request begun on the old colour: {seen['last_begun']['1.0.0'] - there[0]:.2f} s after the decision"
        )
        print(f"switched back: {after['last_begun']['2.0.0'] - home[0]:.2f} s after the decision")


@pytest.mark.long
def test_a_version_that_does_not_start_gets_no_traffic(shop: Shop, shifting: Rolling, users: Background) -> None:
    shop.lab.add_release("6.6.6", {"start": "refuse"})
    ended = shifting.run("6.6.6", playbook="blue_green")
    assert ended.exit_code != 0
    assert "6.6.6 rolled back" in ended.last_line, ended.output
    assert carries(shop) == {BLUE}
    assert shop.all_on("1.0.0"), shop.versions()
    seen = users.stop()
    assert seen["failed"] == 0, seen["failures"]
    assert set(seen["versions"]) == {"1.0.0"}


@pytest.mark.long
def test_a_gate_that_fails_after_the_switch_sends_all_traffic_back(
    shop: Shop, shifting: Rolling, users: Background, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.lab.add_release("6.6.6")
    settings = {"rollout_bake_time": 3, "rollout_metric_gate": False, "rollout_gate_tasks": failing_step(tmp_path)}
    ended = shifting.run("6.6.6", playbook="blue_green", **settings)
    assert ended.exit_code != 0
    assert "the gate at 100 %: fail: non-zero return code" in ended.last_line, ended.output
    assert carries(shop) == {BLUE}
    assert shop.all_on("1.0.0"), shop.versions()
    home = moves(shop)[-1]
    assert home[1] == {"blue": 100.0, "green": 0.0}
    seen = users.stop()
    assert seen["failed"] == 0, seen["failures"]
    with capsys.disabled():
        print(
            f"\nlast request begun on the new colour: {seen['last_begun']['6.6.6'] - home[0]:.2f} s after the verdict"
        )


SLOWER = {
    "requests": [{"path": "/slow?seconds=0.1"}],
    "seconds": 5,
    "warm_up": 1,
    "max_seconds": 20,
    "negligible": 0.01,
}
ORDER = {"name": "order", "url": "/upload", "method": "POST", "body": "one shirt"}


@pytest.mark.long
@pytest.mark.parametrize(
    ("behaviour", "settings", "because"),
    [
        pytest.param(
            {"delay": 0.05},
            {"rollout_compare": SLOWER},
            "green failed the comparison with blue (fail: ",
            id="slower by half",
        ),
        pytest.param(
            {"errors": 1.0, "errors_on": "/upload"}, {"rollout_smoke_tests": [ORDER]}, "order", id="smoke test"
        ),
        pytest.param({}, {"rollout_load_command": "ls /no/load"}, "(fail: the load failed: ", id="load"),
    ],
)
def test_a_healthy_colour_that_does_not_prove_itself_gets_no_traffic(
    shop: Shop,
    shifting: Rolling,
    users: Background,
    behaviour: dict[str, t.Any],
    settings: dict[str, t.Any],
    because: str,
) -> None:
    shop.lab.add_release("6.6.6", behaviour)
    ended = shifting.run("6.6.6", playbook="blue_green", **settings)
    assert ended.exit_code != 0
    assert because in ended.last_line, ended.output
    assert carries(shop) == {BLUE}
    assert shop.all_on("1.0.0"), shop.versions()
    seen = users.stop()
    assert seen["failed"] == 0, seen["failures"]
    assert set(seen["versions"]) == {"1.0.0"}


def before_the_switch(shop: Shop) -> bool:
    return len(shop.subjects("proven")) == len(GREEN)


def amid_the_switch(shop: Shop) -> bool:
    return {"blue": 0.0, "green": 100.0} in [split for dummy, split in moves(shop)]


@pytest.mark.long
@pytest.mark.parametrize("is_time", [before_the_switch, amid_the_switch])
def test_a_node_that_is_lost_at_the_switch_leaves_the_others_as_they_were(
    shop: Shop, shifting: Rolling, is_time: t.Callable[[Shop], bool]
) -> None:
    shop.lab.add_release("2.0.0")
    unmeasured = {"rollout_metric_gate": False}
    run = shifting.start("2.0.0", playbook="blue_green", rollout_step_timeout=30, **unmeasured)
    with all_on_again(shop.lab, "lb2"):
        shop.await_that(lambda: run.is_over or is_time(shop), 120.0)
        shop.lab.cut("lb2")
        ended = run.wait()
        assert ended.exit_code != 0
        assert "lb2" in ended.last_line, ended.output
        assert carried_by(shop, ["lb1"]) == {BLUE}, shop.story()
    again = shifting.run("2.0.0", playbook="blue_green", **unmeasured)
    assert again.exit_code == 0, again.output
    assert carries(shop) == {GREEN}


@pytest.mark.long
@pytest.mark.parametrize("moment", spread(EVENTS, MOMENTS, LATER, SEED), ids=str)
def test_one_more_run_finishes_a_switch_that_was_killed(
    shop: Shop, shifting: Rolling, users: Background, moment: Moment
) -> None:
    shop.lab.add_release("2.0.0")
    run = shifting.start("2.0.0", playbook="blue_green")
    moment.await_in(run, shop)
    run.kill(group=True)
    ended = shifting.run("2.0.0", playbook="blue_green")
    assert ended.exit_code == 0, f"{run.output}\n{ended.output}\n{shop.story()}"
    assert carries(shop) == {GREEN}, shop.story()
    seen = users.stop()
    assert seen["failed"] == 0, seen["failures"]
