# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration files of the demo's fleet: HAProxy's and Ansible's."""

from __future__ import annotations

import json
import pathlib
import shutil
import socket
import sys
import typing as t

import process

SBIN = "/usr/sbin:/usr/local/sbin:/sbin"
UP = "2"
IN_SERVICE = "0"


def haproxy_binary() -> str:
    path = shutil.which("haproxy") or shutil.which("haproxy", path=SBIN)
    if path is None:
        raise process.ProcessError("HAProxy is not installed here; install the package 'haproxy' (2.4 or newer).")
    return path


def haproxy(balancer: dict[str, t.Any], apps: t.Sequence[dict[str, t.Any]], state_file: pathlib.Path) -> str:
    """haproxy.cfg of one balancer in front of the instances."""
    servers = "\n".join(f"    server {app['name']} {app['host']}:{app['port']} check" for app in apps)
    return f"""\
global
    stats socket {balancer["socket"]} mode 600 level admin
    server-state-file {state_file}
    stats timeout 1h
    maxconn 2000

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
    bind 127.0.0.1:{balancer["port"]}
    default_backend shop

backend shop
    balance roundrobin
    option httpchk GET /health
    default-server inter 500ms rise 2 fall 2
{servers}
"""


def in_rotation(admin_socket: str) -> set[str]:
    """The servers that HAProxy sends new requests to; empty while it does not answer."""
    try:
        rows = [line.split() for line in _ask(admin_socket, "show servers state shop").splitlines()[1:] if line]
    except OSError:
        return set()
    header = rows[0][1:]
    servers = [dict(zip(header, row)) for row in rows[1:]]
    return {
        server["srv_name"]
        for server in servers
        if server["srv_op_state"] == UP and server["srv_admin_state"] == IN_SERVICE
    }


def inventory(plan: dict[str, t.Any], directory: pathlib.Path, commands: dict[str, str]) -> str:
    """The inventory, as YAML (JSON is YAML too, and needs no library to be written)."""
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
        "rollout_balancers": [_balancer(balancer, directory) for balancer in plan["balancers"]],
        "rollout_health": {
            "url": "http://{{ ansible_host }}:{{ shop_port }}/health",
            "expect": "status == 'healthy' && version == '{{ rollout_target.version }}'",
        },
    }
    everything = {
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
        "children": {
            "fleet": {"hosts": apps, "vars": fleet},
            "balancers": {"hosts": {balancer["name"]: {} for balancer in plan["balancers"]}},
        },
    }
    return json.dumps({"all": everything}, indent=2) + "\n"


def _balancer(balancer: dict[str, t.Any], directory: pathlib.Path) -> dict[str, t.Any]:
    return {
        "host": balancer["name"],
        "type": "haproxy",
        "socket": balancer["socket"],
        "master_socket": balancer["master_socket"],
        "state_file": str(directory / "balancers" / balancer["name"] / "server-state"),
        "pool": "shop",
    }


def _ask(path: str, command: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5.0)
        connection.connect(path)
        connection.sendall(command.encode() + b"\n")
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
