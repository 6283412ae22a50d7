# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""One hosted zone of Route 53 as its API shows it: records of one name, tags, changes, health checks."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import route53_records
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.api import Api
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.route53_records import RecordSet
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import quoted
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

# Route 53 calls an endpoint healthy while more than 18 % of its checkers do.
HEALTHY_SHARE = 0.18
ENDPOINT_CHECKS = ("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP")
# What one ChangeTagsForResource takes.
TAGS_AT_ONCE = 10


class Health(t.NamedTuple):
    operational: str
    words: str


class Zone:
    """By id or name; looked up when it is first needed."""

    def __init__(self, api: Api, given: str) -> None:
        self._api = api
        self.given = given
        self._found = ""

    @property
    def id(self) -> str:
        if not self._found:
            self._found = self._find() if "." in self.given else self.given.rsplit("/", 1)[-1]
        return self._found

    def _find(self) -> str:
        name = route53_records.canonical(self.given)
        answer = self._api.call("list_hosted_zones_by_name", DNSName=name)
        found = [zone["Id"] for zone in answer["HostedZones"] if route53_records.canonical(zone["Name"]) == name]
        if len(found) == 1:
            return str(found[0]).rsplit("/", 1)[-1]
        if found:
            raise InputError(
                f"{self._api.where}: balancer.zone: several hosted zones are called '{self.given}': {quoted(found)}. "
                "Give the id of the right one."
            )
        raise InputError(
            f"{self._api.where}: balancer.zone: this account has no hosted zone '{self.given}'. Give its name or id."
        )

    def records(self, name: str) -> t.Iterator[RecordSet]:
        """The records of *name*, and perhaps some that come after it: a zone may have thousands more."""
        start: dict[str, t.Any] = {"StartRecordName": name}
        while True:
            answer = self._api.call("list_resource_record_sets", HostedZoneId=self.id, **start)
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

    def change(self, changes: list[dict[str, t.Any]]) -> str:
        """The id of the change; all of it or nothing is carried out."""
        batch = {"Comment": "weights by steady.rollout", "Changes": changes}
        answer = self._api.call("change_resource_record_sets", HostedZoneId=self.id, ChangeBatch=batch)
        return str(answer["ChangeInfo"]["Id"])

    def is_in_sync(self, change_id: str) -> bool:
        """All name servers of Route 53 have the change."""
        return bool(self._api.call("get_change", Id=change_id)["ChangeInfo"]["Status"] == "INSYNC")

    def tags(self) -> dict[str, str]:
        answer = self._api.call("list_tags_for_resource", ResourceType="hostedzone", ResourceId=self.id)
        return {tag["Key"]: tag["Value"] for tag in answer["ResourceTagSet"]["Tags"]}

    def tag(self, tags: t.Mapping[str, str]) -> None:
        entries = [{"Key": key, "Value": value} for key, value in tags.items()]
        for start in range(0, len(entries), TAGS_AT_ONCE):
            self._change_tags(AddTags=entries[start : start + TAGS_AT_ONCE])

    def untag(self, keys: t.Sequence[str]) -> None:
        for start in range(0, len(keys), TAGS_AT_ONCE):
            self._change_tags(RemoveTagKeys=list(keys[start : start + TAGS_AT_ONCE]))

    def _change_tags(self, **change: t.Any) -> None:
        self._api.call("change_tags_for_resource", ResourceType="hostedzone", ResourceId=self.id, **change)

    def require_admin(self, name: str) -> None:
        """Asks to delete a record and a tag that cannot exist: the one fails and the other does nothing."""
        record = {"Name": name, "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": '"nobody"'}]}
        batch = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": record}]}
        self._api.permitted("change_resource_record_sets", HostedZoneId=self.id, ChangeBatch=batch)
        self._api.permitted(
            "change_tags_for_resource",
            ResourceType="hostedzone",
            ResourceId=self.id,
            RemoveTagKeys=[f"{route53_records.TAG_PREFIX}steady-rollout-permission-check"],
        )

    def health(self, record: RecordSet) -> Health:
        """By the record's health check, where it has one that can be asked."""
        identifier = record.get("HealthCheckId")
        if not identifier:
            follows = record.get("AliasTarget", {}).get("EvaluateTargetHealth")
            return Health(contract.NO_CHECK, "follows the health of its alias target" if follows else "")
        config = self._api.call("get_health_check", HealthCheckId=identifier)["HealthCheck"]["HealthCheckConfig"]
        if config.get("Disabled") or config.get("Type") not in ENDPOINT_CHECKS:
            kind = "disabled" if config.get("Disabled") else str(config.get("Type")).lower()
            return Health(contract.NO_CHECK, f"health check {identifier} is {kind} and cannot be asked")
        seen = self._api.call("get_health_check_status", HealthCheckId=identifier)["HealthCheckObservations"]
        good = sum(one.get("StatusReport", {}).get("Status", "").startswith("Success") for one in seen)
        healthy = bool(seen) and good / len(seen) > HEALTHY_SHARE
        if config.get("Inverted"):
            healthy = not healthy
        words = f"{good} of {len(seen)} checkers of {identifier} succeed"
        return Health(contract.UP if healthy else contract.DOWN, words)
