# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Weighted records of Amazon Route 53. The pool is a name, its members are the records by their SetIdentifier.

Out of service is weight 0. What DNS has told somebody it cannot take back: a change is over when all name servers
have it (INSYNC) and the TTL that resolvers may keep the old answer for has passed since.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import aws_api, contract, route53_records
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws_api import Api, AwsError
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws_looks import Looks
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    Balancer,
    Member,
    Snapshot,
    WeightLimits,
    quoted,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.route53_records import RecordSet
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

# Somebody else's change came in between this often before it is an error.
TRIES = 8
RETRY_PAUSE = 0.2
# Route 53 calls an endpoint healthy while more than 18 % of its checkers do.
HEALTHY_SHARE = 0.18
ENDPOINT_CHECKS = ("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP")


def open_route53(settings: dict[str, t.Any]) -> Route53:
    """Raises InputError where the settings cannot be right; asks AWS for nothing yet."""
    weight = settings.get("weight")
    if weight is not None and not 0 < weight <= route53_records.HEAVIEST:
        raise InputError(f"balancer.weight: must be 1 to {route53_records.HEAVIEST}, is {weight}.")
    session = aws_api.open_session(settings)
    api = session.api("route53", "route53")
    return Route53(settings["pool"], api, settings["zone"], settings.get("record_type"), weight, Clock())


