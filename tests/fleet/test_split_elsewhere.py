# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The traffic is split where the hosts are no members: an ALB that weighs two target groups, each drained by steps of one's own.

The API is the fake of tests/support; the hosts behind it are real, and count their own connections.
"""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.world.alb_front import API, alb_of, target_group
from fleet.world.rolling import Rolling
from fleet.world.shifting import CANARY, verdicts
from fleet.world.shop import Shop
from support.background import Background, traffic

pytestmark = pytest.mark.long
GROUPS = {"shop-main": ["app1", "app2", "app3", "app4"], "shop-canary": CANARY}
STEPS = [{"share": 10, "bake": 3}, {"share": 50, "bake": 3}, {"share": 100, "bake": 3}]
MIX = {"rate": 60, "keepalive": 6, "close": 3, "slow": 2, "slow_seconds": 2, "uploads": 2, "upload_seconds": 1}


@pytest.fixture
def front(fleet: Lab, shop: Shop, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Background]:
    pytest.importorskip("moto")
    for name, value in API.items():
        monkeypatch.setenv(name, value)
    with alb_of(fleet, tmp_path, GROUPS) as running:
        yield running


def settings(lab: Lab, endpoint: str, tmp_path: pathlib.Path) -> dict[str, t.Any]:
    """A host is drained in the target group that it is a target of."""
    group = target_group(
        lab, endpoint, "{{ 'shop-canary' if inventory_hostname in rollout_canary_group else 'shop-main' }}"
    )
    steps = {}
    for name, state in {"rollout_before_update_tasks": "drained", "rollout_before_restore_tasks": "in_service"}.items():
        task = {
            "guard": {"allow_outage": True},
            "balancer": group,
            "members": ["{{ inventory_hostname }}"],
            "state": state,
            "timeout": 30,
        }
        path = tmp_path / f"{state}.yml"
        path.write_text(
            json.dumps([{"name": "See to the target", "steady.rollout.lb_member": task, "delegate_to": "localhost"}])
        )
        steps[name] = str(path)
    gate = tmp_path / "gate.yml"
    gate.write_text(REFUSES_666)
    listener = {"type": "aws_listener", "pool": "front:80", "endpoint_url": endpoint}
    return {
        "rollout_balancers": [],
        "rollout_traffic_balancers": [{**listener, "groups": {"main": ["shop-main"], "canary": ["shop-canary"]}}],
        "rollout_canary_group": CANARY,
        "rollout_canary_steps": STEPS,
        "rollout_analysis_interval": 1,
        "rollout_metric_gate": False,
        "rollout_gate_tasks": str(gate),
        **steps,
    }


@pytest.mark.parametrize("version", ["2.0.0", "6.6.6"])
def test_a_canary_by_target_groups(
    shop: Shop, rolling: Rolling, front: Background, tmp_path: pathlib.Path, version: str
) -> None:
    shop.lab.add_release(version)
    report = front.report()
    with traffic([report["url"]], tmp_path / "traffic.json", inside=shop.lab.inside(), **MIX) as users:
        ended = rolling.run(version, playbook="canary", **settings(shop.lab, report["endpoint"], tmp_path))
        seen = users.stop()
    shares = [(10.0, "pass"), (50.0, "pass"), (100.0, "pass")]
    if version == "2.0.0":
        assert ended.exit_code == 0, f"{ended.output}\n{shop.story()}"
        assert ended.last_line == "shop: all 6 hosts are in service on 2.0.0. Traffic: main 66.67 %, canary 33.33 %."
        assert verdicts(shop) == shares
        assert shop.all_on("2.0.0"), shop.versions()
    else:
        assert "6.6.6 rolled back: the gate at 50 %: fail" in ended.last_line, ended.output
        assert verdicts(shop) == [shares[0], (50.0, "fail")]
        assert shop.all_on("1.0.0"), shop.versions()
    assert seen["versions"].keys() == {"1.0.0", version}
    assert seen["failed"] == 0, seen["failures"]


REFUSES_666 = """\
- name: Refuse a version once it has half of the traffic
  ansible.builtin.command: "false"
  when: rollout_version == '6.6.6' and rollout_share | int >= 50
  changed_when: false
"""
