# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What Envoy has counted: for the hosts of a cluster in /clusters, for whole clusters in /stats. No I/O."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Bin, Counters
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import state as envoy_state
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.admin import Statistics, stats_name

Json = t.Dict[str, t.Any]

EPOCH = "server.hot_restart_epoch"
NOTE_NO_LATENCY = "Envoy times requests by cluster, not by member: for latencies let a route split among clusters (balancer.rds_file)."
NOTE_HISTOGRAMS = "Envoy's latencies are as old as its stats_flush_interval, 5 s unless set."


def series(figures: Statistics) -> str:
    """Which process counts."""
    return f"epoch={figures.get(EPOCH, 0)}"


def of_hosts(status: Json) -> dict[str, Counters]:
    """The counters of a cluster's hosts, by the names that its members have."""
    entries = {address: _host_figures(entry) for address, entry in _by_address(status).items()}
    named = envoy_state.names(envoy_state.hosts(status))
    return {name: _of_host(entries[host.address]) for name, host in named.items()}


def prefix_of(status: Json | None, cluster: str) -> str:
    """How the names of a cluster's statistics begin."""
    return f"cluster.{stats_name((status or {}).get('observability_name') or cluster)}"


def paths(prefixes: t.Iterable[str]) -> list[str]:
    """The questions whose answers of_clusters reads."""
    clusters = "|".join(re.escape(prefix) for prefix in prefixes)
    counts = rf"^(({clusters})\.upstream_rq_(completed|5xx)|{re.escape(EPOCH)})$"
    times = rf"^({clusters})\.upstream_rq_time$"
    return [
        f"/stats?format=json&filter={urllib.parse.quote(counts)}",
        f"/stats?format=json&histogram_buckets=detailed&filter={urllib.parse.quote(times)}",
    ]


def of_clusters(prefixes: t.Mapping[str, str], figures: Statistics, histograms: t.Any) -> dict[str, Counters]:
    """The counters of clusters by name; *prefixes* as prefix_of gives them."""
    bins = _histograms(histograms)
    return {
        name: Counters(
            requests=int(figures.get(f"{prefix}.upstream_rq_completed", 0)),
            # Envoy has this figure only from the first such answer on.
            errors=int(figures.get(f"{prefix}.upstream_rq_5xx", 0)),
            histogram=bins.get(f"{prefix}.upstream_rq_time", ()),
        )
        for name, prefix in prefixes.items()
    }


def _by_address(status: Json) -> dict[str, Json]:
    return {host.address: entry for host, entry in zip(envoy_state.hosts(status), status.get("host_statuses", ()))}


def _host_figures(entry: Json) -> dict[str, int]:
    return {one["name"]: int(one.get("value", 0)) for one in entry.get("stats", ())}


def _of_host(figures: t.Mapping[str, int]) -> Counters:
    # rq_total lacks the requests for which no connection could be made; they are errors.
    errors = figures.get("rq_error", 0)
    return Counters(requests=figures.get("rq_success", 0) + errors, errors=errors)


def _histograms(answer: t.Any) -> dict[str, tuple[Bin, ...]]:
    found: dict[str, tuple[Bin, ...]] = {}
    for one in (answer or {}).get("stats", ()):
        histograms = one.get("histograms")
        details = histograms.get("details", ()) if isinstance(histograms, dict) else ()
        for detail in details:
            found[detail["name"]] = tuple(
                Bin(float(part["lower_bound"]), float(part["width"]), int(part["count"]))
                for part in detail.get("totals", ())
            )
    return found
