# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The balancers' own counters as a source: errors, latencies and health by member, with no monitoring at all."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import SHARE, VALUE
from ansible_collections.steady.rollout.plugins.module_utils.metrics import alike, counting, queries
from ansible_collections.steady.rollout.plugins.module_utils.metrics.counting import Baselines, Growth, Interval, Node
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import (
    BAD,
    TOTAL,
    Moment,
    Nothing,
    Point,
    Question,
    Reply,
    Trouble,
)

ERROR_SHARE, LATENCY, UNHEALTHY_SHARE = "error_share", "latency", "unhealthy_share"
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
KINDS = {
    ERROR_SHARE: (SHARE,),
    LATENCY: (VALUE,),
    UNHEALTHY_SHARE: (VALUE, SHARE),
    **dict.fromkeys(QUANTILES, (VALUE,)),
}
"""The queries, and the kinds of metric that each suits; the first is the usual one."""
TIMES = (LATENCY, *QUANTILES)
UNHEALTHY = (contract.DOWN, contract.GOING_DOWN)

NodeName = str


@dataclasses.dataclass(frozen=True)
class Reading:
    """One poll of all balancer nodes."""

    nodes: dict[NodeName, Node]
    health: dict[str, dict[str, str]]
    """By node and member: the operational state."""
    silent: dict[NodeName, str]
    """Nodes that could not be read, and why."""
    aliases: dict[str, str] = dataclasses.field(default_factory=dict)
    """Addresses of members."""


class Balancers:
    """What the balancer nodes counted since the previous poll, and how their members are."""

    kind = "balancer"
    asks_by_group = False

    def __init__(self, reading: Reading, baselines: Baselines) -> None:
        self._reading = reading
        # With a node missing nothing is noted, so that the next poll covers this interval too, on all nodes.
        self.baselines, self._interval = counting.advanced(baselines, {} if reading.silent else reading.nodes)

    def check(self, metric: t.Any, where: str) -> None:
        check(metric, where)

    def ask(self, question: Question, moment: Moment) -> Reply:
        if self._reading.silent:
            name, reason = next(iter(self._reading.silent.items()))
            raise Trouble(f"balancer {name} could not be read: {reason}")
        if not self._reading.nodes:
            raise Trouble("no balancer was read: give counters, or balancers")
        healthy = question.raw == UNHEALTHY_SHARE
        points = tuple(_health(self._reading, moment) if healthy else self._counted(question.raw, moment))
        if not points:
            raise Nothing(self._why_nothing(question.raw, moment))
        return Reply(question.raw, _answered(self._interval, moment), points)

    def _counted(self, what: str, moment: Moment) -> t.Iterator[Point]:
        like = alike.reference(self._interval.members, moment.groups) if what in TIMES else {}
        for member, growth in self._interval.members.items():
            group = moment.group_of(member)
            if group is None:
                continue
            compared = alike.figure(growth.kinds, like, QUANTILES.get(what)) if like else None
            if compared is not None:
                yield Point(compared[0], group, member, count=float(compared[1]))
            else:
                yield from _points(what, growth, group, member)

    def _why_nothing(self, what: str, moment: Moment) -> str:
        known = {member for node in self._reading.nodes.values() for member in node.members}
        strangers = [name for members in moment.groups.values() for name in members if name not in known]
        if strangers:
            return f"the balancers have no member '{strangers[0]}'; they have {contract.quoted(sorted(known))}"
        if self._interval.restarted:
            return f"{contract.quoted(self._interval.restarted)} restarted their counters, so the previous interval is lost"
        if self._interval.first:
            return "the first poll of the counters has nothing to compare with"
        if what in QUANTILES and not self._have_histograms():
            return f"these balancers keep no histogram of latencies, so {what} is unknown; the query latency gives the mean"
        if what == LATENCY and not self._have_latencies():
            return "these balancers do not report latencies by member"
        return "no requests since the previous poll, or too few to judge"

    def _have_histograms(self) -> bool:
        return any(one.get("histogram") for node in self._reading.nodes.values() for one in node.members.values())

    def _have_latencies(self) -> bool:
        members = [one for node in self._reading.nodes.values() for one in node.members.values()]
        return self._have_histograms() or any(one["latency"] is not None for one in members)


