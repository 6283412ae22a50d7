# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet on 1.0.0 behind two HAProxy nodes that mistaken rollouts are tried on; none of them may touch it."""

from __future__ import annotations

import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import typing as t

import pytest
from support import examples

local_fleet = examples.module("demo", "local_fleet")

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
QUICK = {"rollout_min_healthy_time": 1, "rollout_health_interval": 0.3, "rollout_healthy_deadline": 10}
SYSTEMCTL = """#!/bin/sh
case "$*" in
  *slow.service*) echo LoadState=loaded; echo ActiveState=active; echo SubState=running; echo TimeoutStopUSec=3min ;;
  *) echo LoadState=not-found; echo ActiveState=inactive; echo SubState=dead; echo TimeoutStopUSec=1min 30s ;;
esac
"""


class Site:
    """The fleet, and where files of mistakes go."""

    def __init__(self, fleet: t.Any, files: pathlib.Path) -> None:
        self.fleet = fleet
        self.files = files
        self._programs = files / "bin"
        self._programs.mkdir()
        program = self._programs / "systemctl"
        program.write_text(SYSTEMCTL)
        program.chmod(0o755)

    def play(self, playbook: str, settings: dict[str, t.Any], *options: str) -> tuple[int, str]:
        """A playbook of the checkout, as from there."""
        return self.run(f"playbooks/{playbook}.yml", settings, REPOSITORY, *options)

    def run(self, playbook: str, settings: dict[str, t.Any], directory: pathlib.Path, *options: str) -> tuple[int, str]:
        """A playbook by its path or its full name, as from the given directory."""
        argv = [sys.executable, "-m", "ansible.cli.playbook", playbook, "-i", str(self.fleet.inventory)]
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_HOME": str(self.fleet.directory / "ansible"),
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "PWD": str(directory),
        }
        done = subprocess.run(
            [*argv, "-e", json.dumps({**QUICK, **settings}), *options],
            env=environment, cwd=directory, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def state(self) -> dict[str, t.Any]:
        """All that a rollout could touch: instances, releases, servers, leases, bad versions, what is drained."""
        hosts = self.fleet.directory / "hosts"
        return {
            "started": {name: stats and stats["started_at"] for name, stats in self.fleet.seen().items()},
            "releases": sorted(str(path.relative_to(hosts)) for path in hosts.glob("*/releases/*")),
            "current": {path.parent.name: os.readlink(path) for path in hosts.glob("*/current")},
            "in rotation": self.in_rotation(),
            **{table: self._rows(table) for table in ("bad", "left_out")},
            "held": [row for row in self._rows("lease") if row["run"]],
        }

    def in_rotation(self) -> list[list[str]]:
        """The members that each balancer sends requests to."""
        plan = json.loads((self.fleet.directory / "fleet.json").read_text())
        return [sorted(local_fleet.MAKES[plan["make"]].in_rotation(balancer)) for balancer in plan["balancers"]]

    def _rows(self, table: str) -> list[dict[str, t.Any]]:
        with sqlite3.connect(self.fleet.directory / "ledger" / "ledger.db") as ledger:
            ledger.row_factory = sqlite3.Row
            return [dict(row) for row in ledger.execute(f"SELECT * FROM {table}")]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Site]:
    if not local_fleet.haproxy_node.binary():
        pytest.skip("no haproxy binary on this machine")
    fleet = local_fleet.LocalFleet(tmp_path_factory.mktemp("fleet"), apps=3, make="haproxy")
    try:
        fleet.up()
        site = Site(fleet, tmp_path_factory.mktemp("files"))
        # From now on the ledger has the service and its pool.
        code, output = site.play("rolling", {"rollout_version": "1.0.0"})
        assert code == 0, output
        fleet.add_release("1.1.0")
        yield site
    finally:
        fleet.down()
