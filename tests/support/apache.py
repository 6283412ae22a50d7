# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Apache with members on loopback, for the contract suite. Names: routes in 'shop', URLs in 'other'."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import typing as t
import urllib.request

from support import snippets
from support.haproxy import free_port, shut_port, wait_until
from support.real_balancer import OTHER, SHOP, WIDE, Denial, RealBalancer, read_only

from ansible_collections.steady.rollout.plugins.modules import lb_page, lb_route

BINARY = next(filter(None, (shutil.which(name, path="/usr/sbin:/usr/bin") for name in ("apache2", "httpd"))), None)
MODULE_DIRECTORIES = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/lib/httpd/modules")
LOGGED = {
    "t": "%{end:sec}t.%{end:msec_frac}t",
    "m": "%{BALANCER_WORKER_NAME}e",
    "s": "%>s",
    "l": "%D",
    "v": "%m",
    "p": "%U",
}
LOG_FORMAT = json.dumps(LOGGED, separators=(",", ":")).replace('"', '\\"')
MODULES = (
    *(
        "mpm_event",
        "authz_core",
        "log_config",
        "authz_host",
        "authz_user",
        "authn_core",
        "authn_file",
        "auth_basic",
        "unixd",
        "headers",
        "rewrite",
        "alias",
        "reqtimeout",
        "status",
        "slotmem_shm",
    ),
    *("proxy", "proxy_http", "proxy_balancer", "lbmethod_byrequests"),
)
MODULE_DIRECTORY = next((pathlib.Path(path) for path in MODULE_DIRECTORIES if pathlib.Path(path).is_dir()), None)


