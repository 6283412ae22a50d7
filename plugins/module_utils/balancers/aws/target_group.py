# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Target groups of AWS Application and Network Load Balancers: targets in and out.

Out means deregistered. What AWS does not report is in the texts of the members: how long a drain still takes, which
it always does for the group's whole deregistration delay, and what keeps a target from being used.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import api as aws_api
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import targets as aws_targets
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.api import Api, AwsError
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.connections import Connections, RunCommand
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.snapshots import Polls
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.targets import Drain, Health, Record, Target
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    Balancer,
    Member,
    NewMember,
    Snapshot,
    quoted,
)
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

# Seconds that AWS may take to show what it accepted, and between reads of that.
SETTLE = 15.0
SETTLE_LOOK = 0.25
BATCH = 100
API_VERSION = "2015-12-01"
NOBODY = "steady-rollout-permission-check"


def open_target_group(settings: dict[str, t.Any], run_command: RunCommand | None = None) -> TargetGroup:
    """Raises InputError where the settings cannot be right; calls no API yet."""
    clock = Clock()
    connections = None
    if settings.get("connections_command"):
        if run_command is None:
            raise InputError("balancer.connections_command: cannot be run here.")
        quiet = settings.get("connections_quiet")
        connections = Connections(settings["connections_command"], 5.0 if quiet is None else quiet, run_command, clock)
    session = aws_api.open_session(settings)
    api = session.api("elbv2", "elasticloadbalancing")
    return TargetGroup(settings["pool"], api, settings.get("targets") or {}, connections, clock)


