# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy and Envoy have counted, from recorded answers with figures put in."""

from __future__ import annotations

import csv
import json
import pathlib
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Bin, Counters
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import counters as envoy_counters
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import counters as haproxy_counters
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.backend import HAProxy
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx import backend as nginx
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

HERE = pathlib.Path(__file__).parent
STATE = (HERE / "haproxy/replies/2.6.12/servers_state.txt").read_text().rstrip("\n")
STAT = (HERE / "haproxy/replies/2.6.12/stat.txt").read_text().rstrip("\n")
INFO = "Name: HAProxy\nVersion: 2.6.12\nPid: 4711\nUptime: 0d 0h00m06s"


def stat_row(**figures: t.Any) -> dict[str, str]:
    """A server's row of 'show stat'."""
    (row,) = [row for row in csv.DictReader(STAT[2:].splitlines()) if row["svname"] == "up"]
    return {**row, **{name: str(value) for name, value in figures.items()}}


def counted(**figures: t.Any) -> Counters:
    return haproxy_counters.counters([stat_row(**figures)])["up"]


def test_answers_of_haproxys_servers() -> None:
    found = counted(hrsp_2xx=90, hrsp_3xx=1, hrsp_4xx=4, hrsp_5xx=5, req_tot=100, rtime=12, stot=100)
    assert found == Counters(requests=100, errors=5, latency=12.0, timed=100, window=512)


@pytest.mark.parametrize(
    ("figures", "requests", "errors"),
    [
        # As recorded with HAProxy 2.6.12 and retries 2: three requests each to a member that misbehaves in one way.
        ({"stot": 3, "req_tot": 3, "hrsp_5xx": 3}, 3, 3),
        ({"stot": 3, "eresp": 3}, 3, 3),
        ({"stot": 3, "req_tot": 3, "hrsp_2xx": 3, "eresp": 3, "srv_abrt": 3}, 3, 3),
        ({"stot": 9, "econ": 3, "wretr": 6}, 3, 3),
        ({"stot": 3, "req_tot": 3, "hrsp_2xx": 3}, 3, 0),
        ({}, 0, 0),
    ],
    ids=["500", "closed", "cut off", "refused", "good", "idle"],
)
def test_errors_that_haproxy_saw(figures: dict[str, int], requests: int, errors: int) -> None:
    found = counted(**figures)
    assert (found.requests, found.errors) == (requests, errors)


def test_a_tcp_pool_has_connections_and_no_latency() -> None:
    assert counted(mode="tcp", stot=10, econ=2, eresp=1) == Counters(requests=10, errors=3)


def test_a_look_at_haproxys_counters() -> None:
    asked: list[str] = []
    replies = {"show info": INFO, "show servers state shop": STATE, "show stat shop 6 -1": STAT}

    class Cli:
        where = "lb1 a.sock"

        def ask(self, commands: t.Sequence[str]) -> list[str]:
            asked.extend(commands)
            return [replies[command] for command in commands]

    count = HAProxy("shop", Cli()).counters()
    assert count.series == "Pid=4711"
    assert count.members["up"] == Counters(requests=0, errors=0, latency=0.0, timed=0, window=512)
    assert asked == ["show info", "show servers state shop", "show stat shop 6 -1"]


def test_another_process_is_another_series() -> None:
    again = haproxy_counters.series(INFO.replace("4711", "4712"))
    assert haproxy_counters.series(INFO) != again
    assert haproxy_counters.series(f"{INFO}\nStart_time_sec: 1790000000\n") == "Pid=4711 Start_time_sec=1790000000"


@pytest.mark.parametrize("version", ["1.36.2", "1.39.3", "1.40.0"])
def test_hosts_of_an_envoy_cluster(version: str) -> None:
    answer = json.loads((HERE / f"envoy/replies/{version}/clusters.json").read_text())
    status = next(one for one in answer["cluster_statuses"] if one["name"] == "shop")
    host = next(one for one in status["host_statuses"] if one.get("hostname") == "app1")
    # A request for which there was no connection is an error and no part of rq_total.
    figures = {"rq_success": "7", "rq_error": "3", "rq_total": "9", "cx_connect_fail": "1"}
    host["stats"] = [{"name": name, "value": value} for name, value in figures.items()]
    found = envoy_counters.of_hosts(status)
    assert found["app1"] == Counters(requests=10, errors=3)
    assert len(found) == len(status["host_statuses"])


def test_clusters_of_an_envoy_route() -> None:
    bins = [{"lower_bound": 9, "width": 0.1, "count": 1}, {"lower_bound": 42, "width": 1, "count": 3}]
    details = [{"name": "cluster.blue.upstream_rq_time", "totals": bins, "intervals": []}]
    histograms = {"stats": [{"histograms": {"supported_percentiles": [50], "details": details}}]}
    figures = {
        "cluster.blue.upstream_rq_completed": 4,
        "cluster.blue.upstream_rq_5xx": 1,
        "cluster.green_a.upstream_rq_completed": 2,
    }
    prefixes = {
        "blue": envoy_counters.prefix_of(None, "blue"),
        "green": envoy_counters.prefix_of({"observability_name": "green:a"}, "green"),
    }
    assert envoy_counters.of_clusters(prefixes, figures, histograms) == {
        "blue": Counters(requests=4, errors=1, histogram=(Bin(9.0, 0.1, 1), Bin(42.0, 1.0, 3))),
        "green": Counters(requests=2, errors=0),
    }


def test_an_envoy_without_detailed_histograms_has_no_latencies() -> None:
    plain = {"stats": [{"histograms": [{"name": "cluster.blue.upstream_rq_time", "buckets": []}]}]}
    assert envoy_counters.of_clusters({"blue": "cluster.blue"}, {}, plain) == {"blue": Counters(0, 0)}
    assert envoy_counters.of_clusters({"blue": "cluster.blue"}, {}, None) == {"blue": Counters(0, 0)}


def test_a_hot_restart_is_another_series() -> None:
    assert envoy_counters.series({"server.hot_restart_epoch": 1}) == "epoch=1"


def test_a_type_that_does_not_count_is_refused() -> None:
    balancer: t.Any = object.__new__(nginx.NginxUpstream)
    balancer.where = "lb1 nginx"
    with pytest.raises(RolloutError) as caught:
        balancer.counters()
    assert caught.value.message == (
        "lb1 nginx: this type of load balancer cannot report what it has counted for its members: nginx (open source) "
        "counts nothing by upstream server."
    )
