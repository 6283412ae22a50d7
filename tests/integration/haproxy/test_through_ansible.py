"""The modules as Ansible runs them: in the worker, and as a module process."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import yaml
from support.haproxy import Node

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


def run_playbook(directory: pathlib.Path, tasks: list[dict[str, t.Any]], *options: str) -> tuple[int, str]:
    playbook = directory / "play.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOME": str(directory / "ansible"),
        "HOME": str(directory),
    }
    argv = [sys.executable, "-m", "ansible.cli.playbook", "-i", "localhost,", "-c", "local", str(playbook), *options]
    argv += ["-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(argv, env=environment, cwd=directory, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_drain_look_and_put_back(node: Node, way: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    balancer = {"host": "lb1", "socket": node.socket("admin"), "master_socket": node.socket("master"), "pool": "shop"}
    tasks: list[dict[str, t.Any]] = [
        {
            "name": "Drain",
            "steady.rollout.lb_member": {"balancer": balancer, "members": "app1", "state": "drained", "timeout": "5"},
            "register": "drained",
        },
        {
            "name": "Look",
            "steady.rollout.lb_member_info": {"balancer": balancer, "require_admin": True},
            "register": "looked",
        },
        {
            "name": "Put back",
            "steady.rollout.lb_member": {"balancer": balancer, "states": "{{ drained.restore.states }}"},
            "register": "back",
        },
        {
            "name": "Refuse",
            "steady.rollout.lb_member": {
                "balancer": balancer,
                "members": ["app1", "app2", "app3"],
                "state": "drained",
                "guard": {"min_in_service": 1},
            },
            "register": "refused",
            "ignore_errors": True,
        },
        {
            "name": "Write down what came of it",
            "ansible.builtin.copy": {
                "content": "{{ [drained, looked, back, refused] | to_json }}",
                "dest": f"{tmp_path}/results.json",
            },
        },
    ]
    # The last task is no module of ours and needs no other user.
    exit_code, output = run_playbook(tmp_path, [{**task, **way} for task in tasks[:-1]] + tasks[-1:], "--diff")
    assert exit_code == 0, output
    drained, looked, back, refused = json.loads((tmp_path / "results.json").read_text())
    assert drained["changed"] is True
    assert drained["members"]["app1"]["outcome"] == "reached"
    assert drained["diff"]["after"] == {"app1": "drained"}
    assert looked["changed"] is False
    assert looked["members"]["app1"]["admin"] == "drained"
    assert looked["members"]["app2"]["in_rotation"] is True
    assert looked["version"].startswith(("2.", "3."))
    assert back["members"]["app1"]["in_rotation"] is True
    assert (refused["failed"], refused["refused"], refused["changed"]) == (True, True, False)
    assert node.admin_bits() == {"app1": 0, "app2": 0, "app3": 0}


def test_check_mode_through_ansible(node: Node, way: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    balancer = {"socket": node.socket("admin"), "pool": "shop"}
    task = {"steady.rollout.lb_member": {"balancer": balancer, "members": ["app1"], "state": "drained"}, **way}
    exit_code, output = run_playbook(tmp_path, [task], "--check", "--diff")
    assert exit_code == 0, output
    assert "changed=1" in output
    assert node.admin_bits()["app1"] == 0


def test_wrong_types_are_named(node: Node, way: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    balancer = {"socket": node.socket("admin"), "pool": "shop"}
    task = {
        "steady.rollout.lb_member": {"balancer": balancer, "members": ["app1"], "state": "drained", "timeout": "soon"},
        **way,
    }
    exit_code, output = run_playbook(tmp_path, [task])
    assert exit_code != 0
    assert "timeout" in output
    assert "is not a duration" in output
    assert node.admin_bits()["app1"] == 0
