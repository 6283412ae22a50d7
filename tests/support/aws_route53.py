# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What moto's Route 53 lacks, put into it: whole-or-nothing batches, exact deletes, limits, PENDING before INSYNC."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import time
import typing as t
from unittest import mock

from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.route53 import models, responses
from moto.route53.exceptions import InvalidInput, Route53ClientError

Row = t.Tuple[str, str, t.Optional[str]]


from support.aws_elb import method


class Route53:
    """The patches and what they remember. *in_sync* is the seconds until a change is INSYNC."""

    def __init__(self) -> None:
        self.in_sync = 0.3
        self.batches: list[list[dict[str, t.Any]]] = []
        self.unhealthy: set[str] = set()
        """Ids of health checks that fail."""
        self._submitted: dict[str, float] = {}
        self._numbers = itertools.count(1)
        self._patches = contextlib.ExitStack()

    def install(self) -> None:
        for name, function in {
            "change_resource_record_sets": method(self._change),
            "get_change": method(self._get_change),
            "get_health_check_status": method(self._health),
        }.items():
            self._patches.enter_context(mock.patch.object(responses.Route53, name, function))

    def remove(self) -> None:
        self._patches.close()

    def weights(self, zone_id: str, name: str) -> dict[str, int]:
        """Weight by the first value of each weighted record."""
        zone = get_backend("route53")[DEFAULT_ACCOUNT_ID]["aws"].get_hosted_zone(zone_id)
        return {one.records[0]: one.weight for one in zone.rrsets if one.name == name and one.weight is not None}

    def _change(self, this: t.Any) -> ActionResult:
        zone = this.backend.get_hosted_zone(this._get_param("HostedZoneId"))
        changes = this._get_param("ChangeBatch.Changes")
        rows = apply({_row(_described(one)): _described(one) for one in zone.rrsets}, changes)
        zone.rrsets = [_made(record) for record in rows.values()]
        self.batches.append(changes)
        identifier = f"/change/C{next(self._numbers):013d}"
        self._submitted[identifier] = time.monotonic()
        return self._info(identifier)

    def _get_change(self, this: t.Any) -> ActionResult:
        return self._info("/change/" + this._get_param("Id").rsplit("/", 1)[-1])

    def _info(self, identifier: str) -> ActionResult:
        if identifier not in self._submitted:
            raise Route53ClientError("NoSuchChange", f"Could not find resource with ID: {identifier}")
        done = time.monotonic() - self._submitted[identifier] >= self.in_sync
        now = datetime.datetime.now(datetime.timezone.utc)
        return ActionResult(
            {"ChangeInfo": {"Id": identifier, "Status": "INSYNC" if done else "PENDING", "SubmittedAt": now}}
        )

    def _health(self, this: t.Any) -> ActionResult:
        identifier = this._get_param("HealthCheckId")
        this.backend.get_health_check(identifier)
        status = "Failure: HTTP Status Code 503." if identifier in self.unhealthy else "Success: HTTP Status Code 200."
        now = datetime.datetime.now(datetime.timezone.utc)
        observations = [
            {"Region": "eu-west-1", "IPAddress": f"192.0.2.{n}", "StatusReport": {"Status": status, "CheckedTime": now}}
            for n in range(1, 9)
        ]
        return ActionResult({"HealthCheckObservations": observations})


def apply(rows: dict[Row, dict[str, t.Any]], changes: list[dict[str, t.Any]]) -> dict[Row, dict[str, t.Any]]:
    """The records after *changes*; raises what AWS answers, having changed nothing."""
    rows = dict(rows)
    for change in changes:
        record = _normal(change["ResourceRecordSet"])
        row = _row(record)
        name = f"[name='{row[0]}', type='{row[1]}', set-identifier='{row[2]}']"
        weight = record.get("Weight")
        if weight is not None and not 0 <= weight <= 255:
            raise InvalidInput(f"1 validation error: Weight {weight} must be between 0 and 255")
        if change["Action"] == "CREATE" and row in rows:
            raise _bad_batch(f"Tried to create resource record set {name} but it already exists")
        if change["Action"] == "DELETE":
            if row not in rows:
                raise _bad_batch(f"Tried to delete resource record set {name} but it was not found")
            if rows[row] != record:
                raise _bad_batch(f"Tried to delete {name} but the values provided do not match the current values")
            del rows[row]
        else:
            rows[row] = record
    _refuse_different_ttls(rows)
    return rows


def _refuse_different_ttls(rows: dict[Row, dict[str, t.Any]]) -> None:
    ttls: dict[tuple[str, str], set[t.Any]] = {}
    for row, record in rows.items():
        if "Weight" in record and "TTL" in record:
            ttls.setdefault(row[:2], set()).add(record["TTL"])
    for (name, kind), found in ttls.items():
        if len(found) > 1:
            raise _bad_batch(f"The TTLs of the weighted records {name} {kind} differ: {sorted(found)}")


def _bad_batch(message: str) -> Route53ClientError:
    return Route53ClientError("InvalidChangeBatch", f"[{message}]")


def _normal(record: dict[str, t.Any]) -> dict[str, t.Any]:
    """A record as it came over the wire, with its numbers and name as AWS keeps them."""
    normal = {key: value for key, value in record.items() if value not in (None, [], "")}
    normal["Name"] = record["Name"].rstrip(".").lower() + "."
    for number in ("TTL", "Weight"):
        if number in normal:
            normal[number] = int(normal[number])
    if "AliasTarget" in normal:
        alias = dict(normal["AliasTarget"])
        alias["EvaluateTargetHealth"] = str(alias.get("EvaluateTargetHealth")).lower() == "true"
        normal["AliasTarget"] = alias
    return normal


def _row(record: dict[str, t.Any]) -> Row:
    return record["Name"], record["Type"], record.get("SetIdentifier")


def _made(record: dict[str, t.Any]) -> models.RecordSet:
    values = [one["Value"] for one in record.get("ResourceRecords", [])]
    return models.RecordSet({**record, **({"ResourceRecords": values} if values else {})})


def _described(one: models.RecordSet) -> dict[str, t.Any]:
    return _normal(
        {
            "Name": one.name,
            "Type": one.type,
            "TTL": one.ttl,
            "ResourceRecords": one.resource_records,
            "SetIdentifier": one.set_identifier,
            "Weight": one.weight,
            "HealthCheckId": one.health_check_id,
            "AliasTarget": one.alias_target,
            "Region": one.region,
            "Failover": one.failover,
        }
    )
