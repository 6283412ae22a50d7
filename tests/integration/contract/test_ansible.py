# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules as Ansible runs them: in the worker, and as a module process."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
import yaml
from support.caller import Caller
from support.real_balancer import SHOP, RealBalancer

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
TO_ROOT = {"become": True, "become_user": "root", "become_method": "ansible.builtin.su"}


@pytest.mark.parametrize("way", ["in_the_worker", "as_a_module"])
def test_through_ansible(node: RealBalancer, shop: Caller, directory: pathlib.Path, way: str) -> None:
    """A task that becomes another user is sent as a module."""
    if way == "as_a_module" and os.geteuid() != 0:
        pytest.skip("needs root, to become a user without a password")
    keywords = TO_ROOT if way == "as_a_module" else {}
    balancer = node.settings()
    drain = {"balancer": balancer, "members": "app1", "state": "drained", "timeout": "20"}
    look = {"balancer": balancer, "members": "{{ drained.members | list }}", "require_admin": True}
    found = "looked.members.app1.own == 'drained' and not looked.members.app1.in_rotation"
    put_back = {"balancer": balancer, "states": "{{ drained.restore.states }}"}
    tasks: list[dict[str, t.Any]] = [
        {"steady.rollout.lb_member": drain, "register": "drained"},
        {"steady.rollout.lb_member_info": look, "register": "looked"},
        {"ansible.builtin.assert": {"that": [found, "drained is changed"]}},
        {"steady.rollout.lb_member": put_back, "register": "back"},
        {"ansible.builtin.assert": {"that": ["back.members.app1.in_rotation", "back is changed"]}},
    ]
    code, output = run_playbook(directory, [{**task, **keywords} for task in tasks])
    assert code == 0, output
    assert node.answered_by() == set(SHOP)
    assert set(shop.states().values()) == {"in_service"}


def run_playbook(directory: pathlib.Path, tasks: list[dict[str, t.Any]]) -> tuple[int, str]:
    playbook = directory / "play.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOME": str(directory / "ansible"),
        "HOME": str(directory),
    }
    argv = [sys.executable, "-m", "ansible.cli.playbook", "-i", "localhost,", "-c", "local", str(playbook)]
    argv += ["-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(
        argv, env=environment, cwd=directory, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + done.stderr
