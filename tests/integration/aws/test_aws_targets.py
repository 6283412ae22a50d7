# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets of an AWS target group, in and out, under traffic through the fake of support.aws."""

from __future__ import annotations

import re
import typing as t

import pytest
from support.aws_targets import Seen
from support.aws_world import World
from support.haproxy import Client, Slow, fetch, wait_until

# tests/integration/aws/conftest.py
Balancer = t.Any
MakeGroup = t.Callable[..., Balancer]
StartWorld = t.Callable[..., World]


def test_a_drain_waits_for_the_delay_and_what_is_in_flight_ends(world: World, group: Balancer) -> None:
    slow = Slow(t.cast("t.Any", world), "app1", 1.0)
    with Client(t.cast("t.Any", world)) as client:
        outcome = group.put("app1", state="drained", timeout=10)
        assert outcome.error == ""
        assert "app1" not in {fetch(world.port)[1] for _request in range(20)}
    assert slow.finish() == 200
    assert client.failures == []
    member = outcome["members"]["app1"]
    assert (member["outcome"], member["after"], member["in_rotation"]) == ("reached", "drained", False)
    assert member["check"] == "unused Target.NotRegistered"
    assert world.states() == {"app2": "healthy", "app3": "healthy"}


def test_in_service_again_is_proven_by_a_request(world: World, group: Balancer) -> None:
    drained = group.put("app1", state="drained", timeout=10)
    with Client(t.cast("t.Any", world)) as client:
        back = group.put_states(drained["restore"]["states"], timeout=10)
        assert back.error == ""
        assert fetch(world.port, "/?to=app1") == (200, "app1")
    assert client.failures == []
    assert (back["members"]["app1"]["outcome"], back["members"]["app1"]["operational"]) == ("reached", "up")
    assert world.tags() == {}


def test_it_comes_back_in_the_middle_of_its_drain(start: StartWorld, make_group: MakeGroup) -> None:
    world = start(delay=300)
    group = make_group(world)
    group.put("app1", state="drained", wait=False)
    assert world.states()["app1"] == "draining"
    back = group.put("app1", state="in_service", timeout=10)
    assert (back.error, back["changed"], world.states()["app1"]) == ("", True, "healthy")


def test_a_drain_that_takes_too_long_reports_what_is_waited_for(start: StartWorld, make_group: MakeGroup) -> None:
    world = start(delay=300)
    balancer = make_group(world, targets={})
    name = world.name("app1")
    outcome = balancer.put(name, state="drained", timeout=0.5)
    where = "AWS eu-central-1: pool 'shop' did not reach the requested state within 0.5 s"
    words = outcome.error.replace("about 299 s", "about 300 s")
    assert words == (
        f"{where}: '{name}' is draining: AWS keeps it so for about 300 s more of the group's deregistration delay of "
        "300 s, idle or not. It stays out of rotation: wait longer (timeout)."
    )
    assert outcome["members"][name]["outcome"] == "not_reached"
    assert outcome["notes"] == [
        "AWS shows a target as draining for the group's whole deregistration delay (300 s) although it is idle: give "
        "balancer.connections_command to end the wait when the host has no connection left."
    ]


def test_a_drain_ends_early_when_the_host_has_no_connection_left(
    start: StartWorld, make_group: MakeGroup, connections: dict[str, t.Any]
) -> None:
    world = start(delay=300)
    group = make_group(world, **connections)
    slow = Slow(t.cast("t.Any", world), "app1", 1.5)
    outcome = group.put("app1", state="drained", timeout=20)
    assert (outcome.error, slow.alive, slow.finish()) == ("", False, 200)
    assert (outcome["members"]["app1"]["outcome"], world.states()["app1"]) == ("reached", "draining")
    assert outcome["notes"] == []


def test_a_drain_does_not_end_early_while_the_host_has_connections(
    start: StartWorld, make_group: MakeGroup, connections: dict[str, t.Any]
) -> None:
    world = start(delay=300)
    slow = Slow(t.cast("t.Any", world), "app1", 3.0)
    outcome = make_group(world, **connections).put("app1", state="drained", timeout=1)
    assert "'app1' is draining: AWS keeps it so for about" in outcome.error
    assert re.search(r"and its host has \d connections? open\. It stays out", outcome.error)
    assert outcome["members"]["app1"]["sessions"] >= 1
    assert slow.finish() == 200


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (["sh", "-c", "echo cannot reach {name} >&2; exit 255"], "'sh' ended with 255: cannot reach app1"),
        (["echo", "no idea about {id}"], "'echo' printed no number: no idea about 127.0.0.1"),
    ],
)
def test_connections_that_cannot_be_counted_are_no_reason_to_end(
    start: StartWorld, make_group: MakeGroup, command: list[str], problem: str
) -> None:
    world = start(delay=300)
    group = make_group(world, connections_command=command, connections_quiet=0.0)
    outcome = group.put("app1", state="drained", timeout=0.5)
    assert f"and its connections cannot be counted ({problem})" in outcome.error
    assert outcome["members"]["app1"]["outcome"] == "not_reached"


