# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Weighted records of Route 53: which ones there are and how one change reweighs them. No I/O.

A record that is drained has the weight 0, and so may one that is not. A tag of the hosted zone, written before the
act, distinguishes the two and keeps the weight that the record had.
"""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import OUT_STATES, quoted
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

RecordSet = t.Dict[str, t.Any]

HEAVIEST = 255
TAG_PREFIX = "steady.rollout/out/"
# What AWS takes as the key of a tag.
TAG_KEY = re.compile(r"^[A-Za-z0-9 _.:/=+@-]{1,128}\Z")
# An alias record has no TTL of its own; for AWS resources it is this.
ALIAS_TTL = 60


def canonical(name: str) -> str:
    """As Route 53 writes it: lower case, dot at the end, other than letters, digits, - _ . in octal."""
    text = name.rstrip(".").lower()
    return "".join(letter if letter.isalnum() or letter in "-_.\\" else f"\\{ord(letter):03o}" for letter in text) + "."


def weighted(records: t.Iterable[RecordSet], name: str, kind: str | None) -> list[RecordSet]:
    """The weighted records of *name*, of all types unless one is given."""
    wanted = canonical(name)
    return [
        record
        for record in records
        if canonical(record["Name"]) == wanted and "Weight" in record and kind in (None, record["Type"])
    ]


def by_identifier(records: t.Iterable[RecordSet], where: str) -> dict[str, list[RecordSet]]:
    """The records of each identifier, one for each type; raises RolloutError where they are not weighed alike."""
    found: dict[str, list[RecordSet]] = {}
    for record in records:
        found.setdefault(record["SetIdentifier"], []).append(record)
    for identifier, group in found.items():
        if len({record["Weight"] for record in group}) > 1:
            each = ", ".join(f"{record['Type']} {record['Weight']}" for record in group)
            raise RolloutError(
                f"{where}: '{identifier}' has different weights by type ({each}). Make them equal, or name one type "
                "with balancer.record_type."
            )
    return found


def ttl(records: t.Iterable[RecordSet]) -> int:
    """Seconds for which a resolver may still answer with what it had."""
    return max((int(record.get("TTL", ALIAS_TTL)) for record in records), default=0)


def check(before: t.Mapping[str, int], wanted: t.Mapping[str, int], where: str) -> None:
    """Raises InputError unless Route 53 would take these weights and they mean what they say."""
    for identifier, weight in wanted.items():
        if not 0 <= weight <= HEAVIEST:
            raise InputError(
                f"{where}: '{identifier}' cannot have the weight {weight}; Route 53 takes 0 to {HEAVIEST}."
            )
    after = {**before, **wanted}
    if not any(after.values()):
        raise InputError(
            f"{where}: {quoted(after)} would all have the weight 0, which Route 53 reads as equal shares for all; "
            "leave at least one above 0."
        )


def changes(records: t.Iterable[RecordSet], wanted: t.Mapping[str, int]) -> list[dict[str, t.Any]]:
    """The changes of one batch; empty where all is as wanted.

    To delete a record it must be given exactly as it is: the batch, which is carried out as a whole or not at all,
    fails where somebody else has changed one meanwhile, and cannot undo that by accident.
    """
    batch = []
    for record in records:
        weight = wanted.get(record["SetIdentifier"], record["Weight"])
        if weight != record["Weight"]:
            batch.append({"Action": "DELETE", "ResourceRecordSet": record})
            batch.append({"Action": "CREATE", "ResourceRecordSet": {**record, "Weight": weight}})
    return batch


class Mark(t.NamedTuple):
    """What the tag of a drained record says: its admin state and the weight that it had."""

    state: str
    weight: int

    @property
    def value(self) -> str:
        return f"{self.state} weight={self.weight}"


def tag_key(name: str, identifier: str) -> str:
    """Readable where a tag may be called so, otherwise a digest."""
    key = f"{TAG_PREFIX}{canonical(name)}/{identifier}"
    if TAG_KEY.match(key):
        return key
    return TAG_PREFIX + hashlib.sha256(f"{canonical(name)}\n{identifier}".encode()).hexdigest()[:32]


def parse_mark(value: str) -> Mark | None:
    """None for a tag that says something else."""
    match = re.match(r"^(\w+) weight=(\d{1,3})\Z", value)
    return Mark(match.group(1), int(match.group(2))) if match and match.group(1) in OUT_STATES else None
