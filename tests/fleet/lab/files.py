# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written on the disks of the lab's hosts, and the inventory that describes them."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from fleet.lab.places import Host, Places

SERVICE_PORT = 8080
STATS_PORT = 9999

SHOP_UNIT = f"""\
[Unit]
Description=The shop
After=network.target
RequiresMountsFor=/opt/shop
# However often a bad release fails, the next 'systemctl restart' is obeyed.
StartLimitIntervalSec=0

[Service]
User=shop
ExecStart=/usr/bin/python3 /opt/shop/current/app.py --host 0.0.0.0 --port {SERVICE_PORT} --name %H
Restart=on-failure
RestartSec=1
TimeoutStopSec=30

[Install]
WantedBy=multi-user.target
"""


@dataclasses.dataclass(frozen=True)
class More:
    """Lines of haproxy.cfg beside the usual ones; *server* may name the host as {name}."""

    frontend: str = ""
    backend: str = ""
    server: str = ""
    sections: str = ""


def haproxy(apps: t.Sequence[Host], more: More = More()) -> str:
    """haproxy.cfg of a balancer before those app hosts."""
    servers = "\n".join(
        f"    server {app.name} {app.address}:{SERVICE_PORT} check {more.server.format(name=app.name)}" for app in apps
    )
    return f"""\
global
    user haproxy
    group haproxy
    stats socket /run/haproxy/admin.sock mode 660 level admin
    stats socket /run/haproxy/operator.sock mode 660 level operator
    stats socket ipv4@0.0.0.0:{STATS_PORT} level admin
    stats timeout 1h
    server-state-file /var/lib/haproxy/server-state
    maxconn 4000

defaults
    mode http
    option redispatch
    retries 3
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 60s
    load-server-state-from-file global

frontend web
    bind 0.0.0.0:{SERVICE_PORT}
{more.frontend}
    default_backend shop

backend shop
    balance roundrobin
    option httpchk GET /health
    default-server inter 500ms rise 2 fall 2
{more.backend}
{servers}
{more.sections}
"""


def hosts_file(hosts: t.Sequence[Host]) -> str:
    return "127.0.0.1 localhost\n" + "".join(f"{host.address} {host.name}\n" for host in hosts)


def inventory(places: Places, hosts: t.Sequence[Host]) -> str:
    """How Ansible reaches the hosts: groups fleet and balancers."""
    groups = {"fleet": "app", "balancers": "lb"}
    lines = []
    for group, role in groups.items():
        lines.append(f"[{group}]")
        for host in (host for host in hosts if host.role == role):
            zone = f" rollout_zone={host.zone}" if role == "app" else ""
            lines.append(f"{host.name} ansible_host={host.address}{zone}")
        lines.append("")
    options = (
        f"-o UserKnownHostsFile={places.directory / 'known_hosts'} "
        "-o ServerAliveInterval=3 -o ServerAliveCountMax=2 -o ControlMaster=auto -o ControlPersist=120s"
    )
    for group in groups:
        lines += [
            f"[{group}:vars]",
            "ansible_user=root",
            "ansible_timeout=5",
            "ansible_pipelining=true",
            "ansible_python_interpreter=/usr/bin/python3",
            f"ansible_ssh_private_key_file={places.key}",
            f"ansible_ssh_args={options}",
            f"ansible_control_path_dir={places.runtime / 'cp'}",
            "",
        ]
    return "\n".join(lines)


def group_vars(places: Places, hosts: t.Sequence[Host]) -> str:
    """The settings of the rollout, as YAML (JSON is YAML too, and needs no library to be written)."""
    settings = {
        "rollout_service": "shop",
        "rollout_artifact": f"{places.directory}/releases/shop-{{{{ rollout_target.version }}}}.tar.gz",
        "rollout_release_path": "/opt/shop",
        "rollout_unit": "shop.service",
        "rollout_ledger": str(places.directory / "ledger"),
        "rollout_balancers": [balancer(host) for host in hosts if host.role == "lb"],
        "rollout_health": {
            "url": f"http://{{{{ ansible_host }}}}:{SERVICE_PORT}/health",
            "expect": "status == 'healthy' && version == '{{ rollout_target.version }}'",
        },
    }
    return json.dumps(settings, indent=2) + "\n"


def balancer(host: Host) -> dict[str, str]:
    """The host's HAProxy in rollout_balancers."""
    return {
        "host": host.name,
        "type": "haproxy",
        "socket": "/run/haproxy/admin.sock",
        "master_socket": "/run/haproxy-master.sock",
        "state_file": "/var/lib/haproxy/server-state",
        "pool": "shop",
    }
