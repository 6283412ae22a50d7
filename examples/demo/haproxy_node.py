# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A HAProxy node of the demo's fleet: its configuration, how it is started, whom it sends traffic to."""

from __future__ import annotations

import pathlib
import shutil
import socket
import typing as t

SBIN = "/usr/sbin:/usr/local/sbin:/sbin"
UP = "2"
IN_SERVICE = "0"
PORTS = 1
"""That a node needs beside its sockets."""
MISSING = "install the package 'haproxy' (2.4 or newer)"

Node = t.Dict[str, t.Any]


def binary() -> str | None:
    return shutil.which("haproxy") or shutil.which("haproxy", path=SBIN)


def described(run: pathlib.Path, ports: t.Sequence[int]) -> Node:
    """What the fleet's plan says of a node; *run* is a directory whose path is short enough for sockets."""
    sockets = {"socket": f"{run}/admin.sock", "master_socket": f"{run}/master.sock"}
    return {"port": ports[0], "run": str(run), **sockets}


def prepare(node: Node, apps: t.Sequence[Node], directory: pathlib.Path) -> list[str]:
    """Writes what the node reads; returns the words that start it."""
    pathlib.Path(node["run"]).mkdir(mode=0o700, parents=True, exist_ok=True)
    state_file = _state_file(directory)
    state_file.touch()
    file = directory / "haproxy.cfg"
    file.write_text(_configuration(node, apps, state_file), encoding="utf-8")
    return [str(binary()), "-W", "-S", node["master_socket"], "-f", str(file)]


def settings(node: Node, directory: pathlib.Path) -> dict[str, t.Any]:
    """Its entry in rollout_balancers."""
    return {
        "type": "haproxy",
        "socket": node["socket"],
        "master_socket": node["master_socket"],
        "state_file": str(_state_file(directory)),
        "pool": "shop",
    }


def eye(node: Node) -> str:
    """Where an observer looks at it."""
    return str(node["socket"])


def in_rotation(node: Node) -> set[str]:
    """The members that it sends new requests to; empty while it does not answer."""
    try:
        rows = [line.split() for line in _ask(node["socket"], "show servers state shop").splitlines()[1:] if line]
    except OSError:
        return set()
    header = rows[0][1:]
    servers = [dict(zip(header, row)) for row in rows[1:]]
    return {
        server["srv_name"]
        for server in servers
        if server["srv_op_state"] == UP and server["srv_admin_state"] == IN_SERVICE
    }


def _state_file(directory: pathlib.Path) -> pathlib.Path:
    return directory / "server-state"


def _configuration(node: Node, apps: t.Sequence[Node], state_file: pathlib.Path) -> str:
    servers = "\n".join(f"    server {app['name']} {app['host']}:{app['port']} check" for app in apps)
    return f"""\
global
    stats socket {node["socket"]} mode 600 level admin
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
    bind 127.0.0.1:{node["port"]}
    default_backend shop

backend shop
    balance roundrobin
    option httpchk GET /health
    default-server inter 500ms rise 2 fall 2
{servers}
"""


def _ask(path: str, command: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5.0)
        connection.connect(path)
        connection.sendall(command.encode() + b"\n")
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
