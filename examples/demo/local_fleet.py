# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet on one machine, without root: six instances of the shop behind two nodes of HAProxy, or else of Envoy.

    local_fleet.py up       start what is not running, from release 1.0.0 where nothing was released before
    local_fleet.py down     stop everything and remove it
    local_fleet.py status   who runs, on which version

Everything lives in build/demo: hosts/appN (the instances' own directories), balancers/lbN, inventory/hosts.yml.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pathlib
import shlex
import shutil
import sys
import tarfile
import tempfile
import types
import typing as t
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "shop"))

import app_ctl
import build_release
import configuration
import envoy_node
import haproxy_node
import process

FIRST_VERSION = "1.0.0"
FIRST_PORT = 18100
READY_PATIENCE = 20.0
MAKES: dict[str, types.ModuleType] = {"haproxy": haproxy_node, "envoy": envoy_node}
"""Load balancers that can stand before the fleet, the preferred one first."""


def usual_make() -> str:
    """The first make that is here; raises ProcessError where none is."""
    for name, make in MAKES.items():
        if make.binary():
            return name
    ways = " or ".join(make.MISSING for make in MAKES.values())
    raise process.ProcessError(f"There is neither HAProxy nor Envoy here; {ways}.")


class LocalFleet:
    """The demo's instances and balancers; every method may be called again at any time.

    *make* is one of MAKES, by default the first that is here.
    """

    def __init__(self, directory: pathlib.Path, apps: int = 6, balancers: int = 2, make: str = "") -> None:
        self.directory = directory
        self.inventory = directory / "inventory" / "hosts.yml"
        self.releases = directory / "releases"
        self._plan_file = directory / "fleet.json"
        self._apps = apps
        self._balancers = balancers
        self._make = make

    def up(self) -> None:
        """Starts everything and returns when each balancer sends traffic to each instance."""
        plan = self._plan()
        if plan["balancers"]:
            self._require_binary(plan["make"])
        self.add_release(FIRST_VERSION)
        for instance in plan["apps"]:
            self._prepare_app(instance)
            app_ctl.start(self.app_directory(instance["name"]))
        for balancer in plan["balancers"]:
            self._start_balancer(balancer, plan)
        self.inventory.parent.mkdir(parents=True, exist_ok=True)
        balancers = {
            balancer["name"]: MAKES[plan["make"]].settings(balancer, self._node_directory(balancer))
            for balancer in plan["balancers"]
        }
        text = configuration.inventory(plan, self.directory, self._commands(), balancers)
        self.inventory.write_text(text, encoding="utf-8")
        self._await_ready(plan)

    def down(self) -> None:
        """Stops everything and removes the instances' and balancers' directories and the inventory."""
        for pid_file in sorted(self.directory.glob("*/*/*.pid")):
            process.stop(pid_file)
        if self._plan_file.exists():
            for balancer in self._plan()["balancers"]:
                shutil.rmtree(balancer.get("run", self._node_directory(balancer)), ignore_errors=True)
        for name in ("hosts", "balancers", "inventory", "releases", "ledger", "claims", "ansible"):
            shutil.rmtree(self.directory / name, ignore_errors=True)
        self._plan_file.unlink(missing_ok=True)

    def add_release(self, version: str, behaviour: dict[str, t.Any] | None = None) -> None:
        """Builds the artifact of a version where the inventory looks for it; with a *behaviour*, a bad one."""
        build_release.build(version, self.releases, behaviour)

    def app_directory(self, name: str) -> pathlib.Path:
        return self.directory / "hosts" / name

    def urls(self) -> list[str]:
        """Where the balancers serve."""
        return [f"http://127.0.0.1:{balancer['port']}" for balancer in self._plan()["balancers"]]

    def app_urls(self) -> dict[str, str]:
        """Where the instances themselves serve, by name."""
        return {app["name"]: f"http://{app['host']}:{app['port']}" for app in self._plan()["apps"]}

    def eyes(self) -> dict[str, str]:
        """Where an observer looks at the balancers, by name."""
        plan = self._plan()
        return {balancer["name"]: MAKES[plan["make"]].eye(balancer) for balancer in plan["balancers"]}

    def seen(self) -> dict[str, dict[str, t.Any] | None]:
        """What each instance itself answers to /stats, asked directly; None where it does not answer."""
        return {name: _stats(url) for name, url in self.app_urls().items()}

    def _plan(self) -> dict[str, t.Any]:
        if not self._plan_file.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            self._plan_file.write_text(json.dumps(self._new_plan(), indent=1), encoding="utf-8")
        return t.cast("dict[str, t.Any]", json.loads(self._plan_file.read_text(encoding="utf-8")))

    def _new_plan(self) -> dict[str, t.Any]:
        make = self._make or usual_make()
        needed = MAKES[make].PORTS
        ports = _free_ports(self.directory, self._apps + needed * self._balancers)
        apps = [
            {"name": f"app{number + 1}", "host": "127.0.0.1", "port": ports.pop(0), "zone": "abc"[number % 3]}
            for number in range(self._apps)
        ]
        balancers: list[dict[str, t.Any]] = []
        for number in range(self._balancers):
            name = f"lb{number + 1}"
            own = [ports.pop(0) for dummy in range(needed)]
            balancers.append({"name": name, **MAKES[make].described(self._run_directory(name), own)})
        return {"make": make, "apps": apps, "balancers": balancers}

    def _require_binary(self, make: str) -> None:
        if MAKES[make].binary() is None:
            raise process.ProcessError(f"There is no {make} here; {MAKES[make].MISSING}.")

    def _node_directory(self, balancer: dict[str, t.Any]) -> pathlib.Path:
        return self.directory / "balancers" / str(balancer["name"])

    def _run_directory(self, name: str) -> pathlib.Path:
        """Where the balancer's sockets are; a unix socket's path may have no more than 107 bytes."""
        run = self.directory / "balancers" / name / "run"
        if len(str(run)) <= 70:
            return run
        return pathlib.Path(tempfile.gettempdir()) / f"steady-demo-{_digest(run)}"

    def _prepare_app(self, instance: dict[str, t.Any]) -> None:
        directory = self.app_directory(instance["name"])
        current = directory / "current"
        if not current.is_symlink():
            release = directory / "releases" / FIRST_VERSION
            release.mkdir(parents=True, exist_ok=True)
            with tarfile.open(self.releases / f"shop-{FIRST_VERSION}.tar.gz") as archive:
                archive.extractall(release)
            current.symlink_to(pathlib.Path("releases") / FIRST_VERSION)
        (directory / "instance.json").write_text(json.dumps(instance), encoding="utf-8")

    def _start_balancer(self, balancer: dict[str, t.Any], plan: dict[str, t.Any]) -> None:
        directory = self._node_directory(balancer)
        directory.mkdir(parents=True, exist_ok=True)
        pid_file = directory / f"{plan['make']}.pid"
        if process.running(pid_file) is None:
            argv = MAKES[plan["make"]].prepare(balancer, plan["apps"], directory)
            process.start(argv, pid_file, directory / f"{plan['make']}.log")

    def _commands(self) -> dict[str, str]:
        control = f"{shlex.quote(sys.executable)} {shlex.quote(str(HERE / 'app_ctl.py'))}"
        directory = shlex.quote(str(self.directory / "hosts")) + "/{{ inventory_hostname }}"
        return {command: f"{control} {command} {directory}" for command in ("start", "stop")}

    def _await_ready(self, plan: dict[str, t.Any]) -> None:
        make, names = plan["make"], {app["name"] for app in plan["apps"]}
        for balancer in plan["balancers"]:

            def complete(balancer: dict[str, t.Any] = balancer) -> bool:
                return bool(MAKES[make].in_rotation(balancer) >= names)

            if not process.wait_for(complete, READY_PATIENCE):
                raise process.ProcessError(
                    f"{balancer['name']} does not send traffic to all of {', '.join(sorted(names))} after "
                    f"{READY_PATIENCE:g} s; see {self._node_directory(balancer) / make}.log."
                )


