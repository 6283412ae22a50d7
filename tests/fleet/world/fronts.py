# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Balancers of other makes on the lab's balancer hosts, for as long as a test needs them."""

from __future__ import annotations

import contextlib
import json
import pathlib
import shutil
import typing as t

import pytest
from fleet.lab import files
from fleet.lab.hosts import Lab
from fleet.lab.machine import Machine
from fleet.lab.places import Host
from support import examples
from support.apache import LOG_FORMAT as APACHE_LOG
from support.envoy import LOG_FORMAT
from support.sightings import parse_clusters

envoy_node = examples.module("demo", "envoy_node")

PORT = files.SERVICE_PORT
ADMIN_PORT = files.STATS_PORT
MEMBERS = "/etc/envoy/members.json"
REQUEST_LOG = "/var/log/steady.log"
NGINX_LOG = (
    'log_format steady escape=json \'{"t":"$msec","m":"$upstream_addr","s":"$status","l":"$upstream_header_time",\'\n'
    '  \'"v":"$request_method","p":"$uri"}\';'
)
MODULES = "proxy proxy_http proxy_balancer lbmethod_byrequests status"
ENVOY_UNIT = """\
[Unit]
Description=Envoy
After=network.target

[Service]
ExecStart=/usr/local/bin/envoy -c /etc/envoy/envoy.json --disable-hot-restart --concurrency 2 --log-level warning
"""


class Front:
    """One balancer host with something else than HAProxy on it; the host itself stays as it is."""

    make: t.ClassVar[str]
    unit: t.ClassVar[str]
    closes_idle_on_change: t.ClassVar[bool] = False

    def __init__(self, lab: Lab, name: str) -> None:
        self.name = name
        self.address = Host.named(name).address
        self._lab = lab
        self._apps = [host for host in lab.hosts if host.role == "app"]

    def take_over(self) -> None:
        """From HAProxy, with every app host as a member."""
        self._run("systemctl stop haproxy")
        self._install()
        self._run(f"systemctl start {self.unit}")

    def give_back(self) -> None:
        """To HAProxy."""
        self._run(f"systemctl stop {self.unit} || true; systemctl start haproxy")

    def entry(self) -> dict[str, t.Any]:
        """In rollout_balancers."""
        return {"host": self.name, "type": self.make, "pool": "shop", **self._settings()}

    def logged_entry(self) -> dict[str, t.Any]:
        """The same with the log of single requests, which all but HAProxy write anyway."""
        return {**self.entry(), "request_log": REQUEST_LOG}

    def eye(self) -> str | None:
        """Where an observer looks at it; None where it shows nothing."""
        return None

    def is_ready(self) -> bool:
        """It serves, and sends traffic to all of its members."""
        return self._fetch(PORT, "/") is not None

    def carrying(self) -> set[str]:
        """The members that it sends new requests to."""
        raise NotImplementedError

    def _fetch(self, port: int, path: str) -> str | None:
        url = f"http://127.0.0.1:{port}{path}"
        done = self._lab.run(self.name, ["curl", "--silent", "--fail", url], check=False)
        return done.stdout if done.returncode == 0 else None

    def _install(self) -> None:
        raise NotImplementedError

    def _settings(self) -> dict[str, t.Any]:
        raise NotImplementedError

    def _run(self, script: str) -> None:
        self._lab.run(self.name, ["sh", "-ec", script])

    def _write(self, path: str, text: str) -> None:
        self._lab.run(self.name, ["sh", "-ec", 'mkdir -p "$(dirname "$1")"; printf %s "$2" >"$1"', "sh", path, text])


class StillHAProxy(Front):
    make = "haproxy"

    def take_over(self) -> None:
        pass

    def give_back(self) -> None:
        pass

    def entry(self) -> dict[str, t.Any]:
        return dict(files.balancer(Host.named(self.name)))

    def logged_entry(self) -> dict[str, t.Any]:
        """Its nodes have to be configured with configured.LOGGED."""
        return {**self.entry(), "request_log": "requests"}

    def eye(self) -> str | None:
        return f"{self.address}:{ADMIN_PORT}"