def test_force_says_that_aws_cannot(start: StartWorld, make_group: MakeGroup) -> None:
    world = start(delay=300)
    outcome = make_group(world).put("app1", state="drained", timeout=0.2, on_timeout="force")
    assert outcome.error == (
        "on_timeout: AWS eu-central-1 cannot end sessions, so 'force' would do nothing there. Nothing was changed; use "
        "'fail', 'continue' or 'restore'."
    )


def test_restore_puts_back_what_it_drained(start: StartWorld, make_group: MakeGroup) -> None:
    world = start(delay=300)
    outcome = make_group(world).put("app1", state="drained", timeout=0.2, on_timeout="restore")
    assert outcome.error.endswith("What this call had changed is restored.")
    assert outcome["members"]["app1"]["outcome"] == "restored"
    wait_until(lambda: world.states()["app1"] == "healthy", "app1 is healthy again")


def test_maintenance_is_distinguished_from_a_drain_later_on(world: World, group: Balancer) -> None:
    assert group.put("app1", state="maintenance", timeout=10).error == ""
    assert group.info()["members"]["app1"]["admin"] == "maintenance"
    changed = group.put("app1", state="drained", timeout=10)
    assert (changed["changed"], group.info()["members"]["app1"]["admin"]) == (True, "drained")
    group.put("app1", state="in_service", timeout=10)
    assert world.tags() == {}


def test_what_has_drained_is_remembered_by_tags(world: World, make_group: MakeGroup) -> None:
    balancer, name = make_group(world, targets=None), world.name("app1")
    balancer.put(name, state="drained", timeout=10)
    (key, value), *others = world.tags().items()
    assert (key, others) == (f"steady.rollout/out/{name.replace(':', '@')}", [])
    assert value.startswith("drained at=20")
    later = make_group(world, targets=None)
    assert later.info()["members"][name]["admin"] == "drained"
    back = later.put(name, state="in_service", timeout=10)
    assert (back.error, world.tags(), world.states()["app1"]) == ("", {}, "healthy")


def test_the_tag_stands_before_the_target_leaves(world: World, make_group: MakeGroup) -> None:
    make_group(world, targets=None).put(world.name("app1"), state="drained", wait=False)
    calls = [one for one in world.aws.calls if one in ("AddTags", "DeregisterTargets")]
    # The first DeregisterTargets asks whether it may.
    assert calls[-2:] == ["AddTags", "DeregisterTargets"]


def test_declared_targets_need_no_tag(world: World, group: Balancer) -> None:
    group.put("app1", state="drained", timeout=10)
    assert world.tags() == {}
    assert group.info()["members"]["app1"]["admin"] == "drained"


def test_no_room_for_tags_is_an_error_before_anything_changes(world: World, make_group: MakeGroup) -> None:
    tags = [{"Key": f"team{number}", "Value": "x"} for number in range(50)]
    world.elb.add_tags(ResourceArns=[world.groups["shop"]], Tags=tags)
    outcome = make_group(world, targets=None).put(world.name("app1"), state="drained")
    assert outcome.error == (
        "AWS eu-central-1: target group 'shop' has no room for the tags that record who is taken out (AWS allows 50). "
        "Name the group's targets in balancer.targets, which needs none; nothing was changed."
    )
    assert (outcome["changed"], world.states()["app1"]) == (False, "healthy")


def test_the_zone_of_a_target_comes_back_with_it(world: World, make_group: MakeGroup) -> None:
    world.make_group("far", ["app1", "app2"], zone="all")
    world.listen(81, "far")
    balancer = make_group(world, pool="far")
    balancer.put("app1", state="drained", timeout=10)
    assert balancer.put("app1", state="in_service", timeout=10).error == ""
    answer = world.elb.describe_target_health(TargetGroupArn=world.groups["far"])
    zones = {one["Target"].get("AvailabilityZone") for one in answer["TargetHealthDescriptions"]}
    assert zones == {"all"}


