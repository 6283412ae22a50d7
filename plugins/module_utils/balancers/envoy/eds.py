# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The file of endpoints that Envoy reads: members found and changed in it, all else left as it is. No I/O.

Envoy rejects weight 0. A member without weight is therefore marked: DRAINING for Envoy, and in the metadata
of the endpoint the admin state that it has besides. Envoy ignores metadata that it does not know.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import documents
from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

Json = t.Dict[str, t.Any]

MARK = "steady.rollout"
ADMIN_OF = {
    "UNHEALTHY": contract.MAINTENANCE,
    "TIMEOUT": contract.MAINTENANCE,
    "DRAINING": contract.DRAINED,
}
HEALTH_OF = {contract.DRAINED: "DRAINING", contract.MAINTENANCE: "UNHEALTHY", contract.IN_SERVICE: "HEALTHY"}
# The enumeration, as the file may write it by number.
NUMBERED = ("UNKNOWN", "HEALTHY", "UNHEALTHY", "DRAINING", "TIMEOUT", "DEGRADED")


ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+)):(?P<port>[0-9]{1,5})\Z")


class BadDocument(ValueError):
    """The file is not what Envoy takes for a cluster's endpoints; the text says why."""


class Endpoint:
    """One member's entry (an lb_endpoint), changed in place."""

    def __init__(self, data: Json, priority: int = 0) -> None:
        self._data = data
        self.priority = priority
        self.address = address_of(field(field(data, "endpoint") or {}, "address") or {})

    @property
    def health(self) -> str:
        found = field(self._data, "health_status") or "UNKNOWN"
        return NUMBERED[found] if isinstance(found, int) and 0 <= found < len(NUMBERED) else str(found)

    @property
    def admin(self) -> str:
        """The state asked for, whatever the weight."""
        mark = self._mark()
        return mark["admin"] if mark else ADMIN_OF.get(self.health, contract.IN_SERVICE)

    @property
    def weight(self) -> int:
        return 0 if self._mark() else int(field(self._data, "load_balancing_weight") or 1)

    def set_admin(self, state: str) -> None:
        self._write(state, self.weight)

    def set_weight(self, weight: int) -> None:
        self._write(self.admin, weight)

    def _write(self, admin: str, weight: int) -> None:
        if weight:
            self._unmark()
            if weight != self.weight:
                put(self._data, "load_balancing_weight", weight)
        else:
            self._write_mark(admin)
        self._write_health(contract.DRAINED if admin == contract.IN_SERVICE and not weight else admin)

    def _write_health(self, admin: str) -> None:
        if ADMIN_OF.get(self.health, contract.IN_SERVICE) != admin:
            put(self._data, "health_status", HEALTH_OF[admin])

    def _mark(self) -> Json | None:
        metadata = field(field(self._data, "metadata") or {}, "filter_metadata") or {}
        mark = metadata.get(MARK)
        return mark if isinstance(mark, dict) and mark.get("admin") in contract.ADMIN_STATES else None

    def _write_mark(self, admin: str) -> None:
        metadata = self._data.setdefault("metadata", {})
        if field(metadata, "filter_metadata") is None:
            put(metadata, "filter_metadata", {})
        field(metadata, "filter_metadata")[MARK] = {"weight": 0, "admin": admin}

    def _unmark(self) -> None:
        if not self._mark():
            return
        metadata = self._data["metadata"]
        kept = field(metadata, "filter_metadata")
        del kept[MARK]
        if not kept:
            del metadata[_key(metadata, "filter_metadata")]
        if not metadata:
            del self._data["metadata"]