class Nginx(Front):
    make = "nginx"
    unit = "nginx"
    closes_idle_on_change = True

    def _install(self) -> None:
        servers = "\n".join(f"  server {app.address}:{PORT}; # member={app.name}" for app in self._apps)
        self._write("/etc/nginx/conf.d/upstreams.conf", f"upstream shop {{\n{servers}\n  keepalive 8;\n}}\n")
        proxy = 'proxy_pass http://shop; proxy_http_version 1.1; proxy_set_header Connection "";'
        site = f"server {{ listen {PORT}; access_log {REQUEST_LOG} steady; location / {{ {proxy} }} }}\n"
        self._write("/etc/nginx/conf.d/site.conf", f"{NGINX_LOG}\n{site}")

    def _settings(self) -> dict[str, t.Any]:
        return {"upstream_file": "/etc/nginx/conf.d/upstreams.conf"}


class Apache(Front):
    make = "apache"
    unit = "apache2"

    def _install(self) -> None:
        members = "\n".join(
            f"  BalancerMember http://{app.address}:{PORT} route={app.name} retry=5" for app in self._apps
        )
        self._run(f"a2enmod --quiet {MODULES}; rm -rf /run/apache2/*slotmem*")
        site = SITE.format(port=PORT, name=self.name, members=members, logged=APACHE_LOG, log=REQUEST_LOG)
        self._write("/etc/apache2/conf-enabled/site.conf", site)

    def _settings(self) -> dict[str, t.Any]:
        page = f"http://127.0.0.1:{PORT}"
        return {"manager_url": f"{page}/balancer-manager", "status_url": f"{page}/server-status"}


SITE = """\
ServerName {name}
Listen {port}
MaxKeepAliveRequests 0
KeepAliveTimeout 60
ExtendedStatus On
LogFormat "{logged}" steady
<VirtualHost *:{port}>
CustomLog {log} steady
BalancerPersist On
ProxyPass /balancer-manager !
ProxyPass /server-status !
<Location /balancer-manager>
  SetHandler balancer-manager
  Require local
</Location>
<Location /server-status>
  SetHandler server-status
  Require local
</Location>
<Proxy balancer://shop>
{members}
</Proxy>
ProxyPass / balancer://shop/
</VirtualHost>
"""


class Envoy(Front):
    make = "envoy"
    unit = "envoy"

    def _install(self) -> None:
        node = {"name": self.name, "host": "0.0.0.0", "port": PORT, "admin_port": ADMIN_PORT}
        apps = [{"name": app.name, "host": app.address, "port": PORT} for app in self._apps]
        self._write("/etc/envoy/envoy.json", json.dumps(_with_log(envoy_node.bootstrap(node, pathlib.Path(MEMBERS)))))
        self._write(MEMBERS, json.dumps(envoy_node.members(apps)))
        self._write("/etc/systemd/system/envoy.service", ENVOY_UNIT)
        self._copy_binary()
        self._run("systemctl daemon-reload")

    def _copy_binary(self) -> None:
        leader = Machine(self._lab.places, Host.named(self.name)).leader()
        target = pathlib.Path(f"/proc/{leader}/root/usr/local/bin/envoy")
        if not target.exists():
            shutil.copy(str(envoy_node.binary()), target)

    def _settings(self) -> dict[str, t.Any]:
        return {"admin": f"127.0.0.1:{ADMIN_PORT}", "eds_file": MEMBERS}

    def eye(self) -> str | None:
        return f"http://{self.address}:{ADMIN_PORT}"

    def is_ready(self) -> bool:
        return self.carrying() == {app.name for app in self._apps}

    def carrying(self) -> set[str]:
        clusters = self._fetch(ADMIN_PORT, "/clusters?format=json")
        return {name for name, is_in in parse_clusters(clusters, "shop").items() if is_in} if clusters else set()


def _with_log(bootstrap: dict[str, t.Any]) -> dict[str, t.Any]:
    manager = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    logger = {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": REQUEST_LOG,
        "log_format": {"json_format": LOG_FORMAT},
    }
    manager["access_log"] = [{"name": "envoy.access_loggers.file", "typed_config": logger}]
    return bootstrap


def require_make(make: str) -> None:
    """Skips the test where this machine has no such balancer."""
    if make == "envoy" and envoy_node.binary() is None:
        pytest.skip(f"no Envoy on this machine; {envoy_node.MISSING}")


MAKES: dict[str, type[Front]] = {make.make: make for make in (StillHAProxy, Nginx, Apache, Envoy)}


@contextlib.contextmanager
def behind(lab: Lab, makes: t.Mapping[str, str]) -> t.Iterator[list[Front]]:
    """The lab with balancers of other makes: *makes* by the name of the host. HAProxy comes back at the end."""
    fronts = [MAKES[make](lab, name) for name, make in makes.items()]
    try:
        for front in fronts:
            front.take_over()
        yield fronts
    finally:
        for front in fronts:
            front.give_back()
