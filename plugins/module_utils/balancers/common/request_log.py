# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Single requests that a load balancer has logged, put together by slice of time, member and kind of request. Pure.

Counters know a mean over all requests of a member; the log has the time of each, so that pages are compared with pages
and downloads with downloads. What is kept is bounded, whatever clients send: kinds beyond the most frequent ones are one,
latencies are counted in bins that grow by a fifth.
"""

from __future__ import annotations

import collections
import math
import re
import typing as t

SLICE_SECONDS = 5.0
HORIZON_SECONDS = 120.0
"""How far back a summary goes; a poll that comes later than that after the one before has lost what was in between."""
MOST_KINDS = 20
OTHER = "other"
STEP = 1.2
"""A bin's upper bound over its lower one."""
SMALLEST_MS = 0.1
MOST_BINS = 80
LONGEST_SEGMENT = 24
DEPTH = 2
"""How many segments of a path distinguish kinds of requests."""
METHOD = re.compile(r"[A-Z]{1,10}")
VARIABLE = re.compile(r".*\d.*|.*[^\x21-\x7e].*")
"""A segment that is likely to differ from request to request: one with a digit, or with unusual characters."""

Json = t.Dict[str, t.Any]


class Entry(t.NamedTuple):
    """One request. *at* is when it ended, in seconds of the balancer's clock; *milliseconds* None where it got no answer."""

    at: float
    member: str
    status: int
    milliseconds: t.Optional[float]
    method: str
    path: str

    @property
    def is_bad(self) -> bool:
        return self.status >= 500 or self.status <= 0


def kind(method: str, path: str) -> str:
    """Requests that may be compared with each other, such as 'GET /orders/*'."""
    verb = method if METHOD.fullmatch(method) else "?"
    segments = [each for each in path.split("?", 1)[0].split("/") if each][:DEPTH]
    plain = ["*" if VARIABLE.match(each) or len(each) > LONGEST_SEGMENT else each for each in segments]
    return f"{verb} /{'/'.join(plain)}"


def bin_of(milliseconds: float) -> int:
    if milliseconds <= SMALLEST_MS:
        return 0
    return min(MOST_BINS, 1 + int(math.log(milliseconds / SMALLEST_MS) / math.log(STEP)))


def bounds(number: int) -> tuple[float, float]:
    """Where a bin begins and how wide it is, in milliseconds."""
    if number == 0:
        return 0.0, SMALLEST_MS
    lower = SMALLEST_MS * STEP ** (number - 1)
    return lower, lower * (STEP - 1)


def summary(entries: t.Iterable[Entry], now: float) -> list[Json]:
    """Slices that are complete, oldest first: *at* their end, and by member and kind [requests, bad ones, bins].

    Bins are [number, requests] of answers that were not bad: an error is fast, and no latency.
    """
    recent = [each for each in entries if now - HORIZON_SECONDS <= each.at < now]
    kinds = [kind(each.method, each.path) for each in recent]
    kept = {name for name, dummy in collections.Counter(kinds).most_common(MOST_KINDS)}
    slices: dict[float, dict[str, dict[str, list[t.Any]]]] = {}
    for entry, name in zip(recent, kinds):
        end = (math.floor(entry.at / SLICE_SECONDS) + 1) * SLICE_SECONDS
        if end > now:
            continue
        cell = (
            slices.setdefault(end, {})
            .setdefault(entry.member, {})
            .setdefault(name if name in kept else OTHER, [0, 0, collections.Counter()])
        )
        cell[0] += 1
        if entry.is_bad:
            cell[1] += 1
        elif entry.milliseconds is not None:
            cell[2][bin_of(entry.milliseconds)] += 1
    return [{"at": at, "members": _plain(slices[at])} for at in sorted(slices)]


def _plain(members: dict[str, dict[str, list[t.Any]]]) -> Json:
    return {
        member: {
            name: [requests, bad, sorted([number, count] for number, count in bins.items())]
            for name, (requests, bad, bins) in kinds.items()
        }
        for member, kinds in members.items()
    }
