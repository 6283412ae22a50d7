# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary whose balancers, hosts or controller fail: traffic only where it may be, and one more run rolls it back."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.world.faults import all_on_again, await_in, happened
from fleet.world.moments import Moment, spread
from fleet.world.rolling import Rolling
from fleet.world.shifting import (
    CANARY,
    CANARY_SETTINGS,
    QUICK_USERS,
    assert_traffic_rolled_back,
    assert_usual_split,
    carries,
    weights,
)
from fleet.world.shop import Shop
from support.background import Background, traffic

pytestmark = pytest.mark.long
SEED = 7
MOMENTS = 15
LATER = 2.0
EVENTS = 38
"""What an undisturbed canary writes."""


@pytest.fixture
def shifting(fleet: Lab) -> Rolling:
    return Rolling(fleet, CANARY_SETTINGS)


@pytest.fixture
def crowd(fleet: Lab, tmp_path: pathlib.Path) -> t.Iterator[Background]:
    with traffic(fleet.urls(), tmp_path / "crowd.json", inside=fleet.inside(), **QUICK_USERS) as crowd:
        yield crowd


def test_a_balancer_that_is_reloaded_midway_changes_nothing(shop: Shop, shifting: Rolling, crowd: Background) -> None:
    shop.lab.add_release("2.0.0")
    run = shifting.start("2.0.0", playbook="canary")
    await_in(run, lambda: bool(happened(shop, "shifted")), "the first share is set")
    run.wait_at_most(5)
    shop.lab.run("lb1", ["systemctl", "reload", "haproxy"])
    ended = run.wait()
    assert ended.exit_code == 0, f"{ended.output}\n{shop.story()}"
    assert shop.all_on("2.0.0"), shop.versions()
    assert crowd.stop()["failed"] == 0


def test_a_node_that_is_lost_midway_does_not_keep_the_other_from_being_rolled_back(
    shop: Shop, shifting: Rolling
) -> None:
    shop.lab.add_release("2.0.0")
    run = shifting.start("2.0.0", playbook="canary")
    await_in(run, lambda: bool(happened(shop, "shifted")), "the first share is set")
    with all_on_again(shop.lab, "lb2"):
        shop.lab.cut("lb2")
        ended = run.wait()
        assert ended.exit_code != 0, ended.output
        assert "lb2" in ended.last_line, ended.output
        assert {weights(shop, ["lb1"])["lb1"][name] for name in CANARY} == {0}, weights(shop, ["lb1"])
    back = shifting.run("2.0.0", playbook="canary", rollout_resume="revert")
    assert back.exit_code == 0, back.output
    assert_usual_split(shop)


def test_a_promotion_that_fails_sends_no_traffic_to_the_half_updated_group(
    shop: Shop, shifting: Rolling, crowd: Background, tmp_path: pathlib.Path
) -> None:
    """The third host of the main group cannot be updated, while the first two may be on the new version already."""
    step = tmp_path / "step.yml"
    step.write_text(FAILS_ON_APP3, encoding="utf-8")
    shop.lab.add_release("2.0.0")
    steps = [{"share": 100, "bake": 15}]
    ended = shifting.run("2.0.0", playbook="canary", rollout_canary_steps=steps, rollout_after_update_tasks=str(step))
    assert_traffic_rolled_back(shop, ended, "2.0.0")
    seen = crowd.stop()
    assert seen["failed"] == 0, seen["failures"]


FAILS_ON_APP3 = """\
- name: Fail on one host, and there only on the new version
  ansible.builtin.command: "false"
  when: inventory_hostname == 'app3' and rollout_target.version == '2.0.0'
  changed_when: false
"""


QUICK_STEPS = [{"share": 5, "bake": 3}, {"share": 50, "bake": 3}, {"share": 100, "bake": 3}]


@pytest.mark.parametrize("moment", spread(EVENTS, MOMENTS, LATER, SEED), ids=str)
def test_one_more_run_finishes_a_canary_that_was_killed(
    shop: Shop, shifting: Rolling, crowd: Background, moment: Moment
) -> None:
    shop.lab.add_release("2.0.0")
    settings: dict[str, t.Any] = {"rollout_canary_steps": QUICK_STEPS, "rollout_metric_gate": False}
    run = shifting.start("2.0.0", playbook="canary", **settings)
    moment.await_in(run, shop)
    run.kill(group=True)
    ended = shifting.run("2.0.0", playbook="canary", **settings)
    assert ended.exit_code == 0, f"{run.output}\n{ended.output}\n{shop.story()}"
    assert shop.all_on("2.0.0"), shop.versions()
    assert carries(shop) == {tuple(shop.apps)}
    seen = crowd.stop()
    assert seen["failed"] == 0, seen["failures"]
