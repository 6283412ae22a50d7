# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gate on a real Envoy: by its own counters and by a Prometheus that scrapes it."""

from __future__ import annotations

import contextlib
import pathlib
import typing as t

import pytest
from support import envoy
from support.flawed import FlawedMember, Users
from support.haproxy import wait_until
from support.monitoring import Prometheus

pytestmark = pytest.mark.needs("envoy")

SPLIT = {
    "name": "shop",
    "match": {"prefix": "/"},
    "route": {"weighted_clusters": {"clusters": [{"name": "blue", "weight": 70}, {"name": "green", "weight": 30}]}},
}
CLUSTERS = {"canary": ["green"], "baseline": ["blue"]}


class EnvoyUnderTraffic:
    """Two members behind the cluster blue, one behind green, which is on the new version."""

    def __init__(self, directory: pathlib.Path, errors: float, delay: float) -> None:
        flawed = {"app3": {"errors": errors, "delay": delay}}
        self.node = envoy.Node(
            directory,
            pools={"blue": ["app1", "app2"], "green": ["app3"]},
            routes=[SPLIT],
            make_member=lambda name: FlawedMember(name, **flawed.get(name, {})),
        )
        common = {"type": "envoy", "host": "lb1", "admin": f"127.0.0.1:{self.node.admin_port}"}
        self.by_route = {**common, "rds_file": str(self.node.rds_file), "pool": "shop"}
        self.by_cluster = {**common, "eds_file": str(self.node.eds_file("blue")), "pool": "blue"}


@pytest.fixture
def running(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[t.Any]:
    with contextlib.ExitStack() as stack:

        def started(errors: float = 0.0, delay: float = 0.004) -> EnvoyUnderTraffic:
            world = EnvoyUnderTraffic(tmp_path_factory.mktemp("lb"), errors, delay)
            stack.enter_context(world.node)
            stack.enter_context(Users(world.node.port))
            return world

        yield started


def test_a_good_release_passes_by_the_clusters_of_a_route(running: t.Any, gate: t.Any) -> None:
    metrics = [
        {"name": "errors", "judge": True, "critical": True},
        {"name": "p95", "query": "p95", "limit": "< 1s", "minimum": 2},
    ]
    outcome = gate(
        balancers=[running().by_route], groups=CLUSTERS, metrics=metrics, window="17", interval="1", patient=True
    )
    assert outcome["verdict"] == "pass", outcome.result


def test_a_release_that_errs_fails(running: t.Any, gate: t.Any) -> None:
    world = running(errors=0.1)
    errors = {"name": "errors", "judge": True}
    outcome = gate(balancers=[world.by_route], groups=CLUSTERS, metrics=[errors], window="60", interval="1")
    assert outcome["verdict"] == "fail", outcome.result
    assert outcome["metrics"][0]["figures"]["canary"] == pytest.approx(0.1, abs=0.03)


def test_members_of_a_cluster_have_errors_and_no_latencies(running: t.Any, gate: t.Any) -> None:
    world = running()
    groups = {"canary": ["app1"], "baseline": ["app2"]}
    metrics = [{"name": "errors", "judge": True}, {"name": "latency", "query": "latency", "limit": "< 1s"}]
    outcome = gate(balancers=[world.by_cluster], groups=groups, metrics=metrics, window="4", interval="0.5")
    by_name = {metric["name"]: metric for metric in outcome["metrics"]}
    assert by_name["errors"]["verdict"] == "pass"
    assert (by_name["latency"]["verdict"], by_name["latency"]["outcome"]) == ("no_data", "no_data")
    assert by_name["latency"]["why"] == "these balancers do not report latencies by member"


@pytest.mark.needs("prometheus")
def test_p95_by_prometheus_catches_a_release_many_times_as_slow(
    running: t.Any, gate: t.Any, tmp_path: pathlib.Path
) -> None:
    world = running(delay=0.5)
    buckets = 'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=~"$members"}'
    metric = {
        "name": "p95",
        "source": "prometheus",
        "unit": "ms",
        "baseline": "< 2x",
        "minimum": 3,
        "query": f"histogram_quantile(0.95, sum by (le, envoy_cluster_name) (rate({buckets}[8s])))",
    }
    with Prometheus(tmp_path, {"envoy": [world.node.admin_port]}, path="/stats/prometheus") as prometheus:
        rate = "sum(rate(envoy_cluster_upstream_rq_time_count[8s]))"
        wait_until(lambda: (prometheus.number(rate) or 0) > 0, "it has scraped", 40)
        sources = {"prometheus": {"type": "prometheus", "url": prometheus.url}}
        outcome = gate(sources=sources, groups=CLUSTERS, metrics=[metric], window="10", interval="1")
    assert outcome["verdict"] == "fail", outcome.result
    assert outcome["metrics"][0]["figures"]["ratio"] > 2
