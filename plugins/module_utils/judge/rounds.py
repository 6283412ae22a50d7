# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Values that are not told at every look, put together until both groups can be compared.

A load balancer that rounds to milliseconds tells a host's latency only every so many requests, so a host with little
traffic is told every few looks, and seldom in the same look as the others.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Cell, Interval, averaged

Hosts = t.Dict[str, Cell]


def in_rounds(intervals: t.Sequence[Interval]) -> list[Interval]:
    """Rounds of one or more intervals. One ends once all hosts are in it, or before a host's next figure when both groups are.

    What is not yet a round is left out: it would be judged again, and otherwise, with the next look.
    """
    every = _hosts(intervals)
    rounds: list[Interval] = []
    canary: Hosts = {}
    baseline: Hosts = {}
    at = 0.0
    for interval in intervals:
        comes_again = not (canary.keys().isdisjoint(interval.canary) and baseline.keys().isdisjoint(interval.baseline))
        if comes_again and canary and baseline:
            rounds.append(Interval(at, canary, baseline))
            canary, baseline = {}, {}
        canary, baseline, at = _joined(canary, interval.canary), _joined(baseline, interval.baseline), interval.at
        if (canary.keys(), baseline.keys()) == every:
            rounds.append(Interval(at, canary, baseline))
            canary, baseline = {}, {}
    return rounds


def _hosts(intervals: t.Sequence[Interval]) -> tuple[t.AbstractSet[str], t.AbstractSet[str]]:
    canary = {host for interval in intervals for host in interval.canary}
    return canary, {host for interval in intervals for host in interval.baseline}


def _joined(one: Hosts, other: Hosts) -> Hosts:
    return {**one, **{host: averaged(one[host], cell) if host in one else cell for host, cell in other.items()}}
