# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first deployment, on hosts where nothing has ever served; a host that is added later, and one that is removed."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from fleet.lab import files
from fleet.lab.hosts import Lab
from fleet.world.configured import of_hosts
from fleet.world.held_step import HeldStep
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import Background, traffic

NOTHING_THERE = "systemctl stop shop; rm -rf /opt/shop/current /opt/shop/releases"
FIRST = "1.0.0"
ALONE = {"rollout_max_unavailable": 1}
"""What holds as soon as something serves; for a first deployment it does not."""


def test_empty_hosts_are_deployed_at_once_and_a_killed_run_is_finished(
    fleet: Lab, shop: Shop, rolling: Rolling, tmp_path: pathlib.Path
) -> None:
    shop.on_each(NOTHING_THERE)
    shop.await_that(lambda: shop.drained() == set(shop.apps))
    served, held = shop.apps[:2], set(shop.apps[2:])
    step = HeldStep(shop, tmp_path, not_on=served)

    killed = rolling.start(FIRST, "--forks=6", rollout_before_restore_tasks=step.tasks, **ALONE)
    step.await_hosts(killed, len(held))
    shop.await_that(lambda: killed.is_over or shop.subjects("proven") == set(served))
    assert shop.drained() == held, killed.output
    killed.kill(group=True)
    step.let_go()
    assert "first deployment: no host serves yet, so all of them may be deployed at once" in killed.output

    with traffic(fleet.urls(), tmp_path / "users.json", inside=fleet.inside(), rate=60, slow_seconds=2) as users:
        ended = rolling.run(FIRST)
        assert ended.exit_code == 0, ended.output
        assert ended.last_line == "shop: all 6 hosts are in service on 1.0.0.", ended.output
        shop.await_all_in_rotation()
        before = shop.starts()
        again = rolling.run(FIRST)
        assert again.said("shop: nothing to do for 1.0.0, 6 hosts are already on it"), again.output
        assert shop.starts() == before
        assert users.stop()["failed"] == 0


@pytest.fixture
def five_members(shop: Shop) -> t.Iterator[None]:
    """The balancers' configuration does not have app6, and nothing is on it."""
    with of_hosts(shop, shop.apps[:5]):
        shop.lab.run("app6", ["sh", "-c", NOTHING_THERE])
        yield


@pytest.mark.usefixtures("five_members")
def test_a_host_is_added_to_the_pools_and_removed_again(shop: Shop, rolling: Rolling, users: Background) -> None:
    everybody, five = set(shop.apps), set(shop.apps[:5])
    refused = rolling.run(FIRST)
    assert refused.exit_code == 2, refused.output
    assert refused.said("app6: its member 'app6' is not in the pool of lb1"), refused.output
    before = shop.starts()

    ended = rolling.run(FIRST, **joining(shop))
    assert ended.exit_code == 0, ended.output
    assert ended.said("to be added to the pool of lb1"), ended.output
    assert ended.said("add 'server app6 10.77.1.6:8080 check inter 500ms rise 2 fall 2' to backend shop"), ended.output
    assert all(members == everybody for members in shop.in_rotation().values())
    after = shop.starts()
    assert {**after, "app6": before["app6"]} == before
    again = rolling.run(FIRST, **joining(shop))
    assert again.said("shop: nothing to do for 1.0.0, 6 hosts are already on it"), again.output

    removed = rolling.run("", playbook="decommission", rollout_remove=["app6"])
    assert removed.exit_code == 0, removed.output
    assert removed.said("removed 'app6' from pool 'shop'. HAProxy's next reload adds 'app6' again"), removed.output
    assert all(shop.members(balancer) == five for balancer in shop.balancers)
    again = rolling.run("", playbook="decommission", rollout_remove=["app6"])
    assert again.said("app6 on lb2: nothing to do."), again.output
    assert shop.starts() == after
    assert users.stop()["failed"] == 0


def joining(shop: Shop) -> dict[str, t.Any]:
    line = {"member_parameters": "check inter 500ms rise 2 fall 2"}
    balancers = [{**files.balancer(host), **line} for host in shop.lab.hosts if host.role == "lb"]
    return {
        "rollout_add_members": True,
        "rollout_member_address": "{{ ansible_host }}:8080",
        "rollout_balancers": balancers,
    }
