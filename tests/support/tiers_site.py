# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three services of local processes, each behind an HAProxy of its own, in one inventory; and tiers.yml ready to be run."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time
import typing as t

from support import examples

local_fleet = examples.module("demo", "local_fleet")

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
NEEDS: dict[str, list[str]] = {"db": [], "api": ["db"], "web": ["api"]}
QUICK: dict[str, t.Any] = {
    "rollout_min_healthy_time": 0.5,
    "rollout_health_interval": 0.2,
    "rollout_healthy_deadline": 8,
    "rollout_progress_deadline": 60,
    "rollout_max_unavailable": 1,
    "rollout_min_available": 1,
    "rollout_zone_min_available": 0,
}
OF_A_RELEASE = ("rollout_artifact", "rollout_release_path", "rollout_stop_command", "rollout_start_command")
BOTH = [
    {
        "name": "Put the release of each service in its place",
        "steady.rollout.release": {
            "path": "{{ item.release_path }}",
            "version": "{{ item.release }}",
            "source": "{{ item.artifact }}",
        },
        "loop": "{{ parts }}",
    },
    {
        "name": "Restart each service",
        "ansible.builtin.shell": "{{ item.stop_command }} && {{ item.start_command }}",
        "loop": "{{ parts }}",
    },
]
"""Task file that updates two services on a host that is drained for both."""
Events = t.List[t.Tuple[str, str]]
OWN_NAME = "{{ rollout_member }}"


@dataclasses.dataclass
class Ended:
    exit_code: int
    output: str

    @property
    def last_line(self) -> str:
        return next((line for line in reversed(self.output.splitlines()) if line.strip()), "")