class Document:
    """The whole file: a DiscoveryResponse with the endpoints of one cluster."""

    def __init__(self, data: Json, groups: list[Json]) -> None:
        self._data = data
        self._groups = groups
        self.endpoints = [
            Endpoint(entry, int(group.get("priority", 0)))
            for group in groups
            for entry in field(group, "lb_endpoints") or ()
        ]

    @classmethod
    def parse(cls, text: str) -> Document:
        """Raises BadDocument."""
        data, resource = parse_response(text, "ClusterLoadAssignment", "endpoints")
        return cls(data, resource["endpoints"])

    def add(self, new: contract.NewMember) -> None:
        """A drained member, in the first group of the first priority; raises InputError where it cannot be right."""
        group = min(self._groups, key=lambda one: int(one.get("priority", 0)), default=None)
        if group is None:
            group = {}
            self._groups.append(group)
        if field(group, "lb_endpoints") is None:
            put(group, "lb_endpoints", [])
        entry = _entry(new)
        field(group, "lb_endpoints").append(entry)
        self.endpoints.append(Endpoint(entry, int(group.get("priority", 0))))

    def remove(self, address: str) -> None:
        for group in self._groups:
            entries = field(group, "lb_endpoints") or []
            entries[:] = [entry for entry in entries if Endpoint(entry).address != address]
        self.endpoints = [endpoint for endpoint in self.endpoints if endpoint.address != address]

    def at(self, address: str) -> list[Endpoint]:
        return [endpoint for endpoint in self.endpoints if endpoint.address == address]

    def text(self, version: str) -> str:
        return render(self._data, version)


def _entry(new: contract.NewMember) -> Json:
    match = ADDRESS.match(new.address)
    if not match:
        raise InputError(
            f"address: expected an IP address with a port, such as 192.0.2.7:8080 or [2001:db8::7]:8080, found {new.address!r}; "
            "Envoy does not resolve names in an EDS file."
        )
    where = {"address": match.group("six") or match.group("four"), "port_value": int(match.group("port"))}
    endpoint: Json = {"address": {"socket_address": where}}
    if new.name != new.address:
        endpoint["hostname"] = new.name
    return {"endpoint": endpoint, "health_status": HEALTH_OF[contract.DRAINED]}


def parse_response(text: str, kind: str, part: str) -> tuple[Json, Json]:
    """The DiscoveryResponse and its one resource of *kind* that has *part*; raises BadDocument."""
    try:
        data = documents.parsed(text)
    except ValueError as error:
        raise BadDocument(
            f"it is not JSON ({error}); Envoy reads JSON from a file of any name, YAML is not edited"
        ) from None
    resources = data.get("resources") if isinstance(data, dict) else None
    if not isinstance(resources, list) or len(resources) != 1 or not isinstance(resources[0], dict):
        raise BadDocument(f"a DiscoveryResponse with exactly one {kind} under 'resources' is expected")
    (resource,) = resources
    if not str(resource.get("@type", "")).endswith(f".{kind}") or not isinstance(field(resource, part), list):
        raise BadDocument(f"its resource is no {kind} with '{part}' (found @type '{resource.get('@type', '')}')")
    return data, resource


def render(data: Json, version: str) -> str:
    """The file's new text; *version* is by what Envoy shows which one it took."""
    put(data, "version_info", version)
    return json.dumps(data, indent=2) + "\n"


def address_of(address: Json) -> str:
    """A socket address or pipe as a member's address: '10.0.0.1:80', '[::1]:80', '/path'."""
    pipe = field(address, "pipe")
    if pipe:
        return str(pipe.get("path", ""))
    where = field(address, "socket_address") or {}
    host, port = str(where.get("address", "")), field(where, "port_value") or field(where, "named_port") or 0
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def field(data: Json, name: str) -> t.Any:
    """A field in either of its spellings (lb_endpoints, lbEndpoints), None where it is not there."""
    return data.get(_key(data, name))


def put(data: Json, name: str, value: t.Any) -> None:
    """Sets a field in the spelling that it has."""
    data[_key(data, name)] = value


def _key(data: Json, name: str) -> str:
    first, *others = name.split("_")
    camel = first + "".join(word.capitalize() for word in others)
    return camel if camel in data else name
