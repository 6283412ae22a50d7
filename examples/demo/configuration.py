# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of the demo's fleet."""

from __future__ import annotations

import json
import pathlib
import sys
import typing as t


def inventory(
    plan: dict[str, t.Any],
    directory: pathlib.Path,
    commands: dict[str, str],
    balancers: t.Mapping[str, dict[str, t.Any]],
) -> str:
    """The inventory, as YAML (JSON is YAML too, and needs no library to be written).

    *balancers* are the entries of rollout_balancers by the name of the node.
    """
    hosts = directory / "hosts"
    apps = {
        app["name"]: {"ansible_host": app["host"], "shop_port": app["port"], "rollout_zone": app["zone"]}
        for app in plan["apps"]
    }
    fleet = {
        "rollout_service": "shop",
        "rollout_artifact": f"{directory / 'releases'}/shop-{{{{ rollout_target.version }}}}.tar.gz",
        "rollout_release_path": f"{hosts}/{{{{ inventory_hostname }}}}",
        "rollout_start_command": commands["start"],
        "rollout_stop_command": commands["stop"],
        "rollout_max_unavailable": 2,
        "rollout_min_available": "60%",
        "rollout_min_healthy_time": 6,
        "rollout_healthy_deadline": 14,
        "rollout_progress_deadline": 60,
        "rollout_ledger": str(directory / "ledger"),
        "rollout_claim_directory": str(directory / "claims"),
        "rollout_balancers": [{"host": name, **settings} for name, settings in balancers.items()],
        "rollout_health": {
            "url": "http://{{ ansible_host }}:{{ shop_port }}/health",
            "expect": "status == 'healthy' && version == '{{ rollout_target.version }}'",
        },
    }
    everything = {
        "vars": {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_remote_tmp": str(directory / "ansible"),
        },
        "children": {
            "fleet": {"hosts": apps, "vars": fleet},
            "balancers": {"hosts": {name: {} for name in balancers}},
        },
    }
    return json.dumps({"all": everything}, indent=2) + "\n"
