# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""An Envoy route that splits traffic among clusters by weight, in a file: blue and green are clusters here."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common import access_log
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.request_log import Entry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    Balancer,
    Count,
    Member,
    Snapshot,
    WeightLimits,
    quoted,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import counters as envoy_counters
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import state as envoy_state
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.admin import (
    Admin,
    server_version,
    statistics,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.file import WatchedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.header_routes import (
    EnvoyPages,
    EnvoyTesters,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.rds import RouteDocument, Split
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.route_file import RouteFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Pages, Routes
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

Json = t.Dict[str, t.Any]


class EnvoyRoutes(Balancer):
    """The routes of one name, or of one virtual host; their members are the clusters they split among."""

    capabilities = frozenset(
        {
            contract.CAN_SAVE,
            contract.CAN_WEIGH,
            contract.CAN_WEIGH_AT_ONCE,
            contract.CAN_ROUTE,
            contract.CAN_PAGE,
            contract.CAN_COUNT,
            contract.CAN_LOG,
        }
    )
    lacks = {
        contract.CAN_DRAIN: "clusters have weights and are not drained; their members are, by balancer.eds_file",
        contract.CAN_MAINTAIN: "clusters only have weights; their members can be set to maintenance, by balancer.eds_file",
        contract.CAN_END_SESSIONS: "Envoy has no command that cuts single requests",
        contract.CAN_ADD: "the clusters of a route are configuration; add members to a cluster, by balancer.eds_file",
    }
    weight_limits = WeightLimits(1, 1000)

    def __init__(self, pool: str, admin: Admin, file: WatchedFile, timeout: float, clock: Clock) -> None:
        super().__init__(pool, admin.where)
        self._admin = admin
        self._file = RouteFile(admin, file, timeout, clock)

    def version(self) -> str:
        return server_version(self._admin)

    def require_admin(self) -> None:
        self._splits(self._file.document())
        self._file.require_writable()

    def snapshot(self) -> Snapshot:
        """The weights are those in force, not those in the file."""
        name = self._file.document().name
        weights = self._weights(self._splits(self._file.in_force(name)))
        (clusters,) = self._admin.ask([f"/clusters?format=json&filter={_any_of(weights)}"])
        return Snapshot(
            pool=self.pool,
            members={name: _member(name, weight, clusters) for name, weight in weights.items()},
        )

    def counters(self) -> Count:
        names = list(self._weights(self._splits(self._file.in_force(self._file.document().name))))
        (clusters,) = self._admin.ask([f"/clusters?format=json&filter={_any_of(names)}"])
        prefixes = {name: envoy_counters.prefix_of(envoy_state.cluster_status(clusters, name), name) for name in names}
        figures, histograms = self._admin.ask(envoy_counters.paths(prefixes.values()))
        return Count(
            series=envoy_counters.series(statistics(figures)),
            members=envoy_counters.of_clusters(prefixes, statistics(figures), histograms),
            notes=(envoy_counters.NOTE_HISTOGRAMS,),
        )

    def request_log(self, log: str, snapshot: Snapshot) -> list[Entry]:
        # Envoy writes milliseconds.
        return access_log.read(log, self.where, access_log.names(snapshot), 1.0)

    def set_admin(self, states: t.Mapping[str, str]) -> None:
        raise self._cannot(
            "drain the clusters of a route: give balancer.eds_file and the cluster as pool to drain members"
        )

    def set_weights(self, weights: t.Mapping[str, int]) -> None:
        self._file.change(lambda document: self._reweigh(document, weights))

    def _reweigh(self, document: RouteDocument, weights: t.Mapping[str, int]) -> None:
        for split in self._splits(document):
            split.set_weights(weights)

    def routes(self) -> Routes:
        return EnvoyTesters(self.pool, self._file)

    def pages(self) -> Pages:
        return EnvoyPages(self.pool, self._file)

    def save(self) -> None:
        """The file is what Envoy reads when it starts: there is nothing more to do."""

    def _splits(self, document: RouteDocument) -> list[Split]:
        splits = document.splits(self.pool)
        if not splits:
            raise InputError(
                f"{self.where}: no route or virtual host '{self.pool}' with weighted_clusters in route configuration "
                f"'{document.name}'; there are {quoted(document.pools()) or 'none'}."
            )
        if any(split.by_runtime for split in splits):
            raise RolloutError(
                f"{self.where}: the clusters of '{self.pool}' have a runtime_key_prefix, by which Envoy's runtime may "
                "override their weights. Remove it."
            )
        return splits

    def _weights(self, splits: list[Split]) -> dict[str, int]:
        first, *others = [split.weights for split in splits]
        for other in others:
            if other != first:
                raise RolloutError(
                    f"{self.where}: the routes of '{self.pool}' do not split alike ({first} and {other}). Name one route "
                    "as balancer.pool, or make them alike."
                )
        return first


def _member(name: str, weight: int, clusters: Json | None) -> Member:
    status = envoy_state.cluster_status(clusters, name)
    hosts = envoy_state.hosts(status) if status else []
    healthy = [host for host in hosts if host.sound and not envoy_state.is_out(host.eds_health)]
    usable = bool(healthy) and weight > 0
    return Member(
        name=name,
        address="",
        own=contract.IN_SERVICE,
        admin=contract.IN_SERVICE,
        operational=contract.UP if healthy else contract.DOWN,
        weight=weight,
        sessions=sum(host.active for host in hosts),
        queue=sum(host.waiting for host in hosts),
        old_sessions=None,
        usable=usable,
        in_rotation=usable,
        check=f"{len(healthy)} of {len(hosts)} hosts are healthy" if status else "there is no such cluster",
    )


def _any_of(names: t.Iterable[str]) -> str:
    return urllib.parse.quote(f"^({'|'.join(map(re.escape, names))})$")