class TargetGroup(Balancer):
    """One target group. Its members are its targets, by the names that *declared* gives them or as 'id:port'."""

    capabilities = frozenset({contract.CAN_DRAIN, contract.CAN_MAINTAIN, contract.CAN_ADD})
    lacks = {
        contract.CAN_END_SESSIONS: "AWS has no request that cuts connections; they end with the deregistration delay",
        contract.CAN_SAVE: "AWS keeps every change by itself",
        contract.CAN_WEIGH: "single targets have no weights; target groups do (aws_listener)",
        contract.CAN_WEIGH_AT_ONCE: "single targets have no weights; target groups do (aws_listener)",
        contract.CAN_ROUTE: "a target group does not choose where requests go: a listener does (aws_listener)",
        contract.CAN_PAGE: "a target group does not answer by itself: a listener does (aws_listener)",
        contract.CAN_LOG: "AWS writes its access logs to S3, minutes later",
        contract.CAN_COUNT: "AWS counts in CloudWatch; use metric_gate with the source cloudwatch",
    }

    def __init__(
        self,
        pool: str,
        api: Api,
        declared: t.Mapping[str, str],
        connections: Connections | None,
        clock: Clock,
        wall: t.Callable[[], float] = time.time,
    ) -> None:
        super().__init__(pool, api.where)
        self._api = api
        self._declared_text = declared
        self._connections = connections
        self._clock = clock
        self._wall = wall
        self._polls = Polls(self._read, clock)
        self._seen: dict[Target, None] = {}
        self._left_at: dict[Target, float] = {}
        self._recorded: tuple[frozenset[Target], dict[Target, Record]] | None = None
        self._found: dict[str, t.Any] | None = None
        self._attributes: dict[str, str] | None = None

    def version(self) -> str:
        return API_VERSION

    def require_admin(self) -> None:
        """Each request is one that AWS cannot carry out, whoever asks."""
        nobody = [{"Id": NOBODY}]
        self._api.permitted("register_targets", TargetGroupArn=self._arn, Targets=nobody)
        self._api.permitted("deregister_targets", TargetGroupArn=self._arn, Targets=nobody)
        self._api.permitted("remove_tags", ResourceArns=[self._arn], TagKeys=[f"{aws_targets.TAG_PREFIX}{NOBODY}"])

    def snapshot(self) -> Snapshot:
        return self._polls.snapshot()

    def set_admin(self, states: t.Mapping[str, str]) -> None:
        """Records, then deregisters; registers, then forgets the record. Returns when AWS shows it."""
        self._forget_readings()
        targets, health, records = self._targets(), self._health(), self._records()
        targets.update({self._name(target): target for target in list(health) + list(records)})
        out = {targets[name]: state for name, state in states.items() if state in contract.OUT_STATES}
        back = [targets[name] for name, state in states.items() if state == contract.IN_SERVICE]
        leaving = [one for one in out if aws_targets.is_registered(health.get(one))]
        self._write(out, health, records)
        self._each_batch("deregister_targets", leaving)
        self._left_at.update(dict.fromkeys(leaving, self._wall()))
        self._each_batch(
            "register_targets",
            [records[one].target if one in records else one for one in back if _is_out(health.get(one))],
        )
        health = self._settle(out, back)
        self._erase([records[one] for one in back if one in records and not _is_out(health.get(one))])

    def add_member(self, new: NewMember) -> None:
        """AWS cannot register a target without traffic: only the record is added, and in_service registers the target."""
        target = aws_targets.parse_target(new.address, self._default_port, "address")
        if new.name != target.name:
            raise InputError(
                f"member: expected {target.name!r}, the name of this target in target group '{self.pool}', found {new.name!r}. Use "
                "that name, or set another one in balancer.targets."
            )
        self._forget_readings()
        self._tag([Record(target, contract.DRAINED)])

    def remove_member(self, name: str) -> None:
        """The target is deregistered already; this removes its record."""
        self._forget_readings()
        records = self._records()
        self._erase([record for target, record in records.items() if self._name(target) == name])
        self._seen = {target: None for target in self._seen if self._name(target) != name}

    def is_gone(self, snapshot: Snapshot, name: str) -> bool:
        """A target that balancer.targets names always counts as a member, and AWS lists every target while it drains."""
        member = snapshot.members.get(name)
        is_on_record = any(self._name(target) == name for target in self._records())
        return member is None or (member.own == contract.DRAINED and not is_on_record)

    def _forget_readings(self) -> None:
        self._polls.reset()
        self._recorded = None

    def end_sessions(self, members: t.Sequence[str]) -> None:
        raise RolloutError(
            f"{self.where}: AWS cannot end the connections to {quoted(members)} before the group's deregistration "
            f"delay ({self._delay:g} s). Wait for it, make it shorter, or give balancer.connections_command."
        )

    def set_weights(self, weights: t.Mapping[str, int]) -> None:
        raise RolloutError(
            f"{self.where}: single targets have no weights in AWS. Set weights on target groups, with balancer.type=aws_listener."
        )

    # What AWS shows

    @property
    def _group(self) -> dict[str, t.Any]:
        if self._found is None:
            self._found = find_target_group(self._api, self.pool)
        return self._found

    @property
    def _arn(self) -> str:
        return str(self._group["TargetGroupArn"])

    @property
    def _default_port(self) -> int | None:
        port = self._group.get("Port")
        return None if port is None or self._group.get("TargetType") == "lambda" else int(port)

    @property
    def _delay(self) -> float:
        """Seconds of the deregistration delay."""
        if self._attributes is None:
            answer = self._api.call("describe_target_group_attributes", TargetGroupArn=self._arn)
            self._attributes = {one["Key"]: str(one["Value"]) for one in answer["Attributes"]}
        # A group of lambda functions has none.
        return float(self._attributes.get("deregistration_delay.timeout_seconds", 0))

    def _targets(self) -> dict[str, Target]:
        """The targets that the caller has declared, registered or not."""
        declared = {
            name: aws_targets.parse_target(str(text), self._default_port, f"balancer.targets.{name}")
            for name, text in self._declared_text.items()
        }
        if len(set(declared.values())) < len(declared):
            raise InputError("balancer.targets: two names have the same target; give each its own, with its port.")
        return declared

    def _name(self, target: Target) -> str:
        names = {declared: name for name, declared in self._targets().items()}
        return names.get(target, target.name)

    def _health(self) -> dict[Target, Health]:
        answer = self._api.call("describe_target_health", TargetGroupArn=self._arn)
        return {Target.from_description(one["Target"]): one for one in answer["TargetHealthDescriptions"]}

    def _records(self) -> dict[Target, Record]:
        answer = self._api.call("describe_tags", ResourceArns=[self._arn])
        return aws_targets.records(tag for one in answer["TagDescriptions"] for tag in one["Tags"])

    # Looking

    def _read(self) -> Snapshot:
        health = self._health()
        records = self._records_of(frozenset(one for one in health if not aws_targets.is_registered(health[one])))
        # Once seen it stays a member here: after its drain AWS does not list it any more.
        self._seen.update(dict.fromkeys([*health, *self._targets().values(), *records]))
        members = {}
        for target in self._seen:
            name = self._name(target)
            members[name] = self._member(name, target, health.get(target), records.get(target))
        return Snapshot(pool=self.pool, members=members, notes=tuple(self._notes(members)))

    def _records_of(self, out: frozenset[Target]) -> dict[Target, Record]:
        """Read again only where others are out than before: what was taken out was on record by then."""
        if self._recorded is None or self._recorded[0] != out:
            self._recorded = out, self._records()
        return self._recorded[1]

    def _member(self, name: str, target: Target, health: Health | None, record: Record | None) -> Member:
        if health is not None and aws_targets.is_registered(health):
            return aws_targets.registered_member(name, target, health)
        state = record.state if record else contract.DRAINED
        draining = health is not None and health["TargetHealth"]["State"] == aws_targets.DRAINING
        if not draining and self._connections:
            self._connections.forget(target)
        drain = self._drain(name, target, record) if draining else None
        return aws_targets.out_member(name, target, state, health, drain)

    def _drain(self, name: str, target: Target, record: Record | None) -> Drain:
        since = self._left_at.get(target, record.since if record else None)
        left = None if since is None else since + self._delay - self._wall()
        if self._connections is None:
            return Drain(self._delay, left)
        count, problem = self._connections.count(name, target)
        return Drain(self._delay, left, count, self._connections.is_quiet(target), problem)

    def _notes(self, members: t.Mapping[str, Member]) -> t.Iterator[str]:
        if self._connections is None and self._delay:
            yield (
                f"AWS shows a target as draining for the group's whole deregistration delay ({self._delay:g} s) although "
                "it is idle: give balancer.connections_command to end the wait when the host has no connection left."
            )
        in_service = [member for member in members.values() if member.own == contract.IN_SERVICE]
        if in_service and not any(member.usable for member in in_service):
            yield "No target is healthy: AWS then sends traffic to all that are registered."

    # Changing

    def _write(
        self, out: t.Mapping[Target, str], health: t.Mapping[Target, Health], records: t.Mapping[Target, Record]
    ) -> None:
        """Puts on record what is about to be taken out, with the zone that it will need to come back."""
        declared = set(self._targets().values())
        wanted = []
        for target, state in out.items():
            found = health.get(target)
            leaving = aws_targets.is_registered(found)
            old = None if leaving else records.get(target)
            zone = Target.from_description(found["Target"]).zone if found else old.target.zone if old else ""
            # A declared target that is merely out needs no record; tags are few (50 on a group).
            if target in declared and state == contract.DRAINED and not zone and target not in records:
                continue
            since = self._wall() if leaving else old.since if old else None
            record = Record(Target(target.id, target.port, zone), state, since)
            if old is None or old.value != record.value:
                wanted.append(record)
        if wanted:
            self._tag(wanted)

    def _tag(self, records: t.Sequence[Record]) -> None:
        tags = [{"Key": record.key, "Value": record.value} for record in records]
        try:
            self._api.call("add_tags", ResourceArns=[self._arn], Tags=tags)
        except AwsError as error:
            if error.code != "TooManyTags":
                raise
            raise RolloutError(
                f"{self.where}: target group '{self.pool}' has no room for the tags that record who is taken out (AWS "
                "allows 50). Name the group's targets in balancer.targets, which needs none; nothing was changed."
            ) from error

    def _erase(self, records: t.Sequence[Record]) -> None:
        if records:
            keys = [record.key for record in records]
            self._api.call("remove_tags", ResourceArns=[self._arn], TagKeys=keys)

    def _each_batch(self, action: str, targets: t.Sequence[Target]) -> None:
        for start in range(0, len(targets), BATCH):
            batch = [target.description() for target in targets[start : start + BATCH]]
            self._api.call(action, TargetGroupArn=self._arn, Targets=batch)

    def _settle(self, out: t.Mapping[Target, str], back: t.Sequence[Target]) -> dict[Target, Health]:
        """What AWS accepted it shows a little later; whoever reads back must not take the old state for a refusal."""
        started = self._clock.now()
        while True:
            health = self._health()
            shown = all(_is_out(health.get(one)) for one in out) and not any(_is_out(health.get(one)) for one in back)
            if shown or self._clock.now() - started >= SETTLE:
                return health
            self._clock.sleep(SETTLE_LOOK)


def _is_out(health: Health | None) -> bool:
    return not aws_targets.is_registered(health)


def find_target_group(api: Api, name: str) -> dict[str, t.Any]:
    """By name or ARN; raises InputError that names those there are."""
    by = {"TargetGroupArns": [name]} if name.startswith("arn:") else {"Names": [name]}
    try:
        (found,) = api.pages("describe_target_groups", "TargetGroups", **by)
    except AwsError as error:
        if error.code not in ("TargetGroupNotFound", "ValidationError"):
            raise
        known = [group["TargetGroupName"] for group in api.pages("describe_target_groups", "TargetGroups")]
        raise InputError(
            f"{api.where}: no pool '{name}'; the target groups are {quoted(known) or 'none'}. Correct balancer.pool, or "
            "balancer.region and the account."
        ) from error
    return found
