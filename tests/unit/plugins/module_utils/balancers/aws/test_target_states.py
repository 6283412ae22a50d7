# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets: their names, what their states mean, and what is remembered of those taken out."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import targets as aws_targets
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.targets import Drain, Record, Target
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.pools.members import drain

ALB = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/inner/50dc6c495c0c9188"
LAMBDA = "arn:aws:lambda:eu-central-1:123456789012:function:shop:7"


@pytest.mark.parametrize(
    ("text", "target", "name"),
    [
        ("i-0123456789abcdef0", Target("i-0123456789abcdef0", 8080), "i-0123456789abcdef0:8080"),
        ("i-0123456789abcdef0:81", Target("i-0123456789abcdef0", 81), "i-0123456789abcdef0:81"),
        (" 10.0.0.1:81 ", Target("10.0.0.1", 81), "10.0.0.1:81"),
        ("[2001:db8::1]:81", Target("2001:db8::1", 81), "[2001:db8::1]:81"),
        ("2001:db8::1", Target("2001:db8::1", 8080), "[2001:db8::1]:8080"),
        (f"{ALB}:81", Target(ALB, 81), f"{ALB}:81"),
        (ALB, Target(ALB, 8080), f"{ALB}:8080"),
        (LAMBDA, Target(LAMBDA, None), LAMBDA),
    ],
)
def test_targets_are_read_and_named(text: str, target: Target, name: str) -> None:
    found = aws_targets.parse_target(text, 8080, "balancer.targets.app1")
    assert (found, found.name) == (target, name)


@pytest.mark.parametrize("text", ["", "10.0.0.1:http", "a b", "10.0.0.1:80:81"])
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(InputError) as caught:
        aws_targets.parse_target(text, 8080, "balancer.targets.app1")
    assert caught.value.message == (
        f"balancer.targets.app1: '{text}' is not the id, address or ARN of a target, with or without ':port'."
    )


def test_a_target_is_always_deregistered_with_its_port() -> None:
    assert Target("i-0123456789abcdef0", 81).description() == {"Id": "i-0123456789abcdef0", "Port": 81}
    assert Target(LAMBDA, None).description() == {"Id": LAMBDA}
    assert Target("10.0.0.1", 81, "all").description() == {"Id": "10.0.0.1", "Port": 81, "AvailabilityZone": "all"}


@pytest.mark.parametrize(
    "record",
    [
        Record(Target("i-0123456789abcdef0", 81), "drained", 1763668800.0),
        Record(Target("2001:db8::1", 81, "all"), "maintenance", None),
        Record(Target(LAMBDA, None), "drained", None),
    ],
)
def test_what_is_written_into_tags_is_read_again(record: Record) -> None:
    tags = [{"Key": record.key, "Value": record.value}, {"Key": "team", "Value": "shop"}]
    assert aws_targets.records(tags) == {record.target: record}
    assert aws_targets.records(tags)[record.target].target.zone == record.target.zone


def test_the_tag_of_a_drained_target_can_be_read_by_people() -> None:
    record = Record(Target("i-0123456789abcdef0", 81, "all"), "drained", 1763668800.0)
    assert record.key == "steady.rollout/out/i-0123456789abcdef0@81"
    assert record.value == "drained at=2025-11-20T20:00:00Z zone=all"


@pytest.mark.parametrize("value", ["", "in_service", "gone at=x"])
def test_tags_that_are_no_records_are_left_alone(value: str) -> None:
    assert aws_targets.records([{"Key": "steady.rollout/out/i-01@81", "Value": value}]) == {}
    assert aws_targets.records([{"Key": "steady.rollout/out/@81", "Value": "drained"}]) == {}
    assert aws_targets.records([{"Key": "steady.rollout/out/i-01@x", "Value": "drained"}]) == {}


def health(state: str, reason: str = "", **more: t.Any) -> dict[str, t.Any]:
    return {"Target": {"Id": "i-01", "Port": 81}, "TargetHealth": {"State": state, "Reason": reason}, **more}


