# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release is judged by a real Prometheus that scrapes the real balancers, in stages of hosts and in shares of traffic."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.world.rolling import Rolling
from fleet.world.scraped import scraped
from fleet.world.shifting import CANARY, QUICK_USERS, carries, verdicts
from fleet.world.shop import Shop
from support.background import Background, traffic

pytestmark = pytest.mark.long
BAD = "6.6.6"
BY_HOSTS = [{"hosts": 1, "bake": 3}, {"hosts": "50%", "bake": 1}, {"hosts": "100%"}]
BY_SHARES = [{"share": 25, "bake": 20}, {"share": 100}]
LOOKS = {"rollout_analysis_interval": 2, "rollout_metric_window": 12, "rollout_metric_policy": {"on_no_data": "wait"}}


@pytest.fixture
def crowd(fleet: Lab, tmp_path: pathlib.Path) -> t.Iterator[Background]:
    """Enough quick requests for a judge."""
    with traffic(fleet.urls(), tmp_path / "crowd.json", inside=fleet.inside(), **QUICK_USERS) as crowd:
        yield crowd


def gates(shop: Shop) -> list[tuple[int, str]]:
    judged = [json.loads(event["data"]) for event in shop.events() if event["kind"] == "gate"]
    return [(one["stage"], one["verdict"]) for one in judged]


def test_a_good_version_grows_by_hosts(shop: Shop, rolling: Rolling, crowd: Background, tmp_path: pathlib.Path) -> None:
    shop.lab.add_release("2.0.0")
    with scraped(shop, tmp_path) as settings:
        ended = rolling.run("2.0.0", playbook="canary", rollout_canary_steps=BY_HOSTS, **LOOKS, **settings)
    assert ended.exit_code == 0, f"{ended.output}\n{shop.story()}"
    assert gates(shop) == [(1, "pass"), (2, "pass"), (3, "pass")]
    assert shop.all_on("2.0.0"), shop.versions()
    seen = crowd.stop()
    assert seen["failed"] == 0, seen["failures"]


def test_a_version_that_errs_is_stopped_in_the_stage_of_one_host(
    shop: Shop, rolling: Rolling, crowd: Background, tmp_path: pathlib.Path
) -> None:
    shop.lab.add_release(BAD, {"errors": 0.1})
    before = shop.starts()
    with scraped(shop, tmp_path) as settings:
        ended = rolling.run(BAD, playbook="canary", rollout_canary_steps=BY_HOSTS, **LOOKS, **settings)
    assert ended.exit_code != 0, ended.output
    assert f"{BAD} rolled back: the gate of stage 1: fail: errors" in ended.last_line, ended.output
    assert gates(shop) == [(1, "fail")]
    assert len(shop.touched(BAD, before)) == 1
    assert shop.all_on("1.0.0"), shop.versions()


def test_a_version_that_errs_loses_its_share(
    shop: Shop, rolling: Rolling, crowd: Background, tmp_path: pathlib.Path
) -> None:
    shop.lab.add_release(BAD, {"errors": 0.1})
    group = {"rollout_canary_group": CANARY, "rollout_canary_steps": BY_SHARES}
    with scraped(shop, tmp_path) as settings:
        ended = rolling.run(BAD, playbook="canary", **group, **LOOKS, **settings)
    assert ended.exit_code != 0, ended.output
    assert f"{BAD} rolled back: the gate at 25 %: fail: errors" in ended.last_line, ended.output
    assert verdicts(shop) == [(25.0, "fail")]
    assert shop.all_on("1.0.0"), shop.versions()
    assert carries(shop) == {tuple(shop.apps)}
