# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters and routes of an Envoy that is made up: it reads its files when it is asked for its statistics."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t
import urllib.parse

import pytest
from support.pools import ManualClock

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import backend as envoy
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.cluster import EnvoyCluster
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.eds import Document
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.file import WatchedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.rds import RouteDocument
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.routes import EnvoyRoutes
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

Json = t.Dict[str, t.Any]
TYPES = "type.googleapis.com/envoy.config"


class FakeEnvoy:
    """*mood*: takes what is in its files, rejects it, does not look, or is silent. *merges* holds updates back."""

    where = "lb1"

    def __init__(self, directory: pathlib.Path) -> None:
        self.eds, self.rds = directory / "shop.json", directory / "routes.json"
        self.mood = "takes"
        self.merges = False
        self.merge_window = "1s"
        self.panic = 50.0
        self.policy = "ROUND_ROBIN"
        self.cluster_type = "EDS"
        self.alias = ""
        self.epoch = self.parents = self.old_requests = 0
        self.active: dict[str, int] = {}
        self.asked: list[str] = []
        self.figures: dict[str, t.Any] = {}
        self.write_eds([{"hostname": name} for name in ("app1", "app2", "app3")])
        self.write_rds({"blue": 100, "green": 0})
        self._rejected = ""
        self._taken: dict[str, str] = {path.name: path.read_text() for path in (self.eds, self.rds)}

    def write_eds(self, members: list[Json]) -> None:
        entries = [
            {"endpoint": {**one, "address": {"socket_address": {"address": f"10.0.0.{number}", "port_value": 80}}}}
            for number, one in enumerate(members, 1)
        ]
        resource = {"@type": f"{TYPES}.endpoint.v3.ClusterLoadAssignment", "endpoints": [{"lb_endpoints": entries}]}
        self.eds.write_text(json.dumps({"version_info": "0", "resources": [resource]}))

    def write_rds(self, weights: dict[str, int], **more: t.Any) -> None:
        clusters = [{"name": name, "weight": weight} for name, weight in weights.items()]
        split = {"route": {"weighted_clusters": {"clusters": clusters, **more}}}
        routes = [{"name": "api", **split}, {"name": "rest", **split}, {"name": "plain", "route": {"cluster": "blue"}}]
        host = {"name": "site", "routes": routes}
        resource = {"@type": f"{TYPES}.route.v3.RouteConfiguration", "name": "main", "virtual_hosts": [host]}
        self.rds.write_text(json.dumps({"version_info": "0", "resources": [resource]}))

    def ask(self, paths: t.Sequence[str]) -> list[t.Any]:
        if self.mood == "silent":
            raise Unreachable("lb1: connection refused.")
        return [self._answer(urllib.parse.unquote(path)) for path in paths]

    def _answer(self, path: str) -> t.Any:
        self.asked.append(path)
        if path.startswith("/stats"):
            self._look_at_files()
            names = re.compile(path.partition("filter=")[2])
            return {"stats": [{"name": name, "value": value} for name, value in self._all() if names.search(name)]}
        if path.startswith("/clusters"):
            return {"cluster_statuses": [self._shop(), self._cluster("blue", 2), self._cluster("green", 1)]}
        if path.startswith("/config_dump?resource=static_clusters"):
            return {"configs": [{"cluster": self._config()}]}
        if path.startswith("/config_dump?resource=dynamic_route_configs"):
            return {"configs": [{"route_config": json.loads(self._taken["routes.json"])["resources"][0]}]}
        return {"/runtime?format=json": {"entries": {}}, "/server_info": {"version": "abc/1.40.0/Clean"}}.get(path)

    def _all(self) -> t.Iterable[tuple[str, t.Any]]:
        prefix = f"cluster.{self.alias or 'shop'}"
        total = sum(self.active.values()) + self.old_requests
        fixed = {
            f"{prefix}.upstream_rq_active": total,
            f"{prefix}.upstream_rq_pending_active": 3,
            f"{prefix}.health_check.attempt": 1,
            "server.hot_restart_epoch": self.epoch,
            "server.parent_connections": self.parents,
        }
        return {**fixed, **self.figures}.items()

    def _look_at_files(self) -> None:
        prefixes = {"shop.json": f"cluster.{self.alias or 'shop'}", "routes.json": "http.in.rds.main"}
        for path in (self.eds, self.rds):
            text, prefix = path.read_text(), prefixes[path.name]
            if text in (self._taken[path.name], self._rejected) or self.mood == "asleep":
                continue
            if self.mood == "rejects":
                self._rejected = text
                self._count(f"{prefix}.update_rejected")
                continue
            self._taken[path.name] = text
            self._count(f"{prefix}.update_success")
            self.figures[f"{prefix}.version_text"] = json.loads(text)["version_info"]
            if not self.merges:
                self._count("cluster_manager.cluster_updated")

    def _count(self, name: str) -> None:
        self.figures[name] = self.figures.get(name, 0) + 1

    def _shop(self) -> Json:
        hosts = []
        for entry in json.loads(self._taken["shop.json"])["resources"][0]["endpoints"][0]["lb_endpoints"]:
            name = entry["endpoint"].get("hostname", "")
            health = entry.get("health_status", "HEALTHY")
            hosts.append(
                {
                    "hostname": name,
                    "address": entry["endpoint"]["address"],
                    "health_status": {"eds_health_status": health},
                    "weight": entry.get("load_balancing_weight", 1),
                    "stats": [{"name": "rq_active", "value": str(self.active.get(name, 0))}],
                }
            )
        return {"name": "shop", "host_statuses": hosts, **({"observability_name": self.alias} if self.alias else {})}

    def _cluster(self, name: str, healthy: int) -> Json:
        up = {"health_status": {"eds_health_status": "HEALTHY"}}
        return {"name": name, "host_statuses": [up] * healthy + [{"health_status": {"failed_outlier_check": True}}]}

    def _config(self) -> Json:
        return {
            "name": "shop",
            "type": self.cluster_type,
            "lb_policy": self.policy,
            "eds_cluster_config": {"eds_config": {"path_config_source": {"path": "/etc/envoy/shop.json"}}},
            "common_lb_config": {
                "healthy_panic_threshold": {"value": self.panic},
                "update_merge_window": self.merge_window,
            },
        }


