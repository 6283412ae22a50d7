# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rolling playbook, unchanged, behind load balancers of different types, one of each in front of the same fleet.

STEADY_LONG runs it behind each of them alone, too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from support import background, examples
from support.apache import Apache
from support.aws_contract import AwsTargetGroup
from support.envoy_contract import Envoy
from support.nginx import Nginx
from support.real_balancer import SHOP, RealBalancer

local_fleet = examples.module("demo", "local_fleet")

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
BACKENDS: dict[str, type[RealBalancer]] = {
    backend.backend: backend for backend in (Apache, AwsTargetGroup, Envoy, Nginx)
}
MIX = {"rate": 100, "keepalive": 6, "close": 4, "slow": 2, "slow_seconds": 1, "uploads": 2, "upload_seconds": 1}
ALONE = [("nginx",), ("apache",), ("envoy",)] if os.environ.get("STEADY_LONG") else []


@dataclasses.dataclass
class Instance:
    """A member that the fleet starts and stops."""

    name: str
    port: int

    def stop(self) -> None:
        pass


@dataclasses.dataclass
class Site:
    fleet: t.Any
    balancers: list[RealBalancer]

    def urls(self) -> list[str]:
        return [*self.fleet.urls(), *(f"http://127.0.0.1:{balancer.port}" for balancer in self.balancers)]

    def roll(self, version: str) -> tuple[int, str]:
        argv = [sys.executable, "-m", "ansible.cli.playbook", "playbooks/rolling.yml", "-i", str(self.fleet.inventory)]
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
            "ANSIBLE_NOCOLOR": "1",
        }
        done = subprocess.run(
            [*argv, "-e", f"rollout_version={version}"],
            env=environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def versions(self) -> set[str]:
        return {stats["version"] for stats in self.fleet.seen().values()}

    def out_of_rotation(self) -> set[str]:
        """Members that one of the balancers does not send requests to."""
        return {name for balancer in self.balancers for name in SHOP if name not in self._hosts(balancer)}

    def _hosts(self, balancer: RealBalancer) -> set[str]:
        return {json.loads(body)["host"] for body in balancer.answered_by()}


@pytest.fixture
def open_site(directory: pathlib.Path) -> t.Iterator[t.Callable[..., Site]]:
    """Starts a fleet and load balancers of the given types in front of it; the test's end stops them."""
    with contextlib.ExitStack() as stack:

        def start(types: t.Sequence[str]) -> Site:
            return stack.enter_context(running(directory, types))

        yield start


@contextlib.contextmanager
def running(directory: pathlib.Path, types: t.Sequence[str]) -> t.Iterator[Site]:
    fleet = local_fleet.LocalFleet(
        directory / "fleet", apps=len(SHOP), balancers=types.count("haproxy"), make="haproxy"
    )
    balancers: list[RealBalancer] = []
    try:
        fleet.up()
        ports = {name: int(url.rpartition(":")[2]) for name, url in fleet.app_urls().items()}
        for backend in (name for name in types if name != "haproxy"):
            place = directory / backend
            place.mkdir(mode=0o755)
            balancer = BACKENDS[backend](place, lambda name: Instance(name, ports[name]))
            balancers.append(balancer)
            balancer.start()
        put_in_front(fleet, balancers)
        yield Site(fleet, balancers)
    finally:
        for balancer in balancers:
            balancer.stop()
        fleet.down()


def put_in_front(fleet: t.Any, balancers: t.Sequence[RealBalancer]) -> None:
    """Adds load balancers to the fleet's inventory; nothing else of it depends on their type."""
    inventory = json.loads(fleet.inventory.read_text())
    fleet_vars = inventory["all"]["children"]["fleet"]["vars"]
    fleet_vars.update(rollout_min_healthy_time=1, rollout_healthy_deadline=20)
    for balancer in balancers:
        fleet_vars["rollout_balancers"].append({**balancer.settings(), "host": balancer.backend})
        inventory["all"]["children"]["balancers"]["hosts"][balancer.backend] = {}
    fleet.inventory.write_text(json.dumps(inventory))


@pytest.mark.parametrize(
    "types", [("haproxy", "nginx", "apache", "envoy"), ("aws_target_group",), *ALONE], ids="_".join
)
def test_rolling(open_site: t.Callable[..., Site], directory: pathlib.Path, types: tuple[str, ...]) -> None:
    missing = [BACKENDS[name].missing() for name in types if name in BACKENDS]
    if "haproxy" in types:
        missing.append("" if local_fleet.haproxy_node.binary() else "no haproxy binary on this machine")
    if any(missing):
        pytest.skip("; ".join(filter(None, missing)))
    site = open_site(types)
    site.fleet.add_release("2.0.0")
    with background.traffic(site.urls(), directory / "traffic.json", **MIX) as users:
        code, output = site.roll("2.0.0")
    assert code == 0, output
    seen = users.report()
    assert (seen["failed"], seen["failures"]) == (0, [])
    assert seen["versions"].keys() == {"1.0.0", "2.0.0"}
    assert site.versions() == {"2.0.0"}
    assert site.out_of_rotation() == set()