class Apache(RealBalancer):
    """*persist* is BalancerPersist; *more* is appended to the configuration, *member_options* to members of 'shop'.

    *password* is a user and password that the manager and the status page ask for.
    """

    backend = "apache"
    closes_idle_on_reload = True
    cannot = {"bare_reloads_under_traffic": "nothing to compare: no change of its members reloads it"}

    def __init__(
        self,
        directory: pathlib.Path,
        make_member: t.Callable[[str], t.Any],
        persist: bool = True,
        more: str = "",
        member_options: t.Mapping[str, str] | None = None,
        password: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(directory, make_member)
        self.port = free_port()
        self.config = directory / "apache.conf"
        self.route_file, self.page_file = directory / "routes.conf", directory / "shop-page.conf"
        self.route_file.touch()
        self.page_file.touch()
        self.config.write_text(self._config(persist, more, member_options or {}, self._access(password)))
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def missing() -> str:
        return "" if BINARY and MODULE_DIRECTORY else "no Apache on this machine; install the package apache2 or httpd"

    def start(self) -> None:
        argv = [str(BINARY), "-f", str(self.config), "-D", "FOREGROUND"]
        with (self.directory / "apache.log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.await_answers()

    def stop(self) -> None:
        self._end()
        self.stop_members()

    def reload(self) -> None:
        """A graceful restart."""
        assert self._process is not None
        before = self._generation()
        self._process.send_signal(signal.SIGUSR1)
        wait_until(lambda: self._generation() > before, "the new processes answer")

    def restart(self) -> None:
        self._end()
        self.start()

    def settings(self, pool: str = "shop") -> dict[str, t.Any]:
        return {
            "type": "apache",
            "host": "lb1",
            "manager_url": self.page("balancer-manager"),
            "status_url": self.page("server-status"),
            "pool": pool,
        }

    def log(self) -> str:
        return str(self.directory / "steady.log")

    def routing_settings(self) -> dict[str, t.Any]:
        files = {"route_file": str(self.route_file), "page_file": str(self.page_file)}
        return {**self.settings(), **files, "pid_file": str(self.directory / "apache.pid")}

    @contextlib.contextmanager
    def routing_denied(self) -> t.Iterator[Denial]:
        with read_only(self.directory) as uid:
            yield Denial(self.routing_settings(), uid)

    def routing_silent(self) -> dict[str, t.Any]:
        return {**self.routing_settings(), "pid_file": str(self.directory / "none.pid")}

    def silent_settings(self) -> dict[str, t.Any]:
        return {**self.settings(), "manager_url": f"http://127.0.0.1:{shut_port()}/balancer-manager"}

    @contextlib.contextmanager
    def denied(self) -> t.Iterator[Denial]:
        yield Denial({**self.settings(), "manager_url": self.page("read-only-manager")})

    def name(self, member: str, pool: str = "shop") -> str:
        return self._url(member) if pool == "other" else member

    def page(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    def status_of(self, member: str) -> str:
        """The words of a member's status, by means that share nothing with the code under test."""
        request = urllib.request.Request(self.page("balancer-manager"))
        with urllib.request.urlopen(request, timeout=5) as reply:
            rows = reply.read().decode().split("<tr>")
        row = next(row for row in rows if f"<td>{member}</td>" in row and "b=shop&" in row)
        return str(re.findall(r"<td>([^<]*)</td>", row)[4])

    def _access(self, password: tuple[str, str] | None) -> str:
        if not password:
            return "Require local"
        digest = base64.b64encode(hashlib.sha1(password[1].encode()).digest()).decode()
        users = self.directory / "users"
        users.write_text(f"{password[0]}:{{SHA}}{digest}\n")
        return f"AuthType Basic\n  AuthName lb1\n  AuthUserFile {users}\n  Require valid-user"

    def _generation(self) -> int:
        try:
            with urllib.request.urlopen(f"{self.page('server-status')}?auto", timeout=5) as reply:
                lines = reply.read().decode().splitlines()
        except OSError:
            return -1
        return next(int(line.split()[1]) for line in lines if line.startswith("ParentServerMPMGeneration"))

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def _url(self, member: str) -> str:
        return f"http://127.0.0.1:{self.members[member].port}"

    def _included(self) -> str:
        """As the documentation has it, the page before the routes."""
        lines = [snippets.snippet(module, "<VirtualHost>").splitlines()[0] for module in (lb_page, lb_route)]
        return "\n".join(lines).replace("/etc/apache2", str(self.directory))

    def _config(self, persist: bool, more: str, options: t.Mapping[str, str], access: str) -> str:
        assert MODULE_DIRECTORY is not None
        loads = "\n".join(
            f"LoadModule {name}_module {MODULE_DIRECTORY}/mod_{name}.so"
            for name in MODULES
            if (MODULE_DIRECTORY / f"mod_{name}.so").exists()
        )
        user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        shop = "\n".join(
            f"  BalancerMember {self._url(name)} route={name} retry=1 {options.get(name, '')}" for name in SHOP
        )
        other = "\n".join(f"  BalancerMember {self._url(name)} loadfactor=2" for name in SHOP)
        wide = "\n".join(
            f"  BalancerMember http://127.0.0.1:{number} route={name}" for number, name in enumerate(WIDE, 1)
        )
        return f"""\
ServerRoot {self.directory}
DefaultRuntimeDir {self.directory}
PidFile apache.pid
ServerName lb1.example
ErrorLog error.log
LogFormat "{LOG_FORMAT}" steady
CustomLog steady.log steady
{loads}
{user}
Listen 127.0.0.1:{self.port}
StartServers 2
ThreadsPerChild 32
MaxRequestWorkers 128
KeepAliveTimeout 60
MaxKeepAliveRequests 0
ExtendedStatus On
BalancerPersist {"On" if persist else "Off"}
ProxyPass /balancer-manager !
ProxyPass /read-only-manager !
ProxyPass /server-status !
<Location /balancer-manager>
  SetHandler balancer-manager
  {access}
</Location>
<Location /read-only-manager>
  SetHandler balancer-manager
  Require method GET
</Location>
<Location /server-status>
  SetHandler server-status
  {access}
</Location>
<Proxy balancer://shop>
{shop}
</Proxy>
<Proxy balancer://other>
{other}
</Proxy>
<Proxy balancer://wide>
{wide}
</Proxy>
<Proxy balancer://green>
  BalancerMember {self._url("app4")} route=app4
</Proxy>
{self._included()}
ProxyPass /wide/ balancer://wide/
ProxyPass {OTHER} balancer://other/
ProxyPass / balancer://shop/
{more}
"""