@pytest.fixture
def fake(tmp_path: pathlib.Path) -> FakeEnvoy:
    return FakeEnvoy(tmp_path)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def shop(fake: FakeEnvoy, clock: ManualClock) -> EnvoyCluster:
    file = WatchedFile(str(fake.eds), "lb1", "balancer.eds_file")
    return EnvoyCluster("shop", fake, file, 5.0, clock.clock)


@pytest.fixture
def site(fake: FakeEnvoy, clock: ManualClock) -> EnvoyRoutes:
    file = WatchedFile(str(fake.rds), "lb1", "balancer.rds_file")
    return EnvoyRoutes("site", fake, file, 5.0, clock.clock)


def health(fake: FakeEnvoy) -> dict[str, str]:
    return {endpoint.address: endpoint.health for endpoint in Document.parse(fake.eds.read_text()).endpoints}


def test_a_drain_is_one_new_file_taken(fake: FakeEnvoy, shop: EnvoyCluster, clock: ManualClock) -> None:
    shop.set_admin({"app1": contract.DRAINED})
    assert health(fake) == {"10.0.0.1:80": "DRAINING", "10.0.0.2:80": "UNKNOWN", "10.0.0.3:80": "UNKNOWN"}
    seen = shop.snapshot().members
    assert (seen["app1"].own, seen["app1"].in_rotation, seen["app1"].pending) == (contract.DRAINED, False, "")
    assert clock.slept == []
    assert not list(fake.eds.parent.glob("*.new"))


def test_the_file_keeps_its_mode(fake: FakeEnvoy, shop: EnvoyCluster) -> None:
    fake.eds.chmod(0o640)
    shop.set_admin({"app1": contract.DRAINED})
    assert fake.eds.stat().st_mode & 0o777 == 0o640


def test_a_rejected_file_is_restored(fake: FakeEnvoy, shop: EnvoyCluster) -> None:
    before = fake.eds.read_text()
    fake.mood = "rejects"
    with pytest.raises(RolloutError) as caught:
        shop.set_admin({"app1": contract.DRAINED})
    assert caught.value.message == (
        f"lb1: Envoy rejected the new {fake.eds}; the old one is restored. Its log says why, in a line with 'rejected' or "
        "'failure'."
    )
    assert fake.eds.read_text() == before


def test_a_file_that_is_not_read_is_restored(fake: FakeEnvoy, shop: EnvoyCluster, clock: ManualClock) -> None:
    before = fake.eds.read_text()
    fake.mood = "asleep"
    with pytest.raises(RolloutError) as caught:
        shop.set_admin({"app1": contract.DRAINED})
    assert caught.value.message == (
        f"lb1: Envoy did not load the new {fake.eds} within 5 s; the old one is restored. Is this the file that its "
        "configuration names, and does its 'stats_config', if any, keep update_success and version_text?"
    )
    assert (fake.eds.read_text(), round(clock.now)) == (before, 5)