class Route53(Balancer):
    """The weighted records of one name, of one type or of all.

    *weight* is what a record gets that is put in service again; by default that of the heaviest other one.
    """

    capabilities = frozenset(
        {contract.CAN_DRAIN, contract.CAN_MAINTAIN, contract.CAN_WEIGH, contract.CAN_WEIGH_AT_ONCE}
    )
    weight_limits = WeightLimits(1, route53_records.HEAVIEST)

    def __init__(
        self,
        pool: str,
        api: Api,
        zone: str,
        record_type: str | None,
        weight: int | None,
        clock: Clock,
    ) -> None:
        super().__init__(pool, api.where)
        self._api = api
        self._zone = zone
        self._type = record_type.upper() if record_type else None
        self._weight = weight
        self._clock = clock
        self._looks = Looks(self._look, clock)
        self._zone_id = ""
        self._out_as: dict[str, str] = {}
        self._change: _Change | None = None

    def version(self) -> str:
        return "aws route53"

    def require_admin(self) -> None:
        """Asks to delete a record that cannot exist, which fails whoever asks."""
        name = f"steady-rollout-permission-check.{self.pool.rstrip('.').lstrip('*.')}"
        record = {"Name": name, "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": '"nobody"'}]}
        batch = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": record}]}
        self._api.permitted("change_resource_record_sets", HostedZoneId=self._zone_found, ChangeBatch=batch)

    def snapshot(self) -> Snapshot:
        return self._looks.snapshot()

    def set_admin(self, states: t.Mapping[str, str]) -> None:
        """Out is weight 0; drained and maintenance are one and the same in DNS."""
        self._out_as.update(states)
        back = [name for name, state in states.items() if state == contract.IN_SERVICE]
        wanted = dict.fromkeys((name for name in states if name not in back), 0)
        if back:
            records = route53_records.by_identifier(self._records(), self._place)
            others = [group[0]["Weight"] for name, group in records.items() if name not in states]
            usual = self._weight or max(others, default=0) or 1
            wanted.update({name: records[name][0]["Weight"] or usual for name in back if name in records})
        self.set_weights(wanted)

    def set_weights(self, weights: t.Mapping[str, int]) -> None:
        """All in one ChangeBatch, which leaves everything but the weights as it is."""
        self._looks.reset()
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
        batch = {"Comment": "weights by steady.rollout", "Changes": changes}
        try:
            answer = self._api.call("change_resource_record_sets", HostedZoneId=self._zone_found, ChangeBatch=batch)
        except AwsError as error:
            if error.code != "InvalidChangeBatch" or last:
                raise
            return False
        self._change = _Change(answer["ChangeInfo"]["Id"], ttl)
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

    # What AWS knows

    @property
    def _zone_found(self) -> str:
        if not self._zone_id:
            self._zone_id = self._find_zone()
        return self._zone_id

    def _find_zone(self) -> str:
        """By id or name."""
        if "." not in self._zone:
            return self._zone.rsplit("/", 1)[-1]
        name = route53_records.canonical(self._zone)
        answer = self._api.call("list_hosted_zones_by_name", DNSName=name)
        found = [zone["Id"] for zone in answer["HostedZones"] if route53_records.canonical(zone["Name"]) == name]
        if len(found) != 1:
            several = f"several hosted zones '{self._zone}': {quoted(found)}. Give the id of the right one"
            none = f"no hosted zone '{self._zone}'. Give the name or id of one that this account has"
            raise InputError(f"{self.where}: there is {several if found else none} as balancer.zone.")
        return str(found[0]).rsplit("/", 1)[-1]

    def _records(self) -> list[RecordSet]:
        name = route53_records.canonical(self.pool)
        found = route53_records.weighted(self._listed(name), name, self._type)
        if not found:
            kind = f" of type {self._type}" if self._type else ""
            raise InputError(
                f"{self._place}: no weighted records{kind} in zone '{self._zone}'. Correct balancer.pool, or give the "
                "records a SetIdentifier and a Weight first."
            )
        return found

    def _listed(self, name: str) -> t.Iterator[RecordSet]:
        """The records of *name* and perhaps some after it: a zone may have thousands more."""
        start: dict[str, t.Any] = {"StartRecordName": name}
        while True:
            answer = self._api.call("list_resource_record_sets", HostedZoneId=self._zone_found, **start)
            yield from answer["ResourceRecordSets"]
            following = {
                f"Start{key[4:]}": answer[key]
                for key in ("NextRecordName", "NextRecordType", "NextRecordIdentifier")
                if answer.get(key)
            }
            if not answer["IsTruncated"] or following == start:
                return
            if route53_records.canonical(following["StartRecordName"]) != name:
                return
            start = following

    def _grouped(self, records: t.Iterable[RecordSet]) -> dict[str, list[RecordSet]]:
        return route53_records.by_identifier(records, self._place)

    # Looking

    def _look(self) -> Snapshot:
        records = self._records()
        pending = self._pending()
        members = {name: self._member(name, group, pending) for name, group in self._grouped(records).items()}
        seconds = route53_records.ttl(records)
        notes = (
            f"Resolvers may answer with the old weights for {seconds} s after a change; what clients have connected to "
            "cannot be counted here.",
        )
        return Snapshot(pool=self.pool, members=members, notes=notes)

    def _member(self, name: str, group: list[RecordSet], pending: str) -> Member:
        weight = int(group[0]["Weight"])
        asked = self._out_as.get(name, contract.DRAINED)
        admin = contract.IN_SERVICE if weight else (asked if asked in contract.OUT_STATES else contract.DRAINED)
        operational, check = self._health(group[0])
        usable = weight > 0 and operational in contract.FULLY_UP
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

    def _health(self, record: RecordSet) -> tuple[str, str]:
        """By the record's health check, where it has one that can be asked."""
        identifier = record.get("HealthCheckId")
        if not identifier:
            follows = record.get("AliasTarget", {}).get("EvaluateTargetHealth")
            return contract.NO_CHECK, "follows the health of its alias target" if follows else ""
        config = self._api.call("get_health_check", HealthCheckId=identifier)["HealthCheck"]["HealthCheckConfig"]
        if config.get("Disabled") or config.get("Type") not in ENDPOINT_CHECKS:
            kind = "disabled" if config.get("Disabled") else str(config.get("Type")).lower()
            return contract.NO_CHECK, f"health check {identifier} is {kind} and says nothing by itself"
        seen = self._api.call("get_health_check_status", HealthCheckId=identifier)["HealthCheckObservations"]
        good = sum(one.get("StatusReport", {}).get("Status", "").startswith("Success") for one in seen)
        healthy = bool(seen) and good / len(seen) > HEALTHY_SHARE
        if config.get("Inverted"):
            healthy = not healthy
        return contract.UP if healthy else contract.DOWN, f"{good} of {len(seen)} checkers of {identifier} succeed"

    def _pending(self) -> str:
        """What a change made here still waits for."""
        change = self._change
        if change is None:
            return ""
        now = self._clock.now()
        if change.in_sync_at is None:
            status = self._api.call("get_change", Id=change.id)["ChangeInfo"]["Status"]
            if status != "INSYNC":
                return "has a change that not all name servers have yet"
            change.in_sync_at = now
        left = change.in_sync_at + change.ttl - now
        if left > 0:
            return f"may still be in resolvers' caches for {left:.0f} s of its TTL of {change.ttl} s"
        self._change = None
        return ""


class _Change:
    """A change that this object made. *in_sync_at* is on its clock."""

    def __init__(self, identifier: str, ttl: int) -> None:
        self.id = identifier
        self.ttl = ttl
        self.in_sync_at: float | None = None


def _values(group: t.Iterable[RecordSet]) -> str:
    values = []
    for record in group:
        values += [one["Value"] for one in record.get("ResourceRecords", ())]
        if "AliasTarget" in record:
            values.append(record["AliasTarget"]["DNSName"].rstrip("."))
    return ", ".join(values)
