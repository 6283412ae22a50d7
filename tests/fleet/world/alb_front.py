# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's hosts behind the Application Load Balancer of alb.py, and the settings of a rollout for it."""

from __future__ import annotations

import pathlib
import sys
import typing as t

from fleet.lab.files import SERVICE_PORT
from fleet.lab.hosts import Lab
from fleet.world import alb
from support.background import Background

API = {"AWS_ACCESS_KEY_ID": "TESTER", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "eu-central-1"}


def alb_of(lab: Lab, tmp_path: pathlib.Path, groups: t.Mapping[str, t.Sequence[str]] | None = None) -> Background:
    """All app hosts in the target group shop, or in *groups* of them."""
    argv = [*lab.inside(), sys.executable, alb.__file__]
    argv += [f"--target={name}={at}" for name, at in addresses(lab).items()]
    argv += [f"--group={name}={','.join(members)}" for name, members in (groups or {}).items()]
    return Background(argv, tmp_path / "alb.json")


def target_group(lab: Lab, endpoint: str, pool: str = "shop") -> dict[str, t.Any]:
    """In rollout_balancers."""
    return {
        "type": "aws_target_group",
        "pool": pool,
        "endpoint_url": endpoint,
        "targets": {name: f"{address}:{SERVICE_PORT}" for name, address in addresses(lab).items()},
        "connections_command": count_connections(lab),
        "connections_quiet": 0.5,
    }


def addresses(lab: Lab) -> dict[str, str]:
    return {host.name: host.address for host in lab.hosts if host.role == "app"}


def count_connections(lab: Lab) -> list[str]:
    """Asks the host by ssh, as an operator would have it."""
    known = f"UserKnownHostsFile={lab.places.directory / 'known_hosts'}"
    count = "ss -Htn state established state close-wait '( sport = :{port} )' | wc -l"
    return ["ssh", "-o", "BatchMode=yes", "-o", known, "-i", str(lab.places.key), "root@{id}", count]