def check(metric: t.Any, where: str) -> None:
    """Raises InputError where no balancer could answer."""
    for raw in queries.leaves(metric.query):
        if raw not in KINDS:
            raise InputError(f"{where}.query: {raw!r} is none of {', '.join(KINDS)}, which balancers report.")
        if metric.kind not in KINDS[raw]:
            raise InputError(f"{where}: {raw} is of kind {KINDS[raw][0]}, not {metric.kind}.")


def reading_of(results: t.Any) -> Reading:
    """The reading that a registered lb_member_info is, looped or not; raises InputError where it is none."""
    if isinstance(results, t.Mapping):
        results = results.get("results", [results])
    if not isinstance(results, (list, tuple)) or not all(isinstance(one, t.Mapping) for one in results):
        raise InputError("counters: expected what steady.rollout.lb_member_info with counters=true returned.")
    reading = Reading({}, {}, {})
    for number, result in enumerate(results):
        if not result.get("skipped"):
            _add(reading, result, number)
    return reading


def _add(reading: Reading, result: t.Mapping[str, t.Any], number: int) -> None:
    name = _name(result, number)
    members = result.get("members")
    if result.get("failed") or result.get("unreachable") or not isinstance(members, t.Mapping):
        reading.silent[name] = str(result.get("msg") or "no members in its result").rstrip(".")
        return
    if name in reading.nodes:
        name = f"{name} #{number + 1}"
    counted = {member: facts["counters"] for member, facts in members.items() if facts.get("counters")}
    slices = result.get("requests")
    if not counted and members and slices is None:
        reading.silent[name] = "its result has no counters; read it with counters=true"
        return
    reading.nodes[name] = Node(str(result.get("series", "")), counted, tuple(slices or ()))
    reading.health[name] = {member: facts.get("operational", "") for member, facts in members.items()}
    reading.aliases.update({facts["address"]: member for member, facts in members.items() if facts.get("address")})


def _name(result: t.Mapping[str, t.Any], number: int) -> str:
    item = result.get("item") if isinstance(result.get("item"), t.Mapping) else {}
    host = result.get("host") or (item or {}).get("host") or ""
    pool = result.get("pool") or (item or {}).get("pool") or ""
    return " ".join(part for part in (str(host), str(pool)) if part) or f"#{number + 1}"


def _points(what: str, growth: Growth, group: str, member: str) -> t.Iterator[Point]:
    if what == ERROR_SHARE and growth.requests > 0:
        yield Point(float(growth.errors), group, member, BAD)
        yield Point(float(growth.requests), group, member, TOTAL)
    elif what in QUANTILES and growth.bins:
        yield Point(counting.quantile(growth.bins, QUANTILES[what]), group, member, count=_size(growth))
    elif what == LATENCY and growth.bins:
        total = sum((lower + width / 2) * count for lower, (width, count) in growth.bins.items())
        yield Point(total / _size(growth), group, member, count=_size(growth))
    elif what == LATENCY and growth.latency is not None:
        yield Point(growth.latency, group, member, count=float(growth.timed))


def _size(growth: Growth) -> float:
    return float(sum(count for dummy, count in growth.bins.values()))


def _health(reading: Reading, moment: Moment) -> t.Iterator[Point]:
    """A member counts as unhealthy when any node sees it so; one in maintenance does not count."""
    for group, members in moment.groups.items():
        seen = {
            name: {states[name] for states in reading.health.values() if name in states} - {contract.PAUSED}
            for name in members
        }
        checked = [states for states in seen.values() if states]
        if checked:
            bad = sum(1 for states in checked if states & set(UNHEALTHY))
            yield Point(float(bad), group, part=BAD)
            yield Point(float(len(checked)), group, part=TOTAL)


def _answered(interval: Interval, moment: Moment) -> str:
    """The interval in short, for the record."""
    counts: dict[str, t.Any] = {}
    for member, growth in interval.members.items():
        group = moment.group_of(member)
        if group is not None:
            counts.setdefault(group, {})[member] = [growth.requests, growth.errors, growth.latency]
    return json.dumps({**counts, **({"counted anew": interval.restarted} if interval.restarted else {})})