def _free_ports(directory: pathlib.Path, count: int) -> list[int]:
    """Ports of the loopback that nobody listens on, below those that the kernel gives away by itself.

    Each directory has its own place to begin, so that fleets started at the same time do not meet.
    """
    first = FIRST_PORT + 40 * (int(_digest(directory), 16) % 300)
    ports = [port for port in range(first, first + 500) if not app_ctl.listens("127.0.0.1", port)]
    return ports[:count]


def _digest(path: pathlib.Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:12]


def _stats(url: str) -> dict[str, t.Any] | None:
    try:
        with urllib.request.urlopen(f"{url}/stats", timeout=5.0) as answer:
            return t.cast("dict[str, t.Any]", json.load(answer))
    except (OSError, ValueError):
        return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("up", "down", "status"))
    parser.add_argument("--directory", type=pathlib.Path, default=REPOSITORY / "build" / "demo")
    arguments = parser.parse_args()
    fleet = LocalFleet(arguments.directory)
    try:
        if arguments.command == "up":
            fleet.up()
        if arguments.command == "down":
            fleet.down()
            return 0
    except process.ProcessError as error:
        print(error, file=sys.stderr)
        return 1
    for name, stats in fleet.seen().items():
        print(f"{name}: {stats['version'] if stats else 'does not answer'}")
    print(f"traffic: {' '.join(fleet.urls())}")
    print(f"inventory: {fleet.inventory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