def test_a_restart_in_between_is_waited_for(fake: FakeEnvoy, shop: EnvoyCluster, clock: ManualClock) -> None:
    replace = shop._file.replace

    def replaced(text: str) -> None:
        replace(text)
        fake.mood = "silent"
        fake.figures = {}
        clock.at(clock.now + 2.0, lambda: setattr(fake, "mood", "takes"))

    shop._file.replace = replaced  # type: ignore[method-assign,assignment]
    shop.set_admin({"app1": contract.DRAINED})
    assert health(fake)["10.0.0.1:80"] == "DRAINING"


def test_a_node_that_stays_silent(fake: FakeEnvoy, shop: EnvoyCluster) -> None:
    before = fake.eds.read_text()
    replace = shop._file.replace

    def replaced(text: str) -> None:
        replace(text)
        fake.mood = "silent"

    shop._file.replace = replaced  # type: ignore[method-assign,assignment]
    with pytest.raises(Unreachable):
        shop.set_admin({"app1": contract.DRAINED})
    assert fake.eds.read_text() == before


def test_a_change_that_envoy_holds_back_is_pending_until_its_window_is_over(
    fake: FakeEnvoy, shop: EnvoyCluster, clock: ManualClock
) -> None:
    fake.merges = True
    shop.set_admin({"app1": contract.DRAINED})
    assert shop.snapshot().members["app1"].pending != ""
    shop.set_admin({"app1": contract.IN_SERVICE})
    assert shop.snapshot().members["app1"].in_rotation is False
    clock.sleep(1.0)
    seen = shop.snapshot().members["app1"]
    assert (seen.pending, seen.in_rotation) == ("", True)


def test_weights_that_envoy_holds_back_are_waited_for(fake: FakeEnvoy, shop: EnvoyCluster, clock: ManualClock) -> None:
    fake.merges, fake.merge_window = True, "0.250s"
    shop.set_weights({"app1": 7})
    assert clock.slept == [0.25]


def test_weight_0_is_no_drain(fake: FakeEnvoy, shop: EnvoyCluster) -> None:
    shop.set_weights({"app1": 0, "app2": 3})
    seen = shop.snapshot().members
    assert (seen["app1"].own, seen["app1"].weight, seen["app1"].in_rotation) == (contract.IN_SERVICE, 0, False)
    assert (seen["app2"].weight, seen["app3"].weight) == (3, 1)
    shop.set_admin({"app1": contract.DRAINED})
    shop.set_weights({"app1": 4})
    seen = shop.snapshot().members
    assert (seen["app1"].own, seen["app1"].weight) == (contract.DRAINED, 4)


def test_too_few_healthy_members_are_refused_before_anything_is_written(fake: FakeEnvoy, shop: EnvoyCluster) -> None:
    before = fake.eds.read_text()
    states = {"app1": contract.MAINTENANCE, "app2": contract.MAINTENANCE}
    reason = (
        "too few members would be healthy, so that Envoy would send traffic to all of them, drained or not (its "
        "healthy_panic_threshold is 50%; 0 in the cluster's common_lb_config ends that)"
    )
    assert shop.objection(states) == reason
    with pytest.raises(RolloutError) as caught:
        shop.set_admin(states)
    assert caught.value.message == (
        f"lb1: refused to take 'app1', 'app2' out of pool 'shop': {reason}. Nothing was changed; return other members to "
        "service first."
    )
    assert (caught.value.result, fake.eds.read_text()) == ({"refused": True}, before)
    fake.panic = 0.0
    assert EnvoyCluster("shop", fake, shop._file, 5.0, shop._clock).objection(states) == ""
    assert shop.objection({"app1": contract.DRAINED}) == ""
    assert shop.objection({"app1": contract.IN_SERVICE}) == ""


@pytest.mark.parametrize("policy", ["RANDOM", "CLUSTER_PROVIDED"])
def test_a_policy_that_does_not_look_at_weights(fake: FakeEnvoy, shop: EnvoyCluster, policy: str) -> None:
    fake.policy = policy
    with pytest.raises(RolloutError) as caught:
        shop.set_weights({"app1": 7})
    assert caught.value.message == (
        f"lb1: pool 'shop' balances by lb_policy {policy}, which ignores weights. Use ROUND_ROBIN."
    )


