# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What Envoy's own configuration says of a cluster, as far as a change of its members depends on it. No I/O."""

from __future__ import annotations

import dataclasses
import typing as t

Json = t.Dict[str, t.Any]

# What Envoy does where the configuration says nothing.
PANIC_THRESHOLD = 50.0
PANIC_KEY = "upstream.healthy_panic_threshold"
MERGE_SECONDS = 1.0
# Policies that do not look at weights at all: values of lb_policy, and what replaces it.
BLIND_POLICIES = ("RANDOM", "CLUSTER_PROVIDED", "envoy.load_balancing_policies.random")


@dataclasses.dataclass(frozen=True)
class ClusterConfig:
    """One cluster's settings. Thresholds in percent, times in seconds."""

    discovery: str
    file: str
    """The file that its endpoints are read from, empty where they come from elsewhere."""
    policy: str
    panic_threshold: float
    merge_seconds: float
    by_locality: bool
    """Localities get shares of their own before members' weights count."""

    @classmethod
    def from_dump(cls, dumps: t.Iterable[Json | None], name: str, runtime: Json | None) -> ClusterConfig | None:
        """Reads answers to /config_dump and /runtime; None where the cluster is in none of them."""
        for dump in dumps:
            for entry in (dump or {}).get("configs", ()):
                cluster = entry.get("cluster", {})
                if cluster.get("name") == name:
                    return cls._from_cluster(cluster, runtime)
        return None

    @classmethod
    def _from_cluster(cls, cluster: Json, runtime: Json | None) -> ClusterConfig:
        common = cluster.get("common_lb_config", {})
        source = cluster.get("eds_cluster_config", {}).get("eds_config", {})
        return cls(
            discovery=cluster.get("type", cluster.get("cluster_type", {}).get("name", "STATIC")),
            file=source.get("path_config_source", {}).get("path") or source.get("path", ""),
            policy=_policy(cluster),
            panic_threshold=_panic_threshold(common, runtime),
            merge_seconds=_seconds(common.get("update_merge_window"), MERGE_SECONDS),
            by_locality="locality_weighted_lb_config" in common,
        )


def _policy(cluster: Json) -> str:
    named = [
        policy.get("typed_extension_config", {}).get("name", "")
        for policy in cluster.get("load_balancing_policy", {}).get("policies", ())
    ]
    return named[0] if named else str(cluster.get("lb_policy", "ROUND_ROBIN"))


def _panic_threshold(common: Json, runtime: Json | None) -> float:
    override = (runtime or {}).get("entries", {}).get(PANIC_KEY, {}).get("final_value")
    if override:
        return float(override)
    configured = common.get("healthy_panic_threshold")
    # A value of 0 is left out of the JSON, while the message around it stays.
    return PANIC_THRESHOLD if configured is None else float(configured.get("value", 0.0))


def _seconds(text: str | None, default: float) -> float:
    return default if text is None else float(text.rstrip("s"))
