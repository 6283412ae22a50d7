# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules as Ansible runs them: in the worker, and as a module process."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import yaml
from support.aws_world import CONNECTIONS, World

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


def run_playbook(directory: pathlib.Path, tasks: list[dict[str, t.Any]], **variables: str) -> tuple[int, str]:
    """*variables* are the environment of the play: that of Ansible itself has nothing of AWS."""
    playbook = directory / "play.yml"
    play = {"hosts": "localhost", "gather_facts": False, "environment": variables, "tasks": tasks}
    playbook.write_text(yaml.safe_dump([play]))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOME": str(directory / "ansible"),
        "HOME": str(directory),
    }
    argv = [sys.executable, "-m", "ansible.cli.playbook", "-i", "localhost,", "-c", "local", str(playbook)]
    argv += ["-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(argv, env=environment, cwd=directory, capture_output=True, text=True, timeout=90, check=False)
    return done.returncode, done.stdout + done.stderr


def test_drain_weigh_and_put_back(world: World, way: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    group = {
        "type": "aws_target_group",
        "pool": "shop",
        "targets": world.targets(),
        "connections_command": CONNECTIONS,
        "connections_quiet": "0.2",
    }
    world.set_attribute("shop", "deregistration_delay.timeout_seconds", "300")
    tasks: list[dict[str, t.Any]] = [
        {"steady.rollout.lb_member_info": {"balancer": group, "require_admin": True}, "register": "looked"},
        {
            "steady.rollout.lb_member": {"balancer": group, "members": "app1", "state": "drained", "timeout": "20"},
            "register": "drained",
        },
        {
            "steady.rollout.lb_member": {"balancer": group, "states": "{{ drained.restore.states }}"},
            "register": "back",
        },
        {
            "steady.rollout.lb_weight": {
                "balancer": {"type": "aws_listener", "pool": "front:80"},
                "shares": {"shop": "100"},
            },
            "register": "split",
        },
        {
            "ansible.builtin.copy": {
                "content": "{{ [looked, drained, back, split] | to_json }}",
                "dest": f"{tmp_path}/results.json",
                "mode": "0600",
            }
        },
    ]
    for task in tasks[:4]:
        task.update(way)
    code, output = run_playbook(tmp_path, tasks, **world.aws.environment())
    assert code == 0, output
    looked, drained, back, split = json.loads((tmp_path / "results.json").read_text())
    assert {member["operational"] for member in looked["members"].values()} == {"up"}
    assert drained["members"]["app1"]["outcome"] == "reached"
    assert back["members"]["app1"]["in_rotation"] is True
    assert split["achieved"] == {"shop": 100.0}
    assert set(world.states().values()) == {"healthy"}
