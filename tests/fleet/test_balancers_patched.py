# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The balancers' own hosts are patched and rebooted, one node at a time, while users are served."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.world.packages import BUILD, INSTALLED, VERSION
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import traffic

EDGE: dict[str, t.Any] = {
    "rollout_fleet": "balancers",
    "rollout_service": "edge",
    "rollout_unit": "haproxy.service",
    "rollout_balancers": [],
    "rollout_max_unavailable": 1,
    "rollout_min_available": 1,
    "rollout_zone_min_available": 0,
    "rollout_after_drain_tasks": "nodes/stop.yml",
    "rollout_health": {"url": "http://{{ ansible_host }}:8080/health"},
    "rollout_version": "1.0.0",
}


@pytest.mark.long
def test_both_balancers_are_patched_and_rebooted_one_after_the_other(
    fleet: Lab, shop: Shop, rolling: Rolling, tmp_path: pathlib.Path
) -> None:
    for name in shop.balancers:
        for script, words in ((BUILD, ("1.0", "quiet")), (INSTALLED, ()), (BUILD, ("2.0", "reboot"))):
            shop.lab.run(name, ["sh", "-c", script, "sh", *words])
    edge = {**EDGE, "rollout_ledger": str(shop.ledger)}
    before = boots(shop)
    with traffic(fleet.urls(), tmp_path / "users.json", inside=fleet.inside(), rate=60, failover=1) as users:
        ended = rolling.run("", playbook="patch", **edge)
        assert (ended.exit_code, ended.last_line) == (0, "edge: patch done; all 2 hosts are in service on 1.0.0."), (
            ended.output
        )
        after = boots(shop)
        assert all(after[name] != before[name] for name in shop.balancers)
        assert {shop.lab.run(name, ["sh", "-c", VERSION]).stdout for name in shop.balancers} == {"2.0"}
        again = rolling.run("", playbook="patch", **edge)
        assert again.said("edge: nothing to do for patch, 2 hosts are done already"), again.output
        assert boots(shop) == after
        seen = users.stop()
    assert seen["failed"] == 0, seen["failures"]


def boots(shop: Shop) -> dict[str, str]:
    return {name: shop.read(name, "/proc/sys/kernel/random/boot_id") for name in shop.balancers}