def test_two_targets_on_one_address_and_two_pools(world: World, make_group: MakeGroup) -> None:
    world.make_group("other", ["app1", "app2"])
    world.listen(81, "other")
    assert make_group(world).put("app1", state="drained", wait=False).error == ""
    assert (
        world.states("other") == {"app1": "healthy", "app2": "healthy"} or "initial" in world.states("other").values()
    )
    assert world.states("shop") == {"app1": "draining", "app2": "healthy", "app3": "healthy"}


def test_an_unknown_member_changes_nothing(world: World, group: Balancer) -> None:
    with world.aws.counting() as counter:
        outcome = group.put("app1", "app9", state="drained")
    assert outcome.error == (
        "AWS eu-central-1: pool 'shop' has no member 'app9'; it has 'app1', 'app2', 'app3'. Give the names exactly as the "
        "load balancer has them."
    )
    assert counter["DeregisterTargets"] == 0
    assert set(world.states().values()) == {"healthy"}


def test_an_unknown_group_names_those_there_are(world: World, make_group: MakeGroup) -> None:
    for number in range(4):
        world.make_group(f"other{number}", [])
    outcome = make_group(world, pool="shpo").put("app1", state="drained")
    assert outcome.error == (
        "AWS eu-central-1: no pool 'shpo'; the target groups are 'other0', 'other1', 'other2', 'other3', 'shop'. Correct "
        "balancer.pool, or balancer.region and the account."
    )


def test_a_group_by_its_arn(world: World, make_group: MakeGroup) -> None:
    assert make_group(world, pool=world.groups["shop"]).info()["members"]["app1"]["operational"] == "up"


def test_check_mode_and_diff(world: World, group: Balancer) -> None:
    outcome = group.put("app1", state="drained", check_mode=True, diff=True)
    assert (outcome.error, outcome["changed"]) == ("", True)
    assert outcome["diff"]["before"]["app1"] == "in_service"
    assert outcome["diff"]["after"]["app1"] == "drained"
    assert set(world.states().values()) == {"healthy"}
    assert world.tags() == {}


def test_a_second_run_under_traffic_changes_nothing(world: World, group: Balancer) -> None:
    with Client(t.cast("t.Any", world)):
        first = group.put("app1", state="drained", timeout=10)
        with world.aws.counting() as counter:
            second = group.put("app1", state="drained", timeout=10)
            again = group.put("app2", state="in_service", timeout=10)
    assert (first["changed"], second["changed"], again["changed"]) == (True, False, False)
    assert set(counter) == {
        "DescribeTargetGroups",
        "DescribeTags",
        "DescribeTargetHealth",
        "DescribeTargetGroupAttributes",
    }


def test_the_last_healthy_target_stays(world: World, group: Balancer) -> None:
    outcome = group.put("app1", "app2", "app3", state="drained")
    assert outcome["refused"] is True
    assert outcome.error.startswith("AWS eu-central-1: refused to take 'app1', 'app2' and 'app3'") or (
        outcome.error.startswith("AWS eu-central-1: refused to take 'app1', 'app2', 'app3' out of pool 'shop'")
    )
    assert set(world.states().values()) == {"healthy"}


def test_what_somebody_else_deregistered_is_left_alone(world: World, group: Balancer) -> None:
    world.elb.deregister_targets(TargetGroupArn=world.groups["shop"], Targets=[world.target("app1")])
    outcome = group.put("app1", state="in_service", expected_states=["in_service"])
    assert (outcome["drained_externally"], outcome["changed"]) == (["app1"], False)


def test_what_somebody_else_drains_is_waited_for_to_its_end(world: World, make_group: MakeGroup) -> None:
    world.elb.deregister_targets(TargetGroupArn=world.groups["shop"], Targets=[world.target("app1")])
    outcome = make_group(world, targets=None).put(world.name("app1"), state="drained", timeout=10)
    assert (outcome.error, outcome["changed"]) == ("", False)


def test_a_failing_target_is_not_in_service(world: World, group: Balancer) -> None:
    group.put("app1", state="drained", timeout=10)
    world.members["app1"].healthy = False
    outcome = group.put("app1", state="in_service", timeout=1.5)
    assert outcome.error == (
        "AWS eu-central-1: pool 'shop' did not reach the requested state within 1.5 s: 'app1' is DOWN, last check: unhealthy "
        "Target.FailedHealthChecks: Health checks failed. Check its service and its health check."
    )