class TiersSite:
    """Use it as a context. *folder* gets everything; a service is called as its group."""

    def __init__(self, folder: pathlib.Path, apps: int = 2) -> None:
        self.folder = folder
        self.fleets = {
            name: local_fleet.LocalFleet(folder / name, apps=apps, balancers=1, make="haproxy") for name in NEEDS
        }
        self.inventory = folder / "hosts.json"
        self._runs = 0

    def __enter__(self) -> TiersSite:
        for fleet in self.fleets.values():
            fleet.up()
        self.inventory.write_text(json.dumps(self._inventory(), indent=1), encoding="utf-8")
        return self

    def __exit__(self, *_error: object) -> None:
        for fleet in self.fleets.values():
            fleet.down()

    def urls(self) -> list[str]:
        return [url for fleet in self.fleets.values() for url in fleet.urls()]

    def instances(self) -> dict[str, list[str]]:
        """Where each instance answers, those first that need others."""
        return {name: list(self.fleets[name].app_urls().values()) for name in reversed(NEEDS)}

    def add_release(self, version: str, bad: str = "") -> None:
        """For every service; for the one that is *bad* it never becomes healthy."""
        for name, fleet in self.fleets.items():
            fleet.add_release(version, {"health": "unhealthy"} if name == bad else None)

    def versions(self) -> dict[str, set[str]]:
        return {name: {self._version(seen) for seen in fleet.seen().values()} for name, fleet in self.fleets.items()}

    def start(self, *words: str, playbook: str = "tiers", **settings: t.Any) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "ansible.cli.playbook", f"playbooks/{playbook}.yml", "-i", str(self.inventory)]
        argv += ["-e", json.dumps({**QUICK, **settings}), *words]
        environment = {**os.environ, "ANSIBLE_HOME": str(self.folder / "ansible"), "ANSIBLE_NOCOLOR": "1"}
        self._runs += 1
        with self._log(self._runs).open("wb") as log:
            return subprocess.Popen(
                argv, cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def run(self, *words: str, playbook: str = "tiers", **settings: t.Any) -> Ended:
        return self.ended(self.start(*words, playbook=playbook, **settings))

    def ended(self, run: subprocess.Popen[bytes], number: int = 0) -> Ended:
        """*number* is that of the run, the newest one unless given."""
        code = run.wait(timeout=300)
        return Ended(code, self._log(number or self._runs).read_text(encoding="utf-8", errors="replace"))

    def kill(self, run: subprocess.Popen[bytes]) -> None:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()

    def events(self) -> Events:
        """Service and kind of each, in their order."""
        path = self.folder / "ledger" / "ledger.db"
        if not path.exists():
            return []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        try:
            return [(row[0], row[1]) for row in connection.execute("SELECT service, kind FROM event ORDER BY seq")]
        except sqlite3.OperationalError:
            return []
        finally:
            connection.close()

    def await_events(self, count: int, run: subprocess.Popen[bytes], within: float = 120.0) -> bool:
        """False where the run has ended before."""
        return self.await_that(lambda events: len(events) >= count, run, within)

    def await_that(
        self, holds: t.Callable[[Events], bool], run: subprocess.Popen[bytes], within: float = 120.0
    ) -> bool:
        """Until it holds of the events; False where the run has ended before."""
        deadline = time.monotonic() + within
        while not holds(self.events()):
            if run.poll() is not None:
                return False
            if time.monotonic() > deadline:
                raise AssertionError(f"still not after {within:g} s: {self.events()}")
            time.sleep(0.02)
        return True

    def share_hosts(self, own_versions: bool = False) -> None:
        """From here on api and web are one service on hosts that run both, each behind the balancer that it has.

        With versions of their own that of web is the revision, web_release.
        """
        of_both = ["{{ rollout_target.version }}"] * 2
        releases = [of_both[0], "{{ rollout_target.revision }}"] if own_versions else of_both
        inventory = json.loads(self.inventory.read_text(encoding="utf-8"))["all"]
        api, web = (inventory["children"].pop(name) for name in ("api", "web"))
        hosts = {}
        for name, values in api["hosts"].items():
            of_web = web["hosts"][name.replace("api-", "web-")]
            hosts[name.replace("api-", "both-")] = {**values, "web_port": of_web["shop_port"]}
        steps = self.folder / "both.yml"
        steps.write_text(json.dumps(BOTH), encoding="utf-8")
        parts = [
            {
                **{
                    key: one["vars"][f"rollout_{key}"].replace("{{ rollout_target.version }}", of_it)
                    for key in ("artifact", "release_path", "stop_command", "start_command")
                },
                "release": of_it,
            }
            for one, of_it in zip((api, web), releases)
        ]
        settings = {name: value for name, value in api["vars"].items() if name not in OF_A_RELEASE}
        settings.update(
            rollout_service="both",
            rollout_balancers=[*api["vars"]["rollout_balancers"], *web["vars"]["rollout_balancers"]],
            rollout_update_tasks=str(steps),
            rollout_smoke_tests=[
                {
                    "name": "web",
                    "url": "http://{{ ansible_host }}:{{ web_port }}/health",
                    "expect": f"status == 'healthy' && version == '{releases[1]}'",
                }
            ],
            rollout_revision="{{ web_release }}" if own_versions else "",
            parts=parts,
        )
        inventory["children"]["both"] = {"hosts": hosts, "vars": settings}
        tiers = inventory["vars"]["rollout_tiers"]
        inventory["vars"]["rollout_tiers"] = {
            "db": tiers["db"], "both": {"fleet": "both", "version": "{{ release }}", "needs": ["db"]}
        }  # fmt: skip
        self.inventory.write_text(json.dumps({"all": inventory}, indent=1), encoding="utf-8")

    def _version(self, seen: dict[str, t.Any] | None) -> str:
        return str(seen["version"]) if seen else "does not answer"

    def _log(self, number: int) -> pathlib.Path:
        return self.folder / f"run-{number}.log"

    def _inventory(self) -> dict[str, t.Any]:
        children: dict[str, t.Any] = {"balancers": {"hosts": {}}}
        everything: dict[str, t.Any] = {}
        for name, fleet in self.fleets.items():
            text = fleet.inventory.read_text(encoding="utf-8").replace("{{ inventory_hostname }}", OWN_NAME)
            written = json.loads(text)["all"]
            everything = written["vars"]
            group = written["children"]["fleet"]
            hosts = {f"{name}-{app}": {**values, "rollout_member": app} for app, values in group["hosts"].items()}
            settings = {
                **group["vars"],
                "rollout_service": name,
                "rollout_ledger": str(self.folder / "ledger"),
                "rollout_claim_directory": str(self.folder / "claims"),
                "rollout_balancers": [
                    {**one, "host": f"{name}-{one['host']}"} for one in group["vars"]["rollout_balancers"]
                ],
            }
            children[name] = {"hosts": hosts, "vars": {**settings, **QUICK}}
            children["balancers"]["hosts"].update({one["host"]: {} for one in settings["rollout_balancers"]})
        tiers = {
            name: {"fleet": name, "version": "{{ release }}", "requires": dict.fromkeys(needs, ">=1")}
            for name, needs in NEEDS.items()
        }
        return {"all": {"vars": {**everything, "rollout_tiers": tiers, "release": "2.0.0"}, "children": children}}
