# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Weighted records of Amazon Route 53. The pool is a name, its members are the records by their SetIdentifier.

Out of service is weight 0. A DNS answer that was sent cannot be withdrawn: a change is over when all name servers
have it (INSYNC) and the TTL that resolvers may keep the old answer for has passed since.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import api as aws_api
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import route53_records
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.api import AwsError
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.route53_records import Mark, RecordSet
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.route53_zone import Zone
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.snapshots import Polls
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    Balancer,
    Member,
    Snapshot,
    WeightLimits,
    quoted,
)
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock, Pace

# Somebody else's change came in between this often before it is an error.
TRIES = 8
RETRY_PAUSE = 0.2
# An account has five requests a second for all that it does in Route 53.
PACE = Pace(first=1.0, growth=1.5, longest=10.0)
API_VERSION = "2013-04-01"
NOTE = (
    "Resolvers may answer with the old weights for {} s after a change, and clients keep the connections that they "
    "have: neither can be counted here."
)


def open_route53(settings: dict[str, t.Any]) -> Route53:
    """Raises InputError where the settings cannot be right; calls no API yet."""
    api = aws_api.open_session(settings).api("route53", "route53")
    zone = Zone(api, settings["zone"])
    return Route53(settings["pool"], api.where, zone, settings.get("record_type"), Clock())


@dataclasses.dataclass
class Change:
    """A change made here that clients may not see yet. *in_sync_at* is on the balancer's clock."""

    id: str
    ttl: int
    in_sync_at: float | None = None


