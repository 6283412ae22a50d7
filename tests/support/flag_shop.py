# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of two names on this host, a flag in a system of the test's choice, and playbooks/flag.yml ready to be run."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time
import typing as t

import yaml
from support.flag_systems import FLAG

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
STEPS = [{"percent": 1, "bake": 1}, {"percent": 10, "bake": 1}, {"percent": 100, "bake": 1}]
SLOW = [{**step, "bake": 6} for step in STEPS]


class Shop:
    """What a test does with them."""

    def __init__(self, folder: pathlib.Path, system: dict[str, t.Any]) -> None:
        self.folder = folder
        self.runs: list[subprocess.Popen[bytes]] = []
        hosts = {name: {"ansible_connection": "local"} for name in ("app1", "app2")}
        inventory = {"all": {"children": {"fleet": {"hosts": hosts}}}}
        (folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        self.settings: dict[str, t.Any] = {
            "rollout_service": "shop",
            "rollout_ledger": str(folder / "ledger"),
            "rollout_lease_ttl": 5,
            "rollout_analysis_interval": 1,
            "rollout_flags": [{"name": FLAG, "system": system}],
            "rollout_flag_steps": STEPS,
            "ansible_python_interpreter": sys.executable,
        }

    def argv(self, **settings: t.Any) -> list[str]:
        (self.folder / "settings.json").write_text(json.dumps({**self.settings, **settings}), encoding="utf-8")
        argv = [
            sys.executable,
            "-m",
            "ansible.cli.playbook",
            "playbooks/flag.yml",
            "-i",
            str(self.folder / "inventory.yml"),
        ]
        return [*argv, "-e", f"@{self.folder}/settings.json"]

    def start(self, *options: str, **settings: t.Any) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
        }
        with (self.folder / "log").open("ab") as log:
            run = subprocess.Popen(
                [*self.argv(**settings), *options],
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.runs.append(run)
        return run

    def close(self) -> None:
        """Ends what a test has left running."""
        for run in self.runs:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
                run.wait(timeout=20)

    def run(self, *options: str, **settings: t.Any) -> tuple[int, str]:
        """The exit code, and what this run printed."""
        before = len(self.log())
        exit_code = self.start(*options, **settings).wait(timeout=120)
        return exit_code, self.log()[before:]

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def events(self, kind: str) -> list[dict[str, t.Any]]:
        path = self.folder / "ledger" / "ledger.db"
        if not path.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'event'").fetchall():
                return []
            rows = connection.execute("SELECT data FROM event WHERE kind = ? ORDER BY seq", (kind,))
            return [json.loads(row[0]) for row in rows]

    def shares(self) -> list[int]:
        """Those that were read back, in their order."""
        return [event["percent"] for event in self.events("flag_share")]

    def await_share(self, percent: int, run: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 60
        while percent not in self.shares() and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert percent in self.shares(), self.log()

    def killed_at(self, percent: int) -> None:
        """A run that is killed with all its processes once the share is read back."""
        run = self.start(rollout_flag_steps=SLOW)
        self.await_share(percent, run)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait(timeout=20)

    def control(self, state: str) -> None:
        task = f"state={state} service=shop ledger={self.folder}/ledger"
        argv = [
            sys.executable,
            "-m",
            "ansible.cli.adhoc",
            "localhost",
            "-m",
            "steady.rollout.rollout_control",
            "-a",
            task,
        ]
        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections")}
        subprocess.run(argv, env=environment, cwd=self.folder, check=True, capture_output=True, timeout=60)