def test_requests_of_the_process_before_a_hot_restart(fake: FakeEnvoy, shop: EnvoyCluster) -> None:
    fake.active = {"app1": 2, "app2": 1}
    assert (shop.snapshot().members["app1"].old_sessions, shop.snapshot().notes) == (0, ())
    fake.epoch, fake.parents, fake.old_requests = 1, 4, 5
    snapshot = shop.snapshot()
    assert {name: (one.sessions, one.old_sessions) for name, one in snapshot.members.items()} == {
        "app1": (2, 5),
        "app2": (1, 5),
        "app3": (0, 5),
    }
    assert snapshot.queue == 3
    assert snapshot.notes == (
        "A hot restart left a process behind. Envoy does not report its requests by member, and its figures are as "
        "old as stats_flush_interval.",
    )
    fake.parents = 0
    assert shop.snapshot().members["app1"].old_sessions == 0


def test_a_cluster_with_another_name_in_the_statistics(fake: FakeEnvoy, shop: EnvoyCluster) -> None:
    fake.alias = "front:shop"
    assert shop.snapshot().queue == 0
    fake.figures["cluster.front_shop.upstream_rq_pending_active"] = 9
    assert shop.snapshot().queue == 9


def test_a_cluster_that_reads_no_file(fake: FakeEnvoy, shop: EnvoyCluster) -> None:
    fake.cluster_type = "STRICT_DNS"
    with pytest.raises(RolloutError) as caught:
        shop.require_admin()
    assert caught.value.message == (
        "lb1: pool 'shop' does not read its members from a file (its type is STRICT_DNS). Give the cluster 'type: EDS' "
        "with a 'path_config_source'."
    )


def test_another_file_than_the_clusters(fake: FakeEnvoy, clock: ManualClock) -> None:
    file = WatchedFile(str(fake.rds), "lb1", "balancer.eds_file")
    with pytest.raises(RolloutError) as caught:
        EnvoyCluster("shop", fake, file, 5.0, clock.clock).require_admin()
    assert caught.value.message == (
        f"lb1: pool 'shop' reads its members from /etc/envoy/shop.json, not from {fake.rds}. Correct balancer.eds_file."
    )


def test_a_symbolic_link_is_refused(fake: FakeEnvoy, clock: ManualClock, tmp_path: pathlib.Path) -> None:
    (tmp_path / "link").mkdir()
    link = tmp_path / "link" / "shop.json"
    link.symlink_to(fake.eds)
    with pytest.raises(RolloutError) as caught:
        EnvoyCluster("shop", fake, WatchedFile(str(link), "lb1", "balancer.eds_file"), 5.0, clock.clock).require_admin()
    assert caught.value.message == (
        f"lb1: {link} is a symbolic link, and Envoy would not see a change of the file behind it. Let Envoy and "
        "balancer.eds_file name the file itself."
    )


def test_a_member_that_only_envoy_has(fake: FakeEnvoy, shop: EnvoyCluster) -> None:
    fake.mood = "asleep"
    fake.write_eds([{"hostname": "app1"}])
    with pytest.raises(RolloutError) as caught:
        shop.set_admin({"app3": contract.DRAINED})
    assert caught.value.message == (
        f"lb1: Envoy and {fake.eds} do not agree on member 'app3' of pool 'shop': one of them lacks it. Envoy has not loaded "
        "the file as it is now (its log says why), or keeps a removed member as long as its health check passes."
    )


def test_another_pool(fake: FakeEnvoy, clock: ManualClock) -> None:
    file = WatchedFile(str(fake.eds), "lb1", "balancer.eds_file")
    with pytest.raises(InputError) as caught:
        EnvoyCluster("shup", fake, file, 5.0, clock.clock).snapshot()
    assert caught.value.message == "lb1: no pool 'shup'; its pools are 'shop', 'blue', 'green'."


def test_the_version(shop: EnvoyCluster, site: EnvoyRoutes) -> None:
    assert (shop.version(), site.version()) == ("1.40.0", "1.40.0")


# Routes


def test_clusters_are_the_members_of_a_route(site: EnvoyRoutes) -> None:
    seen = site.snapshot().members
    assert {name: (one.weight, one.operational, one.in_rotation) for name, one in seen.items()} == {
        "blue": (100, contract.UP, True),
        "green": (0, contract.UP, False),
    }
    assert seen["blue"].check == "2 of 3 hosts are healthy"


