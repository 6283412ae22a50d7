# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with AWS, its settings and its answers: each a clear sentence, and nothing changed."""

from __future__ import annotations

import contextlib
import importlib
import os
import pathlib
import threading
import time
import typing as t

import pytest
from support.aws_world import World

Balancer = t.Any
MakeGroup = t.Callable[..., Balancer]


def test_credentials_that_may_only_read(world: World, group: Balancer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "READONLY")
    assert group.info().error == ""
    denied = (
        "AWS eu-central-1: elasticloadbalancing:RegisterTargets is denied: User: "
        "arn:aws:iam::123456789012:user/readonly is not authorized to perform: RegisterTargets. Allow it in the IAM policy "
        "of these credentials."
    )
    assert group.info(require_admin=True).error == denied
    outcome = group.put("app1", state="drained")
    assert (outcome.error, outcome["changed"]) == (denied, False)
    assert set(world.states().values()) == {"healthy"}


@pytest.mark.parametrize("action", ["RegisterTargets", "DeregisterTargets", "RemoveTags"])
def test_each_permission_is_asked_for_before_anything_changes(world: World, group: Balancer, action: str) -> None:
    world.aws.deny(action)
    outcome = group.put("app1", state="drained")
    assert f"elasticloadbalancing:{action} is denied" in outcome.error
    assert set(world.states().values()) == {"healthy"}


def test_tags_that_may_not_be_written_stop_a_drain_that_needs_one(world: World, make_group: MakeGroup) -> None:
    world.aws.deny("AddTags")
    outcome = make_group(world, targets=None).put(world.name("app1"), state="drained")
    assert "elasticloadbalancing:AddTags is denied" in outcome.error
    assert (outcome["changed"], set(world.states().values())) == (False, {"healthy"})
    assert make_group(world).put("app1", state="drained", timeout=10).error == ""


def test_permission_for_a_listener_and_for_records(world: World, make_balancer: type[Balancer]) -> None:
    world.aws.deny("ModifyListener", "ChangeResourceRecordSets")
    listener = make_balancer(type="aws_listener", pool="front:80").info(require_admin=True)
    assert "elasticloadbalancing:ModifyListener is denied" in listener.error
    client = world.aws.client("route53")
    zone = client.create_hosted_zone(Name="example.com", CallerReference="x")["HostedZone"]["Id"]
    record = {"Name": "shop.example.com.", "Type": "A", "SetIdentifier": "blue", "Weight": 1, "TTL": 1}
    record["ResourceRecords"] = [{"Value": "192.0.2.1"}]
    world.aws.allow("ChangeResourceRecordSets")
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
    world.aws.deny("ChangeResourceRecordSets")
    records = make_balancer(type="route53", pool="shop.example.com", zone="example.com").info(require_admin=True)
    assert "route53:ChangeResourceRecordSets is denied" in records.error


def test_asking_for_permission_changes_nothing(world: World, group: Balancer) -> None:
    before = world.states(), world.tags()
    assert group.info(require_admin=True).error == ""
    assert (world.states(), world.tags()) == before


def test_expired_credentials(group: Balancer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "EXPIRED")
    assert group.info().error == (
        "AWS eu-central-1: the AWS credentials are not accepted (ExpiredToken: The security token included in the request "
        "is expired). Renew or correct them."
    )