def test_a_target_that_is_still_initial_is_reported(world: World, group: Balancer) -> None:
    group.put("app1", state="drained", timeout=10)
    world.aws.elb.times.initial = 60.0
    outcome = group.put("app1", state="in_service", timeout=0.5)
    assert outcome.error == (
        "AWS eu-central-1: pool 'shop' did not reach the requested state within 0.5 s: 'app1' is initial, last check: initial "
        "Elb.RegistrationInProgress: Target registration is in progress. Check its service and its health check."
    )
    assert outcome["members"]["app1"]["operational"] == "initial"


def test_a_group_in_use_by_nothing_is_unrecoverable_at_once(world: World, make_group: MakeGroup) -> None:
    world.make_group("idle", ["app1", "app2"])
    balancer = make_group(world, pool="idle")
    outcome = balancer.put("app1", state="in_service", timeout=60)
    # After the time limit it would say "within 60 s".
    assert outcome.error == (
        "AWS eu-central-1: pool 'idle' did not reach the requested state: 'app1' is not in use: no load balancer forwards to the group, or "
        "its Availability Zone is not enabled, last check: unused Target.NotInUse: Target group is not configured to "
        "receive traffic from the load balancer. Fix that first; waiting does not help."
    )


def test_unhealthy_draining_is_registered_and_down(world: World, group: Balancer) -> None:
    world.set_attribute("shop", "target_health_state.unhealthy.draining_interval_seconds", "60")
    world.members["app1"].healthy = False
    wait_until(lambda: world.states()["app1"] == "unhealthy.draining", "app1 is unhealthy.draining")
    member = group.info()["members"]["app1"]
    assert (member["admin"], member["operational"], member["in_rotation"]) == ("in_service", "down", False)
    outcome = group.put("app1", state="drained", timeout=10)
    assert (outcome.error, outcome["changed"], world.states().get("app1")) == ("", True, None)


def test_a_zonal_shift_keeps_a_healthy_target_out_of_rotation(
    world: World, group: Balancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("support.aws_elb.Health.administrative_override", {"State": "zonal_shift_active"})
    member = group.info()["members"]["app1"]
    assert (member["operational"], member["in_rotation"]) == ("up", False)
    assert member["check"] == "healthy; a zonal shift keeps traffic away from its zone"


def test_no_healthy_target_is_noted(world: World, group: Balancer) -> None:
    for target in world.aws.elb.registry(world.aws.backend(), world.groups["shop"]).targets.values():
        target.forced = Seen("unhealthy", "Target.Timeout", "Request timed out")
    info = group.info()
    assert info["notes"][1] == "No target is healthy: AWS then sends traffic to all that are registered."
    assert {member["check"] for member in info["members"].values()} == {"unhealthy Target.Timeout: Request timed out"}


def test_a_change_that_shows_late_is_no_refusal(world: World, group: Balancer) -> None:
    world.aws.elb.times.lag = 0.8
    wait_until(lambda: len(world.states()) == 3, "the targets show again")
    outcome = group.put("app1", state="drained", timeout=10)
    assert (outcome.error, outcome["members"]["app1"]["outcome"]) == ("", "reached")
    back = group.put("app1", state="in_service", timeout=10)
    assert (back.error, back["members"]["app1"]["outcome"]) == ("", "reached")


@pytest.mark.parametrize("options", [{"target_type": "instance"}, {"kind": "network"}])
def test_instances_and_a_network_load_balancer(
    start: StartWorld, make_group: MakeGroup, options: dict[str, str]
) -> None:
    world = start(**options)
    group = make_group(world)
    assert group.put("app1", state="drained", timeout=10).error == ""
    assert group.put("app1", state="in_service", timeout=10).error == ""
    assert fetch(world.port, "/?to=app1") == (200, "app1")


def test_weights_are_for_groups(world: World, group: Balancer) -> None:
    outcome = group.split(shares={"app1": 50, "app2": 50})
    assert outcome.error == "AWS eu-central-1: pool 'shop' has no weights."


@pytest.mark.parametrize(
    ("targets", "error"),
    [
        ({"app1": "10.0.0.1:80", "app2": "10.0.0.1:80"}, "balancer.targets: two names have the same target; "),
        ({"app1": "10.0.0.1:http"}, "balancer.targets.app1: '10.0.0.1:http' is not the id, address or ARN of a target"),
    ],
)
def test_targets_that_cannot_be_right(world: World, make_group: MakeGroup, targets: dict[str, str], error: str) -> None:
    assert make_group(world, targets=targets).info().error.startswith(error)