class Route53(Balancer):
    """The weighted records of one name, of one type or of all."""

    capabilities = frozenset(
        {contract.CAN_DRAIN, contract.CAN_MAINTAIN, contract.CAN_WEIGH, contract.CAN_WEIGH_AT_ONCE}
    )
    lacks = {
        contract.CAN_END_SESSIONS: "DNS does not see connections",
        contract.CAN_SAVE: "AWS keeps every change by itself",
        contract.CAN_ROUTE: "DNS answers before there is a request, so it sees neither headers nor cookies",
        contract.CAN_PAGE: "DNS answers with addresses and serves no pages",
        contract.CAN_LOG: "DNS sees no requests",
        contract.CAN_COUNT: "DNS sees no requests",
        contract.CAN_ADD: "create and delete the records of a weighted set, with their TTL and health check, in Route 53",
    }
    weight_limits = WeightLimits(1, route53_records.HEAVIEST)

    def __init__(self, pool: str, where: str, zone: Zone, record_type: str | None, clock: Clock) -> None:
        super().__init__(pool, where)
        self._zone = zone
        self._type = record_type.upper() if record_type else None
        self._clock = clock
        self._polls = Polls(self._read, clock, PACE)
        self._change: Change | None = None

    def version(self) -> str:
        return API_VERSION

    def require_admin(self) -> None:
        self._zone.require_admin(f"steady-rollout-permission-check.{self.pool.lstrip('*').strip('.')}")

    def snapshot(self) -> Snapshot:
        return self._polls.snapshot()

    def set_admin(self, states: t.Mapping[str, str]) -> None:
        """Marks, then takes the weight; gives it back, then unmarks."""
        self._polls.reset()
        found = self._grouped(self._records())
        marks = self._marks(found, self._zone.tags())
        out = {name: state for name, state in states.items() if state in contract.OUT_STATES}
        back = {name: marks[name].weight for name in states if name not in out and name in marks}
        self._check_names(found, states)
        weights = {**dict.fromkeys(out, 0), **back}
        route53_records.check({name: group[0]["Weight"] for name, group in found.items()}, weights, self._place)
        kept = {name: found[name][0]["Weight"] or (marks[name].weight if name in marks else 0) for name in out}
        self._zone.tag({self._key(name): Mark(state, kept[name]).value for name, state in out.items()})
        self._reweigh(weights)
        self._zone.untag([self._key(name) for name in back])

    def set_weights(self, weights: t.Mapping[str, int]) -> None:
        """All in one ChangeBatch, which leaves everything but the weights as it is.

        Of a record that is drained only the mark changes: it gets that weight when it comes back.
        """
        self._polls.reset()
        found = self._grouped(self._records())
        marks = self._marks(found, self._zone.tags())
        drained = [name for name in weights if name in marks and not found[name][0]["Weight"]]
        self._reweigh({name: weight for name, weight in weights.items() if name not in drained})
        marked = {self._key(name): Mark(marks[name].state, weights[name]).value for name in drained}
        self._zone.tag(marked)

    def _reweigh(self, weights: t.Mapping[str, int]) -> None:
        for attempt in range(TRIES):
            records = self._records()
            before = {name: group[0]["Weight"] for name, group in self._grouped(records).items()}
            self._check_names(before, weights)
            route53_records.check(before, weights, self._place)
            changes = route53_records.changes(records, weights)
            if not changes or self._submit(changes, route53_records.ttl(records), attempt == TRIES - 1):
                return
            self._clock.sleep(RETRY_PAUSE * (attempt + 1))

    def _submit(self, changes: list[dict[str, t.Any]], ttl: int, last: bool) -> bool:
        """False where the records are not any more what they were when they were read."""
        try:
            self._change = Change(self._zone.change(changes), ttl)
        except AwsError as error:
            if error.code != "InvalidChangeBatch" or last:
                raise
            return False
        return True

    @property
    def _place(self) -> str:
        return f"{self.where} {self.pool}"

    def _check_names(self, known: t.Iterable[str], names: t.Iterable[str]) -> None:
        missing = [name for name in names if name not in known]
        if missing:
            raise InputError(
                f"{self._place}: no record has the identifier {quoted(missing)}; there are {quoted(known)}."
            )

    # Looking

    def _read(self) -> Snapshot:
        # The tags first: a record that is drained in between is then seen as it was, not as one that was weighed 0.
        tags, records = self._zone.tags(), self._records()
        groups, pending = self._grouped(records), self._pending()
        marks = self._marks(groups, tags)
        members = {name: self._member(name, group, marks.get(name), pending) for name, group in groups.items()}
        return Snapshot(pool=self.pool, members=members, notes=(NOTE.format(route53_records.ttl(records)),))

    def _records(self) -> list[RecordSet]:
        name = route53_records.canonical(self.pool)
        found = route53_records.weighted(self._zone.records(name), name, self._type)
        if not found:
            kind = f" of type {self._type}" if self._type else ""
            raise InputError(
                f"{self._place}: no weighted records{kind} in zone '{self._zone.given}'. Correct balancer.pool, or give "
                "the records a SetIdentifier and a Weight first."
            )
        return found

    def _grouped(self, records: t.Iterable[RecordSet]) -> dict[str, list[RecordSet]]:
        return route53_records.by_identifier(records, self._place)

    def _key(self, identifier: str) -> str:
        return route53_records.tag_key(self.pool, identifier)

    def _marks(self, names: t.Iterable[str], tags: t.Mapping[str, str]) -> dict[str, Mark]:
        found = {name: route53_records.parse_mark(tags.get(self._key(name), "")) for name in names}
        return {name: mark for name, mark in found.items() if mark}

    def _member(self, name: str, group: list[RecordSet], mark: Mark | None, pending: str) -> Member:
        weight, admin = int(group[0]["Weight"]), contract.IN_SERVICE
        if mark and not weight:
            weight, admin = mark.weight, mark.state
        operational, check = self._zone.health(group[0])
        usable = admin == contract.IN_SERVICE and weight > 0 and operational in contract.FULLY_UP
        return Member(
            name=name,
            address=_values(group),
            own=admin,
            admin=admin,
            operational=operational,
            weight=weight,
            sessions=0,
            queue=0,
            old_sessions=None,
            usable=usable,
            in_rotation=usable,
            check=check,
            pending=pending,
        )

    def _pending(self) -> str:
        """What a change made here still waits for."""
        change = self._change
        if change is None:
            return ""
        if change.in_sync_at is None:
            if not self._zone.is_in_sync(change.id):
                return "has a change that not all name servers have yet"
            change.in_sync_at = self._clock.now()
        left = change.in_sync_at + change.ttl - self._clock.now()
        if left > 0:
            return f"may still be in resolvers' caches for {left:.0f} s of its TTL of {change.ttl} s"
        self._change = None
        return ""


def _values(group: t.Iterable[RecordSet]) -> str:
    values = []
    for record in group:
        values += [one["Value"] for one in record.get("ResourceRecords", ())]
        if "AliasTarget" in record:
            values.append(record["AliasTarget"]["DNSName"].rstrip("."))
    return ", ".join(values)
