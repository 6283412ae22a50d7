# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three services that need each other on the lab's hosts, each behind a pool of its own on both balancers."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import typing as t

from fleet.lab.files import More, balancer
from fleet.lab.places import Host
from fleet.world.configured import configured
from fleet.world.shop import Shop

NEEDS: dict[str, list[str]] = {"db": [], "api": ["db"], "web": ["api"]}
PORTS = {"db": 8081, "api": 8082, "web": 8083}
SEPARATE = {"db": ["app1", "app2"], "api": ["app3", "app4"], "web": ["app5", "app6"]}
SHARED = {"db": ["app1", "app2", "app3"], "api": ["app1", "app2", "app3"], "web": ["app3", "app4", "app5", "app6"]}
SETTINGS: dict[str, t.Any] = {
    "rollout_max_unavailable": 1,
    "rollout_min_available": 1,
    "rollout_zone_min_available": 0,
    "rollout_min_healthy_time": 1,
}
UNIT = """\
[Unit]
StartLimitIntervalSec=0
[Service]
User=shop
ExecStart=/usr/bin/python3 /opt/{name}/current/app.py --host 0.0.0.0 --port {port} --name %H
Restart=on-failure
RestartSec=1
TimeoutStopSec=30
"""
SET_UP = """
set -e
rm -rf /opt/$1
mkdir /opt/$1
cp -a /opt/shop/current /opt/shop/releases /opt/$1/
chown --reference=/opt/shop /opt/$1
printf %s "$2" > /etc/systemd/system/$1.service
systemctl daemon-reload
systemctl restart $1
"""
TAKE_DOWN = "systemctl stop $1; rm -rf /opt/$1 /etc/systemd/system/$1.service; systemctl daemon-reload"


@dataclasses.dataclass(frozen=True)
class ThreeTiers:
    shop: Shop
    layout: t.Mapping[str, t.Sequence[str]]
    inventory: pathlib.Path

    def words(self) -> list[str]:
        """What the playbook needs beside the lab's own inventory."""
        return ["-i", str(self.inventory)]

    def urls(self) -> list[str]:
        """Where the balancers serve each service."""
        nodes = [Host.named(name).address for name in self.shop.balancers]
        return [f"http://{address}:{port}" for address in nodes for port in PORTS.values()]

    def instances(self) -> dict[str, list[str]]:
        """Where each instance answers, those first that need others."""
        return {
            name: [f"http://{Host.named(app).address}:{PORTS[name]}" for app in self.layout[name]]
            for name in reversed(NEEDS)
        }

    def versions(self) -> dict[str, set[str]]:
        """What is switched to on each host, and serves."""
        ask = "curl --silent --max-time 5 http://127.0.0.1:{port}/stats"
        found: dict[str, set[str]] = {}
        for name, apps in self.layout.items():
            answers = [self.shop.lab.run(app, ["sh", "-c", ask.format(port=PORTS[name])]).stdout for app in apps]
            found[name] = {str(json.loads(answer)["version"]) for answer in answers}
        return found


@contextlib.contextmanager
def three_tiers(shop: Shop, layout: t.Mapping[str, t.Sequence[str]]) -> t.Iterator[ThreeTiers]:
    tiers = ThreeTiers(shop, layout, shop.lab.places.directory / "tiers.json")
    tiers.inventory.write_text(json.dumps(inventory(shop, layout), indent=1), encoding="utf-8")
    try:
        _on_hosts(shop, layout, SET_UP)
        with configured(shop, More(sections="\n".join(sections(name, apps) for name, apps in layout.items()))):
            shop.await_that(lambda: all(_is_ready(shop, node, layout) for node in shop.balancers))
            yield tiers
    finally:
        _on_hosts(shop, layout, TAKE_DOWN)


def sections(name: str, apps: t.Sequence[str]) -> str:
    servers = "\n".join(f"    server {app} {Host.named(app).address}:{PORTS[name]} check" for app in apps)
    return f"""\
frontend users-of-{name}
    bind 0.0.0.0:{PORTS[name]}
    default_backend {name}
backend {name}
    balance roundrobin
    option httpchk GET /health
    default-server inter 500ms rise 2 fall 2
{servers}"""


def inventory(shop: Shop, layout: t.Mapping[str, t.Sequence[str]]) -> dict[str, t.Any]:
    """Each host has one name for each service that it runs. Groups beside the lab's own, whose settings they repeat."""
    lab = shop.lab
    connection = {
        "ansible_user": "root",
        "ansible_timeout": 5,
        "ansible_pipelining": True,
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": str(lab.places.key),
        "ansible_ssh_args": f"-o UserKnownHostsFile={lab.places.directory / 'known_hosts'} "
        "-o ServerAliveInterval=3 -o ServerAliveCountMax=2 -o ControlMaster=auto -o ControlPersist=120s",
        "ansible_control_path_dir": str(lab.places.runtime / "cp"),
    }
    children = {}
    for name, apps in layout.items():
        hosts = {
            f"{name}-{app}": {
                "ansible_host": Host.named(app).address,
                "rollout_zone": Host.named(app).zone,
                "rollout_member": app,
            }
            for app in apps
        }
        children[name] = {"hosts": hosts, "vars": {**connection, **settings(shop, name)}}
    tiers = {
        name: {"fleet": name, "version": f"{{{{ {name}_version }}}}", "requires": dict.fromkeys(needs, ">=1")}
        for name, needs in NEEDS.items()
    }
    return {"all": {"vars": {"rollout_tiers": tiers}, "children": children}}


def settings(shop: Shop, name: str) -> dict[str, t.Any]:
    nodes = [balancer(host) for host in shop.lab.hosts if host.role == "lb"]
    return {
        "rollout_service": name,
        "rollout_artifact": f"{shop.lab.places.directory}/releases/shop-{{{{ rollout_target.version }}}}.tar.gz",
        "rollout_release_path": f"/opt/{name}",
        "rollout_unit": f"{name}.service",
        "rollout_ledger": str(shop.ledger),
        "rollout_balancers": [{**node, "pool": name} for node in nodes],
        "rollout_health": {
            "url": f"http://{{{{ ansible_host }}}}:{PORTS[name]}/health",
            "expect": "status == 'healthy' && version == '{{ rollout_target.version }}'",
        },
    }


def _on_hosts(shop: Shop, layout: t.Mapping[str, t.Sequence[str]], script: str) -> None:
    for name, apps in layout.items():
        unit = UNIT.format(name=name, port=PORTS[name])
        for app in apps:
            shop.lab.run(app, ["sh", "-c", script, "sh", name, unit])


def _is_ready(shop: Shop, node: str, layout: t.Mapping[str, t.Sequence[str]]) -> bool:
    up = shop.haproxy(node, "show stat")
    return all(
        any(line.startswith(f"{name},{app},") and ",UP," in line for line in up.splitlines())
        for name, apps in layout.items()
        for app in apps
    )
