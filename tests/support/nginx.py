# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx with members on loopback, for the contract suite. Names: a comment in 'shop', addresses in 'other'."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import typing as t

from support import snippets
from support.haproxy import free_port, wait_until
from support.real_balancer import OTHER, SHOP, WIDE, Denial, RealBalancer, read_only

from ansible_collections.steady.rollout.plugins.modules import lb_route

BINARY = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
FILE = "upstreams.conf"


class Nginx(RealBalancer):
    backend = "nginx"
    closes_idle_on_change = True
    closes_idle_on_reload = True

    def __init__(self, directory: pathlib.Path, make_member: t.Callable[[str], t.Any]) -> None:
        super().__init__(directory, make_member)
        self.port = free_port()
        self.upstream_file = directory / FILE
        self.upstream_file.write_text(self._upstreams())
        self.route_file, self.page_file = directory / "routes.conf", directory / "shop-page.conf"
        self.route_file.write_text(self._routes())
        self.page_file.touch()
        (directory / "nginx.conf").write_text(self._config())
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def missing() -> str:
        return "" if BINARY else "no nginx binary on this machine; install the package nginx"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [str(BINARY), "-c", str(self.directory / "nginx.conf"), "-p", str(self.directory), "-e", "error.log"],
            stdin=subprocess.DEVNULL,
        )
        self.await_answers()

    def stop(self) -> None:
        self._end()
        self.stop_members()

    def reload(self) -> None:
        before = set(self.active_workers())
        os.kill(self.master(), signal.SIGHUP)
        wait_until(lambda: not before.intersection(self.active_workers()), "the old workers leave")

    def restart(self) -> None:
        self._end()
        self.start()

    def settings(self, pool: str = "shop") -> dict[str, t.Any]:
        return {
            "type": "nginx",
            "host": "lb1",
            "upstream_file": str(self.upstream_file),
            "pid_file": str(self.directory / "nginx.pid"),
            "pool": pool,
        }

    def log(self) -> str:
        return str(self.directory / "steady.log")

    def routing_settings(self) -> dict[str, t.Any]:
        return {**self.settings(), "route_file": str(self.route_file), "page_file": str(self.page_file)}

    def silent_settings(self) -> dict[str, t.Any]:
        return {**self.settings(), "pid_file": str(self.directory / "none.pid")}

    @contextlib.contextmanager
    def denied(self) -> t.Iterator[Denial]:
        with read_only(self.directory) as uid:
            yield Denial(self.settings(), uid)

    def name(self, member: str, pool: str = "shop") -> str:
        return self._address(member) if pool == "other" else member

    def master(self) -> int:
        return int((self.directory / "nginx.pid").read_text())

    def active_workers(self) -> list[int]:
        return [pid for pid, title in self._workers().items() if "shutting down" not in title]

    def _workers(self) -> dict[int, str]:
        master = self.master()
        found = {}
        for child in pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split():
            with contextlib.suppress(OSError):
                found[int(child)] = pathlib.Path(f"/proc/{child}/cmdline").read_text()
        return found

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def _address(self, member: str) -> str:
        return f"127.0.0.1:{self.members[member].port}"

    def _upstreams(self) -> str:
        shop = "\n".join(f"  server {self._address(name)}; # member={name}" for name in SHOP)
        other = "\n".join(f"  server {self._address(name)} weight=2;" for name in SHOP)
        wide = "\n".join(f"  server 127.0.0.1:1; # member={name}" for name in WIDE)
        return f"""\
# Edited by the rollout: leave one server on a line.
upstream shop {{
{shop}
  keepalive 8;
}}
upstream other {{
{other}
}}
upstream wide {{
{wide}
}}
upstream green {{
  server {self._address("app4")};
}}
"""

    def _routes(self) -> str:
        """As the documentation has the one for the header; one for the cookie leads on to it."""
        header = snippets.snippet(lb_route, "nginx.conf").splitlines()[0].strip()
        return f"{header}\nmap $cookie_canary $shop {{ default $shop_route; }}\n"

    def _config(self) -> str:
        # Root's own tests keep their files where no other user may look.
        user = "user root;" if os.geteuid() == 0 else ""
        temporary = "\n".join(
            f"  {name}_temp_path {self.directory}/{name};"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return f"""\
{user}
daemon off;
pid {self.directory}/nginx.pid;
error_log {self.directory}/error.log notice;
worker_processes 2;
events {{ worker_connections 512; }}
http {{
  log_format steady escape=json '{{"t":"$msec","m":"$upstream_addr","s":"$status","l":"$upstream_header_time",'
                                '"v":"$request_method","p":"$uri"}}';
  access_log {self.directory}/steady.log steady;
  keepalive_requests 1000000;
{temporary}
  include {FILE};
  include routes.conf;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  server {{
    listen 127.0.0.1:{self.port};
    include shop-page.conf;
    location / {{ proxy_pass http://$shop; }}
    location {OTHER} {{ proxy_pass http://other/; }}
    location /wide/ {{ proxy_pass http://wide; }}
  }}
}}
"""