def test_all_routes_of_a_virtual_host_change_at_once(fake: FakeEnvoy, site: EnvoyRoutes) -> None:
    site.set_weights({"blue": 95, "green": 5})
    document = RouteDocument.parse(fake.rds.read_text())
    assert [split.weights for split in document.splits("site")] == [{"blue": 95, "green": 5}] * 2
    assert site.snapshot().members["green"].weight == 5


def test_one_route_alone(fake: FakeEnvoy, clock: ManualClock) -> None:
    file = WatchedFile(str(fake.rds), "lb1", "balancer.rds_file")
    EnvoyRoutes("api", fake, file, 5.0, clock.clock).set_weights({"blue": 50, "green": 50})
    document = RouteDocument.parse(fake.rds.read_text())
    assert [split.weights["green"] for split in document.splits("site")] == [50, 0]
    with pytest.raises(RolloutError) as caught:
        EnvoyRoutes("site", fake, file, 5.0, clock.clock).snapshot()
    assert caught.value.message == (
        "lb1: the routes of 'site' do not split alike ({'blue': 50, 'green': 50} and {'blue': 100, 'green': 0}). Name one "
        "route as balancer.pool, or make them alike."
    )


def test_a_total_weight_follows(fake: FakeEnvoy, site: EnvoyRoutes) -> None:
    fake.write_rds({"blue": 60, "green": 40}, total_weight=100)
    site.set_weights({"blue": 3, "green": 1})
    (first, second) = RouteDocument.parse(fake.rds.read_text()).splits("site")
    assert first._data["total_weight"] == second._data["total_weight"] == 4


def test_rejected_routes_are_put_back(fake: FakeEnvoy, site: EnvoyRoutes) -> None:
    before = fake.rds.read_text()
    fake.mood = "rejects"
    with pytest.raises(RolloutError) as caught:
        site.set_weights({"blue": 95, "green": 5})
    assert f"Envoy rejected the new {fake.rds}; the old one is restored." in caught.value.message
    assert fake.rds.read_text() == before


def test_a_route_that_does_not_split(fake: FakeEnvoy, clock: ManualClock) -> None:
    file = WatchedFile(str(fake.rds), "lb1", "balancer.rds_file")
    with pytest.raises(InputError) as caught:
        EnvoyRoutes("plain", fake, file, 5.0, clock.clock).snapshot()
    assert caught.value.message == (
        "lb1: no route or virtual host 'plain' with weighted_clusters in route configuration 'main'; there are 'site', "
        "'api', 'rest'."
    )


def test_weights_that_the_runtime_may_override(fake: FakeEnvoy, site: EnvoyRoutes) -> None:
    fake.write_rds({"blue": 1, "green": 1}, runtime_key_prefix="routing")
    with pytest.raises(RolloutError) as caught:
        site.require_admin()
    assert "have a runtime_key_prefix, by which Envoy's runtime may override their weights" in caught.value.message


def test_a_cluster_cannot_be_drained_by_a_route(site: EnvoyRoutes) -> None:
    with pytest.raises(RolloutError) as caught:
        site.set_admin({"blue": contract.DRAINED})
    assert caught.value.message.startswith("lb1: this type of load balancer cannot drain the clusters of a route")


# Settings

SETTINGS: Json = {"host": "lb1", "pool": "shop", "timeout": 5.0, "admin": "127.0.0.1:9901"}


def test_either_file_makes_its_kind() -> None:
    cluster = envoy.open_envoy({**SETTINGS, "eds_file": "/e.json", "rds_file": None})
    assert isinstance(cluster, EnvoyCluster)
    assert cluster.where == "lb1 127.0.0.1:9901"
    assert isinstance(envoy.open_envoy({**SETTINGS, "eds_file": None, "rds_file": "/r.json"}), EnvoyRoutes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "balancer: type=envoy needs exactly one of eds_file"),
        ({"eds_file": "/e.json", "rds_file": "/r.json"}, "balancer: type=envoy needs exactly one of eds_file"),
        ({"eds_file": "/e.json", "timeout": 0.0}, "balancer.timeout: must be more than 0 s, is 0."),
        ({"eds_file": "/e.json", "admin": "lb1"}, "balancer.admin: 'lb1' is neither 'host:port' nor"),
    ],
)
def test_settings_that_cannot_be_right(changes: Json, message: str) -> None:
    with pytest.raises(InputError) as caught:
        envoy.open_envoy({**SETTINGS, **changes})
    assert caught.value.message.startswith(message)
