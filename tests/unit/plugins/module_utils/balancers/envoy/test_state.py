# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Envoy's answers mean, as recorded from three versions, and when it balances in panic."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Member
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import state as envoy_state
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.admin import (
    parse_address,
    statistics,
    stats_name,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.config import ClusterConfig
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.state import Host, panics
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

REPLIES = pathlib.Path(__file__).resolve().parent / "replies"
VERSIONS = sorted(path.name for path in REPLIES.iterdir() if path.is_dir())


def reply(version: str, name: str) -> t.Any:
    return json.loads((REPLIES / version / f"{name}.json").read_text())


def host(number: int = 1, **changes: t.Any) -> Host:
    plain = Host(
        hostname=f"app{number}",
        address=f"10.0.0.{number}:80",
        eds_health="HEALTHY",
        failures=(),
        unchecked=False,
        degraded=False,
        weight=1,
        priority=0,
        active=0,
        waiting=0,
    )
    return dataclasses.replace(plain, **changes)


def members(*hosts: Host, **options: t.Any) -> dict[str, Member]:
    given: dict[str, t.Any] = {"checked": True, "unweighted": {}, "old": 0, "undelivered": (), **options}
    return envoy_state.members(envoy_state.names(hosts), **given)


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_members(version: str) -> None:
    status = envoy_state.cluster_status(reply(version, "clusters"), "shop")
    assert status is not None
    found = members(*envoy_state.hosts(status))
    assert list(found) == ["app1", "app2", "app3", "app4", "app5"]
    assert {name: one.own for name, one in found.items()} == {
        "app1": contract.IN_SERVICE,
        "app2": contract.DRAINED,
        "app3": contract.MAINTENANCE,
        "app4": contract.IN_SERVICE,
        "app5": contract.IN_SERVICE,
    }
    assert [one.operational for one in found.values()] == ["up", "up", "up", "down", "up"]
    assert [one.weight for one in found.values()] == [7, 1, 1, 1, 1]
    assert [one.usable for one in found.values()] == [True, False, False, False, True]
    assert [one.backup for one in found.values()] == [False, False, False, False, True]
    # One of three that count is healthy, so the priority after it takes what is left.
    assert found["app5"].in_rotation
    assert found["app1"].address == "127.0.0.1:8081"
    assert found["app4"].check == "its health check fails"


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_configuration(version: str) -> None:
    dumps = [reply(version, "dynamic_active_clusters"), reply(version, "static_clusters")]
    config = ClusterConfig.from_dump(dumps, "shop", reply(version, "runtime"))
    assert config == ClusterConfig("EDS", "/etc/envoy/shop.json", "ROUND_ROBIN", 0.0, 0.25, False)
    assert ClusterConfig.from_dump(dumps, "sho", None) is None


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_statistics(version: str) -> None:
    figures = statistics(reply(version, "stats"))
    assert figures["cluster.shop.version_text"] == "0"
    assert figures["cluster.shop.update_success"] == 2
    assert figures["cluster.shop.health_check.attempt"] > 0
    assert figures["server.hot_restart_epoch"] == 0


def config_of(**cluster: t.Any) -> ClusterConfig:
    dump = {"configs": [{"cluster": {"name": "shop", "type": "EDS", **cluster}}]}
    config = ClusterConfig.from_dump([None, dump], "shop", None)
    assert config is not None
    return config


def test_settings_that_are_not_there() -> None:
    assert config_of() == ClusterConfig("EDS", "", "ROUND_ROBIN", 50.0, 1.0, False)


def test_settings_that_are_there() -> None:
    common = {"healthy_panic_threshold": {"value": 30}, "update_merge_window": "0s", "locality_weighted_lb_config": {}}
    source = {"eds_config": {"path": "/etc/envoy/old.json"}}
    assert config_of(common_lb_config=common, eds_cluster_config=source, lb_policy="RANDOM") == ClusterConfig(
        "EDS", "/etc/envoy/old.json", "RANDOM", 30.0, 0.0, True
    )
    policy = {"policies": [{"typed_extension_config": {"name": "envoy.load_balancing_policies.random"}}]}
    assert config_of(load_balancing_policy=policy).policy == "envoy.load_balancing_policies.random"


def test_the_runtime_overrides_the_threshold() -> None:
    runtime = {"entries": {"upstream.healthy_panic_threshold": {"final_value": "25"}}}
    config = ClusterConfig.from_dump([{"configs": [{"cluster": {"name": "shop"}}]}], "shop", runtime)
    assert config is not None
    assert config.panic_threshold == 25.0


def test_a_name_that_two_hosts_have_is_of_neither() -> None:
    found = members(host(1, hostname="app"), host(2, hostname="app"), host(3), host(4, hostname=""))
    assert list(found) == ["10.0.0.1:80", "10.0.0.2:80", "app3", "10.0.0.4:80"]


def test_without_checks_nobody_is_more_than_unchecked() -> None:
    assert members(host(), checked=False)["app1"].operational == contract.NO_CHECK


@pytest.mark.parametrize(
    ("changes", "operational", "check"),
    [
        ({"failures": ("ejected by outlier detection",)}, contract.DOWN, "ejected by outlier detection"),
        ({"unchecked": True}, contract.DOWN, "its first health check has not ended yet"),
        ({"degraded": True}, contract.GOING_DOWN, "degraded"),
    ],
)
def test_what_checks_say(changes: dict[str, t.Any], operational: str, check: str) -> None:
    found = members(host(**changes))["app1"]
    assert (found.operational, found.check) == (operational, check)
    assert found.usable is (operational != contract.DOWN)


def test_a_first_check_that_has_not_ended_is_no_failure() -> None:
    entry = {"health_status": {"failed_active_health_check": True, "pending_active_hc": True}}
    (found,) = envoy_state.hosts({"host_statuses": [entry]})
    assert (found.failures, found.unchecked) == ((), True)


def test_who_is_out_for_want_of_weight_is_in_service() -> None:
    found = members(host(1, eds_health="DRAINING"), host(2), unweighted={"10.0.0.1:80": contract.IN_SERVICE})["app1"]
    assert (found.own, found.weight, found.usable, found.inherited) == (contract.IN_SERVICE, 0, False, False)
    # The mark of a file that Envoy has not taken yet.
    assert members(host(1), unweighted={"10.0.0.1:80": contract.DRAINED})["app1"].own == contract.IN_SERVICE


def test_a_change_that_the_balancing_threads_lack_is_none_yet() -> None:
    found = members(host(1, eds_health="DRAINING"), host(2), host(3), undelivered={"app1", "app2"})
    assert found["app1"].pending == "may still get requests: Envoy holds changes back (update_merge_window)"
    assert (found["app2"].in_rotation, found["app2"].pending) == (False, "")
    assert (found["app3"].in_rotation, found["app3"].pending) == (True, "")


def test_what_a_drain_waits_for() -> None:
    found = members(host(active=2, waiting=1), old=4)["app1"]
    assert (found.sessions, found.queue, found.old_sessions, found.busy) == (2, 1, 4, 7)


def test_a_later_priority_stands_by() -> None:
    found = members(host(1), host(2), host(3, priority=1))
    assert (found["app3"].backup, found["app3"].usable, found["app3"].in_rotation) == (True, True, False)
    # Seven in ten are as good as all.
    found = members(host(1), host(2, eds_health="UNHEALTHY"), host(3, priority=1))
    assert found["app3"].in_rotation


def pool(healthy: int = 0, unhealthy: int = 0, drained: int = 0, priority: int = 0) -> list[Host]:
    states = ["HEALTHY"] * healthy + ["UNHEALTHY"] * unhealthy + ["DRAINING"] * drained
    return [host(number, eds_health=state, priority=priority) for number, state in enumerate(states)]


# Seen on 1.36, 1.39 and 1.40: who answered, and the counter lb_healthy_panic.
@pytest.mark.parametrize(
    ("hosts", "threshold", "panic"),
    [
        (pool(healthy=3), 50, False),
        (pool(healthy=2, drained=1), 50, False),
        (pool(healthy=1, drained=2), 50, False),
        (pool(drained=3), 50, True),
        (pool(drained=3), 0, False),
        (pool(healthy=2, unhealthy=1), 50, False),
        (pool(healthy=1, unhealthy=2), 50, True),
        (pool(healthy=1, unhealthy=1, drained=1), 50, False),
        (pool(unhealthy=3), 50, True),
        (pool(unhealthy=3), 0, False),
        (pool(healthy=1, unhealthy=2), 30, False),
        # From 72 percent on the rest is taken for spare.
        (pool(healthy=3, unhealthy=1), 90, False),
        (pool(healthy=2, unhealthy=1), 90, True),
        # The next priority makes up for it.
        (pool(healthy=1, unhealthy=2) + pool(healthy=3, priority=1), 50, False),
        (pool(healthy=1, unhealthy=5) + pool(healthy=1, unhealthy=5, priority=1), 50, True),
        # Where both together are too few, one that is below the threshold is enough.
        (pool(healthy=1, unhealthy=5) + pool(healthy=3, unhealthy=3, priority=1), 50, True),
    ],
)
def test_panic(hosts: list[Host], threshold: float, panic: bool) -> None:
    assert panics(hosts, threshold) is panic


def test_down_and_unchecked_hosts_in_panic() -> None:
    down = [host(number, failures=("down",)) for number in (2, 3)]
    assert panics([host(1), *down], 50)
    unchecked = [host(number, unchecked=True) for number in (2, 3)]
    assert not panics([host(1), *unchecked], 50)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9901", ("", "127.0.0.1", 9901)),
        ("http://lb1:9901/", ("", "lb1", 9901)),
        ("tcp://[::1]:9901", ("", "::1", 9901)),
        ("/run/envoy/admin.sock", ("/run/envoy/admin.sock", "", 0)),
        ("unix:/run/a", ("/run/a", "", 0)),
    ],
)
def test_addresses_of_the_interface(text: str, address: tuple[str, str, int]) -> None:
    found = parse_address(text)
    assert (found.path, found.host, found.port) == address


@pytest.mark.parametrize("text", ["", "lb1", "lb1:0", "lb1:70000", "http://lb1:9901/stats", "a b:1"])
def test_addresses_that_cannot_be_right(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_address(text)
    assert caught.value.message == (
        f"balancer.admin: '{text}' is neither 'host:port' nor the absolute path of a unix socket; for example "
        "127.0.0.1:9901, as in the 'admin' section of Envoy's configuration."
    )


def test_names_in_statistics() -> None:
    assert stats_name("outbound|80||shop:8080") == "outbound|80||shop_8080"
    assert stats_name("http://shop") == "http_shop"
