# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet on one machine, without root: six instances of the shop behind two HAProxy nodes.

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
import typing as t
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "shop"))

import app_ctl
import build_release
import configuration
import process

FIRST_VERSION = "1.0.0"
FIRST_PORT = 18100
READY_PATIENCE = 20.0


class LocalFleet:
    """The demo's instances and balancers; every method may be called again at any time."""

    def __init__(self, directory: pathlib.Path, apps: int = 6, balancers: int = 2) -> None:
        self.directory = directory
        self.inventory = directory / "inventory" / "hosts.yml"
        self.releases = directory / "releases"
        self._plan_file = directory / "fleet.json"
        self._apps = apps
        self._balancers = balancers

    def up(self) -> None:
        """Starts everything and returns when each balancer sends traffic to each instance."""
        binary = configuration.haproxy_binary()
        plan = self._plan()
        self.add_release(FIRST_VERSION)
        for instance in plan["apps"]:
            self._prepare_app(instance)
            app_ctl.start(self.app_directory(instance["name"]))
        for balancer in plan["balancers"]:
            self._start_balancer(binary, balancer, plan["apps"])
        self.inventory.parent.mkdir(parents=True, exist_ok=True)
        self.inventory.write_text(configuration.inventory(plan, self.directory, self._commands()), encoding="utf-8")
        self._await_ready(plan)

    def down(self) -> None:
        """Stops everything and removes the instances' and balancers' directories and the inventory."""
        for pid_file in sorted(self.directory.glob("*/*/*.pid")):
            process.stop(pid_file)
        if self._plan_file.exists():
            for balancer in self._plan()["balancers"]:
                shutil.rmtree(balancer["run"], ignore_errors=True)
        for name in ("hosts", "balancers", "inventory", "releases", "ledger", "claims"):
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

    def sockets(self) -> dict[str, str]:
        """The balancers' admin sockets by name."""
        return {balancer["name"]: balancer["socket"] for balancer in self._plan()["balancers"]}

    def seen(self) -> dict[str, dict[str, t.Any] | None]:
        """What each instance itself answers to /stats, asked directly; None where it does not answer."""
        return {name: _stats(url) for name, url in self.app_urls().items()}

    def _plan(self) -> dict[str, t.Any]:
        if not self._plan_file.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            self._plan_file.write_text(json.dumps(self._new_plan(), indent=1), encoding="utf-8")
        return t.cast("dict[str, t.Any]", json.loads(self._plan_file.read_text(encoding="utf-8")))

    def _new_plan(self) -> dict[str, t.Any]:
        ports = _free_ports(self.directory, self._apps + self._balancers)
        apps = [
            {"name": f"app{number + 1}", "host": "127.0.0.1", "port": ports.pop(0), "zone": "abc"[number % 3]}
            for number in range(self._apps)
        ]
        balancers: list[dict[str, t.Any]] = []
        for number in range(self._balancers):
            name = f"lb{number + 1}"
            run = self._run_directory(name)
            sockets = {"socket": f"{run}/admin.sock", "master_socket": f"{run}/master.sock"}
            balancers.append({"name": name, "port": ports.pop(0), "run": str(run), **sockets})
        return {"apps": apps, "balancers": balancers}

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

    def _start_balancer(self, binary: str, balancer: dict[str, t.Any], apps: t.Sequence[dict[str, t.Any]]) -> None:
        directory = self.directory / "balancers" / balancer["name"]
        directory.mkdir(parents=True, exist_ok=True)
        pathlib.Path(balancer["run"]).mkdir(mode=0o700, parents=True, exist_ok=True)
        pid_file = directory / "haproxy.pid"
        if process.running(pid_file) is not None:
            return
        file = directory / "haproxy.cfg"
        state_file = directory / "server-state"
        file.write_text(configuration.haproxy(balancer, apps, state_file), encoding="utf-8")
        state_file.touch()
        argv = [binary, "-W", "-S", balancer["master_socket"], "-f", str(file)]
        process.start(argv, pid_file, directory / "haproxy.log")

    def _commands(self) -> dict[str, str]:
        control = f"{shlex.quote(sys.executable)} {shlex.quote(str(HERE / 'app_ctl.py'))}"
        directory = shlex.quote(str(self.directory / "hosts")) + "/{{ inventory_hostname }}"
        return {command: f"{control} {command} {directory}" for command in ("start", "stop")}

    def _await_ready(self, plan: dict[str, t.Any]) -> None:
        names = {app["name"] for app in plan["apps"]}
        for balancer in plan["balancers"]:

            def complete(balancer: dict[str, t.Any] = balancer) -> bool:
                return configuration.in_rotation(balancer["socket"]) >= names

            if not process.wait_for(complete, READY_PATIENCE):
                raise process.ProcessError(
                    f"{balancer['name']} does not send traffic to all of {', '.join(sorted(names))} after "
                    f"{READY_PATIENCE:g} s; see {self.directory / 'balancers' / balancer['name'] / 'haproxy.log'}."
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
