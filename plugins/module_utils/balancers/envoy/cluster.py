# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""An Envoy cluster whose endpoints are in a file: its members are put in and out by their health status."""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t
import urllib.parse

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common import access_log
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.request_log import Entry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    Balancer,
    Count,
    NewMember,
    Snapshot,
    WeightLimits,
    quoted,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import counters as envoy_counters
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import state as envoy_state
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.admin import (
    Admin,
    Statistics,
    server_version,
    statistics,
    stats_name,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.config import BLIND_POLICIES, ClusterConfig
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.eds import BadDocument, Document, Endpoint
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.file import (
    Publisher,
    Subscription,
    WatchedFile,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.state import Host
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

NOTE_OLD_PROCESS = (
    "A hot restart left a process behind. Envoy does not report its requests by member, and its figures are as old "
    "as stats_flush_interval."
)


Change = t.Callable[[Endpoint, t.Any], None]


class Edit(t.NamedTuple):
    """The file with a change in it, the hosts as Envoy has them without, and who leaves by it."""

    document: Document
    hosts: dict[str, Host]
    leaving: list[str]

    def hosts_then(self) -> list[Host]:
        health = {endpoint.address: endpoint.health for endpoint in self.document.endpoints}
        return [dataclasses.replace(host, eds_health=health.get(host.address, "")) for host in self.hosts.values()]


class EnvoyCluster(Balancer):
    """One cluster of one Envoy."""

    capabilities = frozenset(
        {
            contract.CAN_DRAIN,
            contract.CAN_MAINTAIN,
            contract.CAN_SAVE,
            contract.CAN_WEIGH,
            contract.CAN_WEIGH_AT_ONCE,
            contract.CAN_COUNT,
            contract.CAN_LOG,
            contract.CAN_ADD,
        }
    )
    lacks = {
        contract.CAN_END_SESSIONS: "Envoy has no command that cuts single requests",
        contract.CAN_ROUTE: "a cluster does not choose where requests go: its routes do, by balancer.rds_file",
        contract.CAN_PAGE: "a cluster does not answer by itself: its routes do, by balancer.rds_file",
    }
    weight_limits = WeightLimits(1, 1000)

    def __init__(self, pool: str, admin: Admin, file: WatchedFile, timeout: float, clock: Clock) -> None:
        super().__init__(pool, admin.where)
        self._admin = admin
        self._file = file
        self._timeout = timeout
        self._clock = clock
        self._prefix = f"cluster.{stats_name(pool)}"
        self._known_config: ClusterConfig | None = None
        self._undelivered: set[str] = set()
        self._delivered_at = 0.0

    def version(self) -> str:
        return server_version(self._admin)

    def require_admin(self) -> None:
        self._require_own_file(self._config())
        self._document()
        self._file.require_writable()

    def snapshot(self) -> Snapshot:
        status, figures = self._read()
        hosts = envoy_state.hosts(status)
        left_behind = _left_behind(figures)
        old = max(0, self._active(figures) - sum(host.active for host in hosts)) if left_behind else 0
        return Snapshot(
            pool=self.pool,
            members=envoy_state.members(
                envoy_state.names(hosts),
                checked=f"{self._prefix}.health_check.attempt" in figures,
                unweighted=self._unweighted(hosts),
                old=old,
                undelivered=self._undelivered if self._clock.now() < self._delivered_at else (),
            ),
            queue=int(figures.get(f"{self._prefix}.upstream_rq_pending_active", 0)),
            notes=(NOTE_OLD_PROCESS,) if left_behind else (),
        )

    def counters(self) -> Count:
        status, figures = self._read()
        return Count(
            series=envoy_counters.series(figures),
            members=envoy_counters.of_hosts(status),
            notes=(envoy_counters.NOTE_NO_LATENCY,),
        )

    def objection(self, states: t.Mapping[str, str]) -> str:
        self._require_own_file(self._config())
        return self._panic(self._changed(states, _put_admin))

    def request_log(self, log: str, snapshot: Snapshot) -> list[Entry]:
        # Envoy writes milliseconds.
        return access_log.read(log, self.where, access_log.names(snapshot), 1.0)

    def set_admin(self, states: t.Mapping[str, str]) -> None:
        if not self._edit(states, _put_admin):
            self._undelivered.update(states)
            self._delivered_at = self._clock.now() + self._config().merge_seconds

    def set_weights(self, weights: t.Mapping[str, int]) -> None:
        self._refuse_blind(self._config())
        if not self._edit(weights, _put_weight):
            self._clock.sleep(self._config().merge_seconds)

    def add_member(self, new: NewMember) -> None:
        self._publish_with(lambda document: document.add(new))

    def remove_member(self, name: str) -> None:
        status, dummy = self._read()
        member = envoy_state.names(envoy_state.hosts(status)).get(name)
        if member is not None:
            self._publish_with(lambda document: document.remove(member.address))

    def _publish_with(self, edit: t.Callable[[Document], None]) -> None:
        self._require_own_file(self._config())
        with self._file.locked():
            document = self._document()
            edit(document)
            if not self._publish(document):
                self._clock.sleep(self._config().merge_seconds)

    def _publish(self, document: Document) -> bool:
        """Call it with the file locked; returns whether the threads that balance have it already."""
        subscription = Subscription(self._admin, re.escape(self._prefix))
        publisher = Publisher(self._file, subscription, self.where, self._timeout, self._clock)
        return publisher.publish(document.text)

    def save(self) -> None:
        """The file is what Envoy reads when it starts: there is nothing more to do."""

    def _edit(self, wanted: t.Mapping[str, t.Any], change: Change) -> bool:
        """Changes the named members in the file; returns whether the threads that balance have it already."""
        self._require_own_file(self._config())
        with self._file.locked():
            edit = self._changed(wanted, change)
            reason = self._panic(edit)
            if reason:
                raise RolloutError(
                    f"{self.where}: refused to take {quoted(edit.leaving)} out of pool '{self.pool}': {reason}. "
                    "Nothing was changed; return other members to service first.",
                    refused=True,
                )
            return self._publish(edit.document)

    def _changed(self, wanted: t.Mapping[str, t.Any], change: Change) -> Edit:
        """The file as it would be, not written yet."""
        status, dummy = self._read()
        hosts = envoy_state.names(envoy_state.hosts(status))
        document = self._document()
        leaving = []
        for name, value in wanted.items():
            for endpoint in self._endpoints(document, name, hosts):
                before = endpoint.health
                change(endpoint, value)
                if endpoint.health != before and envoy_state.is_out(endpoint.health):
                    leaving.append(name)
        return Edit(document, hosts, leaving)

    def _panic(self, edit: Edit) -> str:
        """Why Envoy would not keep traffic from the members that leave, or an empty string."""
        threshold = self._config().panic_threshold
        if not edit.leaving or not envoy_state.panics(edit.hosts_then(), threshold):
            return ""
        return (
            f"too few members would be healthy, so that Envoy would send traffic to all of them, drained or not (its "
            f"healthy_panic_threshold is {threshold:g}%; 0 in the cluster's common_lb_config ends that)"
        )

    def _endpoints(self, document: Document, name: str, hosts: t.Mapping[str, Host]) -> list[Endpoint]:
        found = document.at(hosts[name].address) if name in hosts else []
        if not found:
            raise RolloutError(
                f"{self.where}: Envoy and {self._file.path} do not agree on member '{name}' of pool '{self.pool}': one of "
                "them lacks it. Envoy has not loaded the file as it is now (its log says why), or keeps a removed member "
                "as long as its health check passes."
            )
        return found

    def _refuse_blind(self, config: ClusterConfig) -> None:
        if config.policy in BLIND_POLICIES:
            raise RolloutError(
                f"{self.where}: pool '{self.pool}' balances by lb_policy {config.policy}, which ignores weights. "
                "Use ROUND_ROBIN."
            )
        if config.by_locality:
            raise RolloutError(
                f"{self.where}: pool '{self.pool}' gives shares to localities first (locality_weighted_lb_config), so that "
                "the weights of its members do not make a share. Split among clusters instead (balancer.rds_file)."
            )

    def _require_own_file(self, config: ClusterConfig) -> None:
        if config.discovery != "EDS" or not config.file:
            raise RolloutError(
                f"{self.where}: pool '{self.pool}' does not read its members from a file (its type is "
                f"{config.discovery}). Give the cluster 'type: EDS' with a 'path_config_source'."
            )
        if os.path.basename(config.file) != os.path.basename(self._file.path):
            raise RolloutError(
                f"{self.where}: pool '{self.pool}' reads its members from {config.file}, not from {self._file.path}. "
                "Correct balancer.eds_file."
            )

    def _config(self) -> ClusterConfig:
        """Asked for once: it outlives a call."""
        if self._known_config is None:
            self._known_config = self._read_config()
        return self._known_config

    def _read_config(self) -> ClusterConfig:
        name = urllib.parse.quote(f"^{re.escape(self.pool)}$")
        kinds = ("static_clusters", "dynamic_active_clusters")
        paths = [f"/config_dump?resource={kind}&name_regex={name}" for kind in kinds]
        *dumps, runtime = self._admin.ask([*paths, "/runtime?format=json"])
        config = ClusterConfig.from_dump(dumps, self.pool, runtime)
        if config is None:
            raise self._no_pool()
        return config

    def _read(self) -> tuple[dict[str, t.Any], Statistics]:
        """The cluster's part of /clusters, and its statistics; raises InputError where there is no such cluster."""
        clusters, figures = self._admin.ask([_clusters_path(self.pool), _figures_path(self._prefix)])
        status = envoy_state.cluster_status(clusters, self.pool)
        if status is None:
            raise self._no_pool()
        prefix = f"cluster.{stats_name(status.get('observability_name') or self.pool)}"
        if prefix != self._prefix:
            self._prefix = prefix
            (figures,) = self._admin.ask([_figures_path(prefix)])
        return status, statistics(figures)

    def _active(self, figures: Statistics) -> int:
        """Requests in flight to the cluster, those of a process left behind among them; the hosts' own figures lack them."""
        return int(figures.get(f"{self._prefix}.upstream_rq_active", 0))

    def _no_pool(self) -> InputError:
        (clusters,) = self._admin.ask(["/clusters?format=json"])
        pools = [status["name"] for status in (clusters or {}).get("cluster_statuses", ())]
        return InputError(f"{self.where}: no pool '{self.pool}'; its pools are {quoted(pools) or 'none'}.")

    def _document(self) -> Document:
        try:
            return Document.parse(self._file.read())
        except BadDocument as error:
            raise RolloutError(
                f"{self.where}: {self._file.path} is not the endpoints of one cluster: {error}."
            ) from None

    def _unweighted(self, hosts: t.Iterable[Host]) -> dict[str, str]:
        """The admin state of those that are out for want of weight, by address."""
        if not any(envoy_state.is_out(host.eds_health) for host in hosts):
            return {}
        return {endpoint.address: endpoint.admin for endpoint in self._document().endpoints if endpoint.weight == 0}


def _put_admin(endpoint: Endpoint, state: str) -> None:
    endpoint.set_admin(state)


def _put_weight(endpoint: Endpoint, weight: int) -> None:
    endpoint.set_weight(weight)


def _clusters_path(pool: str) -> str:
    return f"/clusters?format=json&filter={urllib.parse.quote(f'^{re.escape(pool)}$')}"


def _figures_path(prefix: str) -> str:
    pattern = (
        rf"^({re.escape(prefix)}\.(upstream_rq_(pending_)?active|health_check\.attempt)"
        r"|server\.(hot_restart_epoch|parent_connections))$"
    )
    return f"/stats?format=json&filter={urllib.parse.quote(pattern)}"


def _left_behind(figures: Statistics) -> bool:
    """Whether the process before a hot restart still has clients."""
    return bool(figures.get("server.hot_restart_epoch") and figures.get("server.parent_connections"))
