# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""From the counters of balancer nodes at two moments to what happened in between. Pure.

A node that restarted its counters in between, as after a reload, has no figures for that interval; it starts a new series.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common import request_log

Json = t.Dict[str, t.Any]

# A mean over many requests changes by a rounded number of milliseconds; what follows for the last few of them is only
# used once the rounding no longer matters.
LARGEST_ERROR = 0.2
SMALLEST_ERROR_MS = 2.0
ROUNDING_MS = 0.5
# Fewer requests have no percentiles to speak of.
LEAST_IN_HISTOGRAM = 20

Bins = t.Dict[float, t.Tuple[float, int]]
"""Lower bound: (width, count); milliseconds."""


@dataclasses.dataclass(frozen=True)
class Node:
    """One balancer node at one moment."""

    series: str
    members: t.Mapping[str, Json]
    """By name: the counters as lb_member_info returns them; empty where the node counts nothing."""
    slices: t.Sequence[Json] = ()
    """What its request log says of the last minutes, oldest first; see balancers/common/request_log.py."""


@dataclasses.dataclass
class Growth:
    """What one member did in an interval, on one node or on several. Latencies may be of a longer interval."""

    requests: int = 0
    errors: int = 0
    latency: float | None = None
    """The mean in milliseconds, of *timed* requests."""
    timed: int = 0
    bins: Bins = dataclasses.field(default_factory=dict)
    kinds: t.Dict[str, Bins] = dataclasses.field(default_factory=dict)
    """The latencies by kind of request, from the request log."""

    def add(self, other: Growth) -> None:
        self.requests += other.requests
        self.errors += other.errors
        if other.latency is not None:
            total = (self.latency or 0.0) * self.timed + other.latency * other.timed
            self.timed += other.timed
            self.latency = total / self.timed
        _add_bins(self.bins, other.bins)
        for kind, bins in other.kinds.items():
            _add_bins(self.kinds.setdefault(kind, {}), bins)


def _add_bins(bins: Bins, others: Bins) -> None:
    for lower, (width, count) in others.items():
        bins[lower] = (width, bins.get(lower, (width, 0))[1] + count)


@dataclasses.dataclass(frozen=True)
class Interval:
    """What happened between two polls, by member and over all nodes."""

    members: dict[str, Growth]
    restarted: tuple[str, ...]
    """Nodes that restarted their counters in it."""
    first: tuple[str, ...]
    """Nodes that were polled for the first time."""


Baselines = t.Dict[str, Json]
"""What is remembered of each node: series, the counters of the last poll, and of each member's latest latency."""


def advanced(baselines: Baselines, nodes: t.Mapping[str, Node]) -> tuple[Baselines, Interval]:
    """The baselines after a poll of these nodes, and what happened since the one before. Nodes not seen stay as they were."""
    after = dict(baselines)
    members: dict[str, Growth] = {}
    restarted: list[str] = []
    first: list[str] = []
    for name, node in nodes.items():
        before = baselines.get(name)
        if before is None or not _goes_on(before, node):
            (first if before is None else restarted).append(name)
            after[name] = _page(node, dict(node.members), _latest(node, None))
            continue
        timed_since = dict(before["timed_since"])
        for member, counters in node.members.items():
            if member in before["members"]:
                growth = _growth(before["members"][member], counters, timed_since.setdefault(member, counters))
                if growth.latency is not None or growth.bins:
                    timed_since[member] = counters
                members.setdefault(member, Growth()).add(growth)
            else:
                timed_since[member] = counters
        until = before.get("logged_until")
        for member, growth in logged(node.slices, until, with_counts=not node.members).items():
            members.setdefault(member, Growth()).add(growth)
        after[name] = _page(node, timed_since, _latest(node, until))
    return after, Interval(members, tuple(restarted), tuple(first))


