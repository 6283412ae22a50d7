# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an outside observer saw of the balancers, and whether that was allowed.

A round is one look at every node at nearly the same time. A member is in rotation at a node when that node
would send it a new request: nobody took it out, its checks pass and it has weight.

    changes     each look that differs from the node's look before: {"at", "node", "in": [...], "out": [...]}
    gaps        times without a good look: {"at", "node", "seconds", "reason"}, from one good look to the next

Judgements are made on those afterwards, for any floor and window.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

RUNNING = "2"
LATE = 0.25  # seconds between two looks, from which on it is a gap
ACROSS = "all nodes"


def parse_servers_state(reply: str, pool: str) -> dict[str, bool]:
    """The members of the pool in a reply to 'show servers state', and whether each is in rotation.

    Raises ValueError when the reply is no such table or has no member of the pool.
    """
    lines = [line for line in reply.splitlines() if line.strip()]
    if len(lines) < 2 or not lines[1].startswith("# "):
        raise ValueError(f"no table of servers: {reply.strip()[:80]!r}")
    header = lines[1][2:].split()
    rows = (dict(zip(header, line.split())) for line in lines[2:])
    members = {row["srv_name"]: _in_rotation(row) for row in rows if row["be_name"] == pool}
    if not members:
        raise ValueError(f"no member of the pool '{pool}' in the table")
    return members


def parse_clusters(reply: str, pool: str) -> dict[str, bool]:
    """The same of Envoy's answer to /clusters?format=json; members are named by the hostnames of their endpoints."""
    clusters = {cluster["name"]: cluster for cluster in json.loads(reply)["cluster_statuses"]}
    hosts = clusters.get(pool, {}).get("host_statuses", ())
    if not hosts:
        raise ValueError(f"no member of the pool '{pool}' among the clusters")
    return {host["hostname"]: host["health_status"] == {"eds_health_status": "HEALTHY"} for host in hosts}


def _in_rotation(row: dict[str, str]) -> bool:
    return row["srv_op_state"] == RUNNING and row["srv_admin_state"] == "0" and row["srv_uweight"] != "0"


@dataclasses.dataclass
class NodeRecord:
    """What was seen of one node; times are seconds since the epoch."""

    looks: int = 0
    missed: int = 0
    members: int = 0
    lowest: int | None = None
    lowest_at: float = 0.0
    highest_out: int = 0
    last: dict[str, bool] | None = None
    last_at: float = 0.0
    gap: dict[str, t.Any] | None = None

    def see(self, now: float, members: dict[str, bool]) -> bool:
        """Counts one look; True when it differs from the one before."""
        inside = sum(members.values())
        self.looks += 1
        self.members = len(members)
        self.highest_out = max(self.highest_out, len(members) - inside)
        if self.lowest is None or inside < self.lowest:
            self.lowest, self.lowest_at = inside, now
        changed = members != self.last
        self.last, self.last_at = members, now
        return changed


@dataclasses.dataclass
class Record:
    """Everything seen since *started_at*."""

    started_at: float
    nodes: dict[str, NodeRecord]
    changes: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    gaps: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    across: NodeRecord = dataclasses.field(default_factory=NodeRecord)

    def see(self, now: float, node: str, members: dict[str, bool]) -> None:
        record = self.nodes[node]
        if record.gap or (record.looks and now - record.last_at > LATE):
            self._widen_gap(now, node, "late")
        record.gap = None
        if record.see(now, members):
            self.changes.append(_change(now, node, members))

    def see_round(self, now: float, looks: t.Sequence[dict[str, bool]]) -> None:
        """Counts looks at all nodes at the same time: a member is in rotation only where all nodes say so."""
        names = {name for look in looks for name in look}
        members = {name: all(look.get(name, False) for look in looks) for name in names}
        if self.across.see(now, members):
            self.changes.append(_change(now, ACROSS, members))

    def miss(self, now: float, node: str, reason: str) -> None:
        """Counts a look that failed."""
        self.nodes[node].missed += 1
        self._widen_gap(now, node, reason)

    def _widen_gap(self, now: float, node: str, reason: str) -> None:
        record = self.nodes[node]
        if record.gap is None:
            begun = record.last_at or self.started_at
            record.gap = {"at": round(begun, 3), "node": node, "seconds": 0.0, "reason": reason}
            self.gaps.append(record.gap)
        record.gap["seconds"] = round(now - record.gap["at"], 3)

    def report(self, now: float) -> dict[str, t.Any]:
        nodes = {name: _node_report(record) for name, record in self.nodes.items()}
        return {
            "started_at": round(self.started_at, 3),
            "seconds": round(now - self.started_at, 3),
            "nodes": nodes,
            "across": _node_report(self.across),
            "gaps": self.gaps,
            "changes": self.changes,
        }


def violations(
    report: t.Mapping[str, t.Any],
    floor: int = 0,
    window: int | None = None,
    zones: t.Mapping[str, t.Iterable[str]] | None = None,
    zone_floor: int = 0,
) -> list[str]:
    """One sentence for each change after which fewer than *floor* members were in rotation, more than *window*
    out, or fewer than *zone_floor* of a zone in, at one node or across all of them.
    """
    found = []
    for change in report["changes"]:
        inside, outside = change["in"], change["out"]
        where = f"{change['at'] - report['started_at']:.2f} s, {change['node']}"
        if len(inside) < floor:
            found.append(f"{where}: {len(inside)} in rotation, floor {floor} (out: {', '.join(outside)})")
        if window is not None and len(outside) > window:
            found.append(f"{where}: {len(outside)} out, window {window} (out: {', '.join(outside)})")
        for zone, members in (zones or {}).items():
            left = len(set(members) & set(inside))
            if left < zone_floor:
                found.append(f"{where}: {left} of zone {zone} in rotation, floor {zone_floor}")
    return found


def lowest_of_zones(report: t.Mapping[str, t.Any], zones: t.Mapping[str, t.Iterable[str]]) -> dict[str, int]:
    """The fewest members of each zone that were ever in rotation at any node."""
    return {
        zone: min(len(set(members) & set(change["in"])) for change in report["changes"])
        for zone, members in zones.items()
    }


def _change(now: float, node: str, members: dict[str, bool]) -> dict[str, t.Any]:
    inside = sorted(name for name, rotates in members.items() if rotates)
    return {"at": round(now, 3), "node": node, "in": inside, "out": sorted(set(members) - set(inside))}


def _node_report(record: NodeRecord) -> dict[str, t.Any]:
    shown = ("looks", "missed", "members", "lowest", "lowest_at", "highest_out")
    return {name: getattr(record, name) for name in shown}
