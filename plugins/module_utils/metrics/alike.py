# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Latencies compared like with like: pages with pages, downloads with downloads. Pure.

A mean over all requests of a host sees only the slow ones, and it moves with what happens to be asked for. So each kind of
request is compared with the same kind at the baseline over the same time, and a host's figure is the mean of these ratios by
its requests, in logarithms, times what is usual at the baseline: direct standardisation (Rothman, Greenland and Lash 2008,
chapter 4). Assumed: requests of one kind are alike on all hosts.
"""

from __future__ import annotations

import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.model import BASELINE
from ansible_collections.steady.rollout.plugins.module_utils.metrics import counting
from ansible_collections.steady.rollout.plugins.module_utils.metrics.counting import Bins, Growth

LEAST = 3
"""A kind of which a host or the baseline has answered fewer requests in an interval is left out of it."""

Kinds = t.Mapping[str, Bins]


def reference(members: t.Mapping[str, Growth], groups: t.Mapping[str, t.Collection[str]]) -> dict[str, Bins]:
    """What the baseline's hosts needed for each kind of request, those of all members where there is no baseline."""
    known = {name for names in groups.values() for name in names}
    names = set(groups.get(BASELINE) or known)
    merged = Growth()
    for name, growth in members.items():
        if name in names:
            merged.add(Growth(kinds={kind: dict(bins) for kind, bins in growth.kinds.items()}))
    return {kind: bins for kind, bins in merged.kinds.items() if _size(bins) >= LEAST}


def figure(kinds: Kinds, like: Kinds, share: float | None) -> tuple[float, int] | None:
    """A host's latency in milliseconds and how many requests it is of: a quantile, or a typical one where *share* is None."""
    found = [(bins, like[kind]) for kind, bins in kinds.items() if kind in like and _size(bins) >= LEAST]
    if not found:
        return None
    count = sum(_size(bins) for bins, dummy in found)
    gain = sum(_size(bins) * (_log(bins, share) - _log(usual, share)) for bins, usual in found) / count
    level = sum(_size(usual) * _log(usual, share) for usual in like.values()) / sum(map(_size, like.values()))
    return math.exp(level + gain), count


def _log(bins: Bins, share: float | None) -> float:
    """The logarithm of a quantile, or the mean of the logarithms."""
    if share is not None:
        return math.log(max(counting.quantile(bins, share), 1e-3))
    total = sum(count * math.log(lower + width / 2) for lower, (width, count) in bins.items())
    return total / _size(bins)


def _size(bins: Bins) -> int:
    return sum(count for dummy, count in bins.values())
