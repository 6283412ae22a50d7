# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers whose members are split into two groups, each behind the same few words."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import typing as t

import pytest
from support import crowd, envoy
from support.apache import Apache
from support.caller import Caller, call_core
from support.cores import Outcome
from support.envoy_contract import Envoy
from support.fixtures import directory, state_directory
from support.haproxy_contract import HAProxy
from support.nginx import Nginx
from support.real_balancer import RealBalancer

from ansible_collections.steady.rollout.plugins.modules import lb_weight

__all__ = ["directory", "state_directory"]

GROUPS = {"blue": ["app1", "app2"], "green": ["app3", "app4"]}
BACKENDS: dict[str, type[RealBalancer]] = {backend.backend: backend for backend in (Apache, Envoy, HAProxy, Nginx)}
CLUSTERS = "envoy_clusters"


@dataclasses.dataclass
class Site:
    """A running balancer: *groups* as lb_weight takes them, *settings* the option ``balancer``."""

    port: int
    settings: dict[str, t.Any]
    groups: dict[str, list[str]]
    node: t.Any
    draws: bool = False
    """Each request's group is drawn at random, so that the split of few requests varies."""

    @property
    def put(self) -> t.Callable[..., Outcome]:
        return Caller(self.settings).put

    def split(self, **options: t.Any) -> Outcome:
        return call_core(lb_weight, balancer=dict(self.settings), **{"groups": self.groups, **options})

    def green_answers(self, requests: int) -> float:
        """Percent of real requests that members of green answered."""
        seen = crowd.answers(self.port, requests)
        return 100 * sum(seen[name] for name in GROUPS["green"]) / requests


@contextlib.contextmanager
def members_of(backend: type[RealBalancer], directory: pathlib.Path) -> t.Iterator[Site]:
    """The pool shop of the contract suite."""
    if backend.missing():
        pytest.skip(backend.missing())
    node = backend(directory, crowd.QuickMember)
    try:
        node.start()
        yield Site(node.port, node.settings(), GROUPS, node)
    finally:
        node.stop()


@contextlib.contextmanager
def clusters(directory: pathlib.Path) -> t.Iterator[Site]:
    """An Envoy whose route splits between two clusters."""
    if Envoy.missing():
        pytest.skip(Envoy.missing())
    weighted = [{"name": "blue", "weight": 100}, {"name": "green", "weight": 0}]
    routes = [{"name": "all", "match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": weighted}}}]
    with envoy.Node(directory, pools=GROUPS, routes=routes, make_member=crowd.QuickMember) as node:
        settings = {"type": "envoy", "host": "lb1", "admin": f"127.0.0.1:{node.admin_port}", "pool": "site"}
        groups = {"blue": ["blue"], "green": ["green"]}
        yield Site(node.port, {**settings, "rds_file": str(node.rds_file)}, groups, node, draws=True)


def site_of(kind: str, directory: pathlib.Path) -> contextlib.AbstractContextManager[Site]:
    return clusters(directory) if kind == CLUSTERS else members_of(BACKENDS[kind], directory)


@pytest.fixture(params=[*sorted(BACKENDS), CLUSTERS])
def site(request: pytest.FixtureRequest, directory: pathlib.Path) -> t.Iterator[Site]:
    """Each balancer in turn."""
    with site_of(request.param, directory) as site:
        yield site


@pytest.fixture(params=sorted(BACKENDS))
def member_site(request: pytest.FixtureRequest, directory: pathlib.Path) -> t.Iterator[Site]:
    """Each balancer that weighs members, not clusters."""
    with site_of(request.param, directory) as site:
        yield site


@pytest.fixture
def haproxy_site(directory: pathlib.Path) -> t.Iterator[Site]:
    with site_of("haproxy", directory) as site:
        yield site
