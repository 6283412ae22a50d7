# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The file of routes that Envoy reads: the routes that split traffic among clusters by weight. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.eds import (
    Json,
    field,
    parse_response,
    put,
    render,
)


class Split:
    """One route's weighted clusters, changed in place."""

    def __init__(self, data: Json) -> None:
        self._data = data

    @property
    def weights(self) -> dict[str, int]:
        return {entry["name"]: int(entry.get("weight") or 0) for entry in self._data.get("clusters", ())}

    @property
    def by_runtime(self) -> bool:
        """Envoy's runtime may have other weights than the file."""
        return bool(field(self._data, "runtime_key_prefix"))

    def set_weights(self, weights: t.Mapping[str, int]) -> None:
        for entry in self._data["clusters"]:
            if entry["name"] in weights:
                entry["weight"] = weights[entry["name"]]
        if field(self._data, "total_weight") is not None:
            put(self._data, "total_weight", sum(self.weights.values()))


class RouteDocument:
    """The whole file: a DiscoveryResponse with one route configuration."""

    def __init__(self, data: Json, resource: Json) -> None:
        self._data = data
        self.resource = resource
        self.name = str(resource.get("name", ""))

    @classmethod
    def parse(cls, text: str) -> RouteDocument:
        """Raises BadDocument."""
        return cls(*parse_response(text, "RouteConfiguration", "virtual_hosts"))

    @property
    def hosts(self) -> list[Json]:
        """The virtual hosts."""
        return list(field(self.resource, "virtual_hosts") or ())

    def splits(self, pool: str) -> list[Split]:
        """The splits of the routes named *pool*, or of all routes of the virtual host of that name."""
        found = [
            field(field(route, "route") or {}, "weighted_clusters")
            for host in field(self.resource, "virtual_hosts")
            for route in host.get("routes", ())
            if pool in (host.get("name"), route.get("name"))
        ]
        return [Split(split) for split in found if split]

    def pools(self) -> list[str]:
        """The names that splits() has an answer to."""
        hosts = field(self.resource, "virtual_hosts")
        names = [host.get("name") for host in hosts]
        names += [route.get("name") for host in hosts for route in host.get("routes", ())]
        return [name for name in dict.fromkeys(names) if name and self.splits(name)]

    def text(self, version: str) -> str:
        return render(self._data, version)
