# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary whose traffic an ALB splits between two target groups, up to its plan; tests/fleet has the whole of it."""

from __future__ import annotations

import json
import pathlib

from support.aws_world import World
from support.playbooks import REPOSITORY, run_playbook

CANARY = REPOSITORY / "playbooks" / "canary.yml"


def test_a_listener_that_has_neither_host_nor_socket_splits_the_traffic(world: World, tmp_path: pathlib.Path) -> None:
    """It was taken for a node that does not answer: the loop over such nodes could not be labelled."""
    shares = [
        {"TargetGroupArn": world.make_group(name, members), "Weight": len(members)}
        for name, members in {"shop-main": ["app1", "app2"], "shop-canary": ["app3"]}.items()
    ]
    world.elb.modify_listener(
        ListenerArn=world.listener,
        DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}],
    )
    for name in ("shop-main", "shop-canary"):
        world.await_healthy(name)
    exit_code, printed = run_playbook(
        tmp_path, CANARY, "-i", "app1,app2,app3,", "--check", "-e", json.dumps(settings(world, tmp_path))
    )
    assert exit_code == 0, printed
    assert "then main is brought there and the split is main 66.67 %, canary 33.33 % again" in " ".join(printed.split())


def settings(world: World, directory: pathlib.Path) -> dict[str, object]:
    update = directory / "update.yml"
    update.write_text("- name: Update\n  ansible.builtin.command: 'true'\n")
    groups = {"main": ["shop-main"], "canary": ["shop-canary"]}
    return {
        "ansible_connection": "local",
        "rollout_service": "shop",
        "rollout_version": "2.0.0",
        "rollout_fleet": "all",
        "rollout_ledger": str(directory / "ledger"),
        "rollout_health": {"tcp": f"127.0.0.1:{world.port}"},
        "rollout_accept": ["health"],
        "rollout_update_tasks": str(update),
        "rollout_start_command": "true",
        "rollout_balancers": [],
        "rollout_traffic_balancers": [
            {"type": "aws_listener", "pool": "front:80", "endpoint_url": world.aws.endpoint, "groups": groups}
        ],
        "rollout_canary_group": ["app3"],
    }