def mean_since(before: Json, now: Json) -> tuple[float, int] | None:
    """The mean in milliseconds of the requests timed since, and how many; None while rounding would blur it.

    A mean over a window weighs the requests before it by (1 - 1/window) for each that came after.
    """
    count = now["timed"] - before["timed"]
    if count <= 0 or now["latency"] is None or before["latency"] is None:
        return None
    old = _weight_of_old(before["timed"], now["timed"], now["window"])
    if old >= 1:
        return None
    mean = max(0.0, (now["latency"] - old * before["latency"]) / (1 - old))
    error = ROUNDING_MS * (1 + old) / (1 - old)
    return (mean, count) if error <= max(SMALLEST_ERROR_MS, LARGEST_ERROR * mean) else None


def quantile(bins: Bins, share: float) -> float:
    """The latency in milliseconds that *share* of the requests stay below, spread evenly within a bin."""
    wanted = share * sum(count for dummy, count in bins.values())
    reached = 0
    upper = 0.0
    for lower, (width, count) in sorted(bins.items()):
        if count and reached + count >= wanted:
            return lower + width * max(0.0, wanted - reached) / count
        reached += count
        upper = lower + width
    return upper


def logged(slices: t.Sequence[Json], until: float | None, with_counts: bool) -> dict[str, Growth]:
    """What each member did in the slices that ended after *until*; requests and errors where nothing else counts them."""
    members: dict[str, Growth] = {}
    for one in slices:
        if until is not None and one["at"] <= until:
            continue
        for member, kinds in one["members"].items():
            growth = members.setdefault(member, Growth())
            for kind, (requests, bad, bins) in kinds.items():
                if with_counts:
                    growth.requests += requests
                    growth.errors += bad
                placed = {lower: (width, count) for (lower, width), count in _placed(bins)}
                _add_bins(growth.kinds.setdefault(kind, {}), placed)
    return members


def _placed(bins: t.Iterable[t.Sequence[int]]) -> t.Iterator[tuple[tuple[float, float], int]]:
    for number, count in bins:
        yield request_log.bounds(number), count


def _latest(node: Node, until: float | None) -> float | None:
    """When the newest slice ended."""
    ends = [one["at"] for one in node.slices] + ([until] if until is not None else [])
    return max(ends, default=None)


def _page(node: Node, timed_since: Json, logged_until: float | None) -> Json:
    page = {"series": node.series, "members": dict(node.members), "timed_since": timed_since}
    return {**page, "logged_until": logged_until} if node.slices else page


def _goes_on(before: Json, node: Node) -> bool:
    """Whether the node still counts from where it was; a counter that fell shows a new process, too."""
    if before["series"] != node.series:
        return False
    return all(
        node.members[name][counter] >= counters[counter]
        for name, counters in before["members"].items()
        if name in node.members
        for counter in ("requests", "errors", "timed")
    )


def _growth(before: Json, now: Json, timed_since: Json) -> Growth:
    growth = Growth(requests=now["requests"] - before["requests"], errors=now["errors"] - before["errors"])
    if now.get("histogram"):
        bins = _bins_since(timed_since, now)
        growth.bins = bins if sum(count for dummy, count in bins.values()) >= LEAST_IN_HISTOGRAM else {}
    else:
        mean = mean_since(timed_since, now)
        if mean is not None:
            growth.latency, growth.timed = mean
    return growth


def _bins_since(before: Json, now: Json) -> Bins:
    counted = {lower: count for lower, dummy, count in before.get("histogram", ())}
    grown = {lower: (width, count - counted.get(lower, 0)) for lower, width, count in now["histogram"]}
    return {lower: (width, count) for lower, (width, count) in grown.items() if count > 0}


def _weight_of_old(before: int, now: int, window: int) -> float:
    """The part of the mean after *now* requests that the first *before* of them still make up."""
    if not window or now <= window:
        return before / now
    part = min(1.0, before / window)
    return float(part * (1 - 1 / window) ** (now - max(before, window)))
