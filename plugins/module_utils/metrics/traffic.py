# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the load balancers' counters say of the traffic, and of how unlike hosts are: for a forecast of the gates. Pure."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge import hosts
from ansible_collections.steady.rollout.plugins.module_utils.metrics import counting
from ansible_collections.steady.rollout.plugins.module_utils.metrics.balancers import LATENCY, Balancers, Reading
from ansible_collections.steady.rollout.plugins.module_utils.metrics.counting import Baselines
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import Moment, Nothing, Question

LEAST_FREEDOM = 4.0
"""Fewer degrees of freedom say nothing of the noise of latencies."""


class Polled(t.NamedTuple):
    """One poll of all balancer nodes, and when it was, in seconds."""

    at: float
    reading: Reading


class Known(t.NamedTuple):
    """*rate* in requests per second; *error_share* since the balancers count, 0 where they count none.

    *noise* is the standard deviation of the logarithm of one host's latency in one interval, None where it is not known.
    """

    rate: float
    error_share: float
    noise: t.Optional[float]


def known(polls: t.Sequence[Polled], members: t.Collection[str]) -> Known | str:
    """What the polls show of these members; a sentence where they show nothing."""
    for each in polls:
        for node, why in each.reading.silent.items():
            return f"{node} could not be read: {why}"
    if len(polls) < 2 or not polls[-1].reading.nodes:
        return "no balancer was read"
    baselines: Baselines = {}
    requests = 0
    for each in polls:
        baselines, interval = counting.advanced(baselines, each.reading.nodes)
        if interval.restarted:
            return f"{', '.join(interval.restarted)} restarted their counters meanwhile"
        requests += sum(growth.requests for member, growth in interval.members.items() if member in members)
    seconds = polls[-1].at - polls[0].at
    return Known(requests / seconds, error_share(polls[-1].reading, members), noise(polls, members))


def error_share(reading: Reading, members: t.Collection[str]) -> float:
    """Of all requests that the nodes have counted, or have in their logs where they count nothing."""
    requests = bad = 0
    for node in reading.nodes.values():
        counted = node.members.items() or [
            (member, {"requests": growth.requests, "errors": growth.errors})
            for member, growth in counting.logged(node.slices, None, with_counts=True).items()
        ]
        for member, counters in counted:
            if member in members:
                requests += counters["requests"]
                bad += counters["errors"]
    return bad / requests if requests else 0.0


def noise(polls: t.Sequence[Polled], members: t.Collection[str]) -> float | None:
    rows: list[dict[str, float]] = []
    baselines: Baselines = {}
    for each in polls:
        source = Balancers(each.reading, baselines)
        baselines = source.baselines
        moment = Moment(each.at, polls[0].at, polls[0].at, {"baseline": tuple(members)})
        try:
            points = source.ask(Question(LATENCY), moment).points
        except Nothing:
            continue
        rows.append({point.host: math.log(point.number) for point in points if point.number > 0})
    spread = hosts.within(rows)
    return math.sqrt(spread.variance) if spread.freedom >= LEAST_FREEDOM else None
