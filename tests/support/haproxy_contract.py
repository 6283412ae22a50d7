# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HAProxy of support.haproxy, for the contract suite."""

from __future__ import annotations

import contextlib
import pathlib
import typing as t

from support import haproxy, snippets
from support.haproxy import free_port, shut_port
from support.real_balancer import SHOP, WIDE, Denial, RealBalancer

from ansible_collections.steady.rollout.plugins.modules import lb_page, lb_route


class HAProxy(RealBalancer):
    backend = "haproxy"
    cannot = {"bare_reloads_under_traffic": "nothing to compare: no change of its members reloads it"}

    def __init__(self, directory: pathlib.Path, make_member: t.Callable[[str], t.Any]) -> None:
        super().__init__(directory, make_member)
        self._node: haproxy.Node | None = None
        self._other_port = free_port()

    @staticmethod
    def missing() -> str:
        if haproxy.GIVEN and not haproxy.BINARY:
            return f"no {haproxy.GIVEN} on this machine; it is unpacked by mmdebstrap, as root"
        return "" if haproxy.BINARY else "no haproxy binary on this machine; install the package haproxy"

    @classmethod
    def title(cls) -> str:
        return f"haproxy {haproxy.version()}".strip()

    def start(self) -> None:
        self._node = haproxy.Node(
            self.directory,
            members=len(SHOP),
            make_member=lambda name: self.members[name],
            pools=self._pools(),
            state_file=True,
            frontend=self._frontend(),
        )
        self._node.__enter__()
        self.port = self._node.port
        self.await_answers()

    def stop(self) -> None:
        self.node.__exit__()

    def reload(self) -> None:
        self.node.reload()

    def restart(self) -> None:
        process = self.node._process
        assert process is not None
        process.terminate()
        process.wait(10)
        self.node.__enter__()

    def log(self) -> str:
        return "requests"

    def settings(self, pool: str = "shop") -> dict[str, t.Any]:
        node = self.node
        return {
            "type": "haproxy",
            "host": "lb1",
            "socket": node.socket("admin"),
            "master_socket": node.socket("master"),
            "state_file": str(node.state_file),
            "pool": pool,
        }

    def routing_settings(self) -> dict[str, t.Any]:
        files = {"route_file": str(self.directory / "routes.map"), "page_file": str(self.directory / "pages.map")}
        return {**self.settings(), **files}

    def as_shown(self, body: str) -> str:
        return " ".join(body.split("\n")).strip().replace("  ", " ")

    def silent_settings(self) -> dict[str, t.Any]:
        return {**self.settings(), "socket": f"127.0.0.1:{shut_port()}"}

    @contextlib.contextmanager
    def denied(self) -> t.Iterator[Denial]:
        yield Denial({**self.settings(), "socket": self.node.socket("operator")})

    def place(self, pool: str = "shop") -> tuple[int, str]:
        return (self._other_port if pool == "other" else self.port), "/"

    def _pools(self) -> str:
        other = "\n".join(f"  server {name} 127.0.0.1:{self.members[name].port}" for name in SHOP)
        wide = "\n".join(f"  server {name} 127.0.0.1:1" for name in WIDE)
        return f"""
frontend other-front
  bind 127.0.0.1:{self._other_port}
  default_backend other
backend other
{other}
backend wide
{wide}
backend green
  server app4 127.0.0.1:{self.members["app4"].port}
"""

    def _frontend(self) -> str:
        """As the modules' documentation has it."""
        for name in ("routes.map", "pages.map"):
            (self.directory / name).touch()
        text = snippets.snippet(lb_page, "haproxy.cfg") + snippets.snippet(lb_route, "haproxy.cfg")
        lines = [line for line in text.splitlines() if line.split()[0] not in ("frontend", "default_backend")]
        return "\n".join(lines).replace("/etc/haproxy", str(self.directory))

    @property
    def node(self) -> haproxy.Node:
        assert self._node is not None
        return self._node