@pytest.mark.parametrize(
    ("state", "reason", "operational", "in_rotation"),
    [
        ("healthy", "", "up", True),
        ("initial", "Elb.RegistrationInProgress", "initial", False),
        ("initial", "Elb.InitialHealthChecking", "initial", False),
        ("unhealthy", "Target.Timeout", "down", False),
        ("unhealthy.draining", "Target.FailedHealthChecks", "down", False),
        ("unused", "Target.NotInUse", "unused", False),
        ("unused", "Target.InvalidState", "unused", False),
        ("unavailable", "Target.HealthCheckDisabled", "no_check", True),
        ("unavailable", "Elb.InternalError", "down", False),
        ("of the future", "", "of the future", False),
    ],
)
def test_states_of_registered_targets(state: str, reason: str, operational: str, in_rotation: bool) -> None:
    found = health(state, reason)
    assert aws_targets.is_registered(found)
    member = aws_targets.registered_member("app1", Target("i-01", 81), found)
    assert (member.own, member.operational, member.in_rotation) == ("in_service", operational, in_rotation)
    assert member.check == f"{state} {reason}".strip()


@pytest.mark.parametrize("shift", ["zonal_shift_active", "zonal_shift_delegated_to_dns"])
def test_a_zonal_shift_keeps_traffic_from_a_healthy_target(shift: str) -> None:
    found = health("healthy", AdministrativeOverride={"State": shift})
    member = aws_targets.registered_member("app1", Target("i-01", 81), found)
    assert (member.own, member.operational, member.in_rotation) == ("in_service", "up", False)
    assert member.check == "healthy; a zonal shift keeps traffic away from its zone"


@pytest.mark.parametrize("reason", ["Target.NotInUse", "Target.IpUnusable"])
def test_no_waiting_helps_a_target_that_cannot_be_used(reason: str) -> None:
    member = aws_targets.registered_member("app1", Target("i-01", 81), health("unused", reason))
    assert drain.verdict("in_service", member).value == "impossible"


def test_a_stopped_instance_may_come_up() -> None:
    member = aws_targets.registered_member("app1", Target("i-01", 81), health("unused", "Target.InvalidState"))
    assert drain.verdict("in_service", member).value == "not yet"


@pytest.mark.parametrize(
    ("found", "registered"),
    [(None, False), (health("draining"), False), (health("unused", "Target.NotRegistered"), False), (health("initial"), True)],
)  # fmt: skip
def test_who_is_registered(found: dict[str, t.Any] | None, registered: bool) -> None:
    assert aws_targets.is_registered(found) is registered


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (Drain(300, 120.4), "is draining: AWS keeps it so for about 120 s more of the group's deregistration delay of 300 s, "
                            "idle or not"),
        (Drain(300), "is draining: AWS keeps it so for the rest of the group's deregistration delay of 300 s, idle or not"),
        (Drain(300, -3), "is draining: AWS keeps it so for about 0 s more of the group's deregistration delay of 300 s, idle "
                         "or not"),
        (Drain(300, 120, 1), "is draining: AWS keeps it so for about 120 s more of the group's deregistration delay of 300 s, "
                             "and its host has 1 connection open"),
        (Drain(300, 120, 0), "is draining: AWS keeps it so for about 120 s more of the group's deregistration delay of 300 s, "
                             "and its host has no connections open"),
        (Drain(300, 120, 0, over=True), ""),
        (Drain(300, problem="'ssh' ended with 255"), "is draining: AWS keeps it so for the rest of the group's deregistration "
                                                     "delay of 300 s, and its connections cannot be counted ('ssh' ended with 255)"),
    ],
)  # fmt: skip
def test_what_a_drain_waits_for(known: Drain, words: str) -> None:
    assert known.pending() == words
    member = aws_targets.out_member("app1", Target("i-01", 81), "drained", health("draining"), known)
    assert (drain.verdict("drained", member).value == "reached") is (words == "")