def test_no_credentials(group: Balancer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert group.info().error == (
        "AWS eu-central-1: no AWS credentials (Unable to locate credentials). Set balancer.profile, the AWS_* environment "
        "variables or the instance's role where the module runs."
    )


def test_no_region(group: Balancer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert group.info().error == "AWS: no AWS region is known. Set balancer.region or AWS_REGION."


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_comes_from_the_usual_places(
    world: World, group: Balancer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv(variable, "eu-central-1")
    assert group.info().error == ""


def test_a_region_that_has_no_such_group(world: World, make_group: MakeGroup) -> None:
    assert make_group(world, region="eu-west-1", host="coordinator").info().error == (
        "coordinator AWS eu-west-1: no pool 'shop'; the target groups are none. Correct balancer.pool, or balancer.region "
        "and the account."
    )


def test_a_profile_and_its_region(
    world: World, make_group: MakeGroup, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile shop]\nregion = eu-central-1\naws_access_key_id = TESTER\naws_secret_access_key = testing\n"
        f"endpoint_url = {world.aws.endpoint}\n"
    )
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert make_group(world, profile="shop").info().error == ""
    assert make_group(world, profile="shpo").info().error == (
        "AWS: The config profile (shpo) could not be found. Correct balancer.profile or AWS_PROFILE."
    )


def test_a_role_is_assumed(world: World, make_group: MakeGroup) -> None:
    with world.aws.counting() as counter:
        assert make_group(world, role_arn="arn:aws:iam::123456789012:role/deployer").info().error == ""
    assert counter["AssumeRole"] == 1


def test_the_endpoint_as_an_option(world: World, make_group: MakeGroup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert make_group(world, endpoint_url=world.aws.endpoint).info().error == ""
    assert make_group(world, endpoint_url="nowhere").info().error == "balancer.endpoint_url: Invalid endpoint: nowhere"


def test_an_endpoint_where_nobody_answers(world: World, make_group: MakeGroup) -> None:
    outcome = make_group(world, endpoint_url="http://127.0.0.1:1").put("app1", state="drained")
    assert outcome.error == (
        "AWS eu-central-1: no answer from AWS to elasticloadbalancing:DescribeTargetGroups (Could not connect to the "
        'endpoint URL: "http://127.0.0.1:1/"). Is the endpoint running and reachable, and are balancer.region and '
        "balancer.endpoint_url right?"
    )
    assert outcome["changed"] is False


def test_throttled_requests_are_tried_again(world: World, group: Balancer) -> None:
    for action in ("DescribeTargetHealth", "DeregisterTargets", "DescribeTargetGroups"):
        world.aws.throttle(action, 3)
    assert group.put("app1", state="drained", timeout=15).error == ""


LOOKS_OF_A_WAIT = 4
"""Reads after the change that show that the drain is waited for: it is read back first."""


@contextlib.contextmanager
def silent_once_draining(world: World, seconds: float | None) -> t.Iterator[None]:
    """The API goes away in the middle of a drain, and comes back after so many seconds, or not at all."""

    def fall_silent() -> None:
        while "DeregisterTargets" not in world.aws.calls:
            time.sleep(0.05)
        marked = world.aws.calls.index("DeregisterTargets")
        while world.aws.calls[marked:].count("DescribeTargetHealth") < LOOKS_OF_A_WAIT:
            time.sleep(0.05)
        world.aws.down()
        if seconds is not None:
            time.sleep(seconds)
            world.aws.up()

    thread = threading.Thread(target=fall_silent)
    thread.start()
    yield
    thread.join()


def test_a_wait_survives_a_short_silence(world: World, group: Balancer) -> None:
    world.set_attribute("shop", "deregistration_delay.timeout_seconds", "5")
    with silent_once_draining(world, 2.0):
        outcome = group.put("app1", state="drained", timeout=30)
    assert (outcome.error, outcome["members"]["app1"]["outcome"]) == ("", "reached")


def test_a_long_silence_ends_a_wait(world: World, group: Balancer) -> None:
    world.set_attribute("shop", "deregistration_delay.timeout_seconds", "60")
    with silent_once_draining(world, None):
        outcome = group.put("app1", state="drained", timeout=60)
    assert "no answer from AWS to elasticloadbalancing:" in outcome.error
    assert outcome["restore"]["states"] == {"app1": "in_service"}


def test_wrong_settings_are_refused_before_anybody_is_asked(world: World, make_group: MakeGroup) -> None:
    with world.aws.counting() as counter:
        assert make_group(world, timeout=0).info().error == "balancer.timeout: expected more than 0 s, found 0."
        wrong = make_group(world, connections_command=["true"], connections_quiet=-1)
        assert wrong.info().error == (
            "balancer.connections_quiet: '-1' is not a duration; expected seconds, or for example 30s, 5m or 1h30m."
        )
    assert sum(counter.values()) == 0


def test_without_boto3(group: Balancer, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.import_module

    def missing(name: str, *args: t.Any) -> t.Any:
        if name == "boto3":
            raise ImportError("No module named 'boto3'")
        return found(name, *args)

    monkeypatch.setattr(importlib, "import_module", missing)
    assert group.info().error == (
        "AWS needs the Python package boto3 on the host where the module runs, normally the coordinator (No module named "
        "'boto3'). Install it there for the Python that Ansible uses: pip install boto3."
    )
