# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The event chain: each event's hash covers its content and the hash before it."""

from __future__ import annotations

import hashlib
import json
import typing as t

START = "0" * 64


class Event(t.NamedTuple):
    seq: int
    at: float
    service: str
    rollout: int | None
    run: str | None
    kind: str
    host: str | None
    data: str
    prev: str
    hash: str


def sealed(
    seq: int,
    at: float,
    service: str,
    rollout: int | None,
    run: str | None,
    kind: str,
    host: str | None,
    data: dict[str, t.Any],
    prev: str,
) -> Event:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), default=str)
    unsealed = Event(seq, round(at, 3), service, rollout, run, kind, host, text, prev, "")
    return unsealed._replace(hash=digest(unsealed))


def digest(event: Event) -> str:
    content = json.dumps(event[:-1], separators=(",", ":"))
    return hashlib.sha256(content.encode("utf-8")).hexdigest()


def first_break(events: t.Iterable[Event], head: tuple[int, str]) -> int | None:
    """The sequence number where the chain is first broken; None when it is intact.

    *head* is the newest event's number and hash as noted outside the table: without it, events cut off at
    the end would not be missed.
    """
    seq, prev = 0, START
    for event in events:
        seq += 1
        if event.seq != seq or event.prev != prev or event.hash != digest(event):
            return seq
        prev = event.hash
    return None if (seq, prev) == head else seq + 1
