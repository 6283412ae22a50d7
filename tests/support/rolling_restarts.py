# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rolling restarts of real replicated services, by the playbook that an operator runs."""

from __future__ import annotations

import json
import pathlib
import typing as t

import yaml
from support.playbooks import REPOSITORY, run_playbook
from support.replicas import NAMES, Replicas

SETTINGS: dict[str, t.Any] = {
    "rollout_service": "shop-db",
    # The servers tell no version, and a restart changes none.
    "rollout_version": "1",
    # All three at once, as far as everything but the veto is concerned.
    "rollout_max_unavailable": 3,
    "rollout_min_available": 0,
    "rollout_min_healthy_time": 0.5,
    "rollout_health_interval": 0.2,
    "rollout_healthy_deadline": 30,
    "rollout_veto_poll": 0.5,
}


def roll(
    service: Replicas,
    directory: pathlib.Path,
    rule: dict[str, t.Any],
    settings: dict[str, t.Any],
    *options: str,
    limit: float = 120,
) -> tuple[int, str]:
    """Exit code and words of restart.yml, with a switchover before the drain as a step of the operator's."""
    task_files = {
        "restart": f"{service.program} restart {{{{ inventory_hostname }}}}",
        "switch_over": f"{service.program} switch-over {{{{ inventory_hostname }}}} {{{{ switch_to[inventory_hostname] }}}}",
    }
    for name, command in task_files.items():
        task = {"name": f"Run {name}", "ansible.builtin.command": {"cmd": command}, "changed_when": True}
        (directory / f"{name}.yml").write_text(yaml.safe_dump([task]))
    hosts = {
        name: {"ansible_connection": "local", "rollout_health": {"tcp": f"127.0.0.1:{service.ports[name]}"}, **own}
        for name, own in service.variables().items()
    }
    shared = {
        **SETTINGS,
        "rollout_ledger": str(directory / "ledger"),
        "rollout_claim_directory": str(directory / "claims"),
        "rollout_restart_tasks": str(directory / "restart.yml"),
        "rollout_before_drain_tasks": str(directory / "switch_over.yml"),
        "rollout_veto": [rule],
        "switch_to": dict(zip(NAMES, (*NAMES[1:], NAMES[0]))),
        **settings,
    }
    inventory = {"all": {"children": {"fleet": {"hosts": hosts, "vars": shared}}}}
    (directory / "inventory.yml").write_text(yaml.safe_dump(json.loads(json.dumps(inventory))))
    playbook = REPOSITORY / "playbooks" / "restart.yml"
    code, printed = run_playbook(
        directory, playbook, "-i", str(directory / "inventory.yml"), "--forks", "5", *options, limit=limit
    )
    # Ansible breaks long lines.
    return code, " ".join(printed.split())
