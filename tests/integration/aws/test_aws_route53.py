# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weighted records of Route 53, on the fake of support.aws."""

from __future__ import annotations

import typing as t

import pytest
from support.aws_world import World

Balancer = t.Any

NAME = "shop.example.com."


class Records:
    """Zone example.com with A records blue (weight 100) and green (weight 0) of shop.example.com, TTL 1."""

    def __init__(self, world: World) -> None:
        self.aws = world.aws
        self.client = world.aws.client("route53")
        self.zone = self.make_zone("example.com")
        self.create(self.record("blue", 100), self.record("green", 0))

    def make_zone(self, name: str, reference: str = "one") -> str:
        made = self.client.create_hosted_zone(Name=name, CallerReference=f"{name}{reference}")
        return str(made["HostedZone"]["Id"]).rsplit("/", 1)[-1]

    def record(self, identifier: str, weight: int, kind: str = "A", **more: t.Any) -> dict[str, t.Any]:
        value = {"A": "192.0.2.1", "AAAA": "2001:db8::1"}[kind]
        plain = {
            "Name": NAME, "Type": kind, "SetIdentifier": identifier, "Weight": weight, "TTL": 1,
            "ResourceRecords": [{"Value": value}, {"Value": value + "9"}],
        }  # fmt: skip
        return {**plain, **more}

    def create(self, *records: dict[str, t.Any]) -> None:
        changes = [{"Action": "CREATE", "ResourceRecordSet": record} for record in records]
        self.client.change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch={"Changes": changes})

    def found(self, name: str = NAME) -> list[dict[str, t.Any]]:
        answer = self.client.list_resource_record_sets(HostedZoneId=self.zone, StartRecordName=name)
        return [record for record in answer["ResourceRecordSets"] if record["Name"] == name]

    def weights(self, kind: str = "A") -> dict[str, int]:
        return {record["SetIdentifier"]: record["Weight"] for record in self.found() if record["Type"] == kind}

    def tags(self) -> dict[str, str]:
        answer = self.client.list_tags_for_resource(ResourceType="hostedzone", ResourceId=self.zone)
        return {tag["Key"]: tag["Value"] for tag in answer["ResourceTagSet"]["Tags"]}


@pytest.fixture
def records(world: World) -> Records:
    return Records(world)


@pytest.fixture
def shop(records: Records, make_balancer: type[Balancer]) -> Balancer:
    return make_balancer(type="route53", pool="shop.example.com", zone="example.com")


def test_blue_and_green_in_one_batch_and_all_else_as_it_was(records: Records, shop: Balancer) -> None:
    before, batches = records.found(), len(records.aws.route53.batches)
    outcome = shop.split(shares={"blue": 95, "green": "5"})
    assert (outcome.error, outcome["changed"], outcome["at_once"]) == ("", True, True)
    assert outcome["achieved"] == {"blue": 95.0, "green": 5.0}
    assert records.weights() == {"blue": 95, "green": 5}
    assert len(records.aws.route53.batches) == batches + 1
    for record in before:
        record["Weight"] = records.weights()[record["SetIdentifier"]]
    assert records.found() == before


def test_a_second_run_changes_nothing(records: Records, shop: Balancer) -> None:
    shop.split(shares={"blue": 95, "green": 5})
    with records.aws.counting() as counter:
        again = shop.split(shares={"green": 5, "blue": 95})
    assert (again.error, again["changed"], counter["ChangeResourceRecordSets"]) == ("", False, 0)


def test_check_mode_and_diff(records: Records, shop: Balancer) -> None:
    outcome = shop.split(shares={"blue": 0, "green": 100}, check_mode=True, diff=True)
    assert (outcome["changed"], outcome["diff"]["after"]) == (True, {"blue": 0, "green": 100})
    assert records.weights() == {"blue": 100, "green": 0}


def test_several_types_change_together(records: Records, shop: Balancer) -> None:
    records.create(records.record("blue", 100, "AAAA"), records.record("green", 0, "AAAA"))
    assert shop.split(shares={"blue": 40, "green": 60}).error == ""
    assert records.weights("A") == records.weights("AAAA")
    assert len(records.aws.route53.batches[-1]) == 8


def test_types_that_are_weighed_differently_must_be_distinguished(
    records: Records, shop: Balancer, make_balancer: type[Balancer]
) -> None:
    records.create(records.record("blue", 7, "AAAA"), records.record("green", 3, "AAAA"))
    assert shop.split(shares={"blue": 50, "green": 50}).error == (
        "AWS eu-central-1 shop.example.com: 'blue' has different weights by type (A 100, AAAA 7). Make them equal, or name "
        "one type with balancer.record_type."
    )
    one = make_balancer(type="route53", pool="shop.example.com", zone=records.zone, record_type="aaaa")
    assert one.split(shares={"blue": 100, "green": 0}).error == ""
    assert (records.weights("A"), records.weights("AAAA")["green"]) == ({"blue": 100, "green": 0}, 0)


def test_alias_records_keep_their_target(records: Records, make_balancer: type[Balancer]) -> None:
    def alias(identifier: str, weight: int) -> dict[str, t.Any]:
        target = {
            "HostedZoneId": "Z215JYRZR1TBD5",
            "DNSName": f"{identifier}.elb.amazonaws.com.",
            "EvaluateTargetHealth": True,
        }
        return {
            "Name": "www.example.com.",
            "Type": "A",
            "SetIdentifier": identifier,
            "Weight": weight,
            "AliasTarget": target,
        }

    records.create(alias("blue", 100), alias("green", 0))
    www = make_balancer(type="route53", pool="www.example.com", zone="example.com")
    assert www.split(shares={"blue": 0, "green": 100}).error == ""
    targets = {one["SetIdentifier"]: one["AliasTarget"]["DNSName"] for one in records.found("www.example.com.")}
    assert targets == {"blue": "blue.elb.amazonaws.com.", "green": "green.elb.amazonaws.com."}
    assert www.info()["members"]["green"]["check"] == "follows the health of its alias target"


def test_a_drain_waits_for_insync_and_the_ttl(records: Records, shop: Balancer) -> None:
    shop.split(shares={"blue": 50, "green": 50})
    weight = records.weights()["blue"]
    records.aws.route53.in_sync = 0.5
    outcome = shop.put("blue", state="drained", timeout=15)
    assert (outcome.error, outcome["members"]["blue"]["outcome"]) == ("", "reached")
    assert outcome["waited"] >= 1.5
    assert (records.weights()["blue"], records.tags()) == (
        0, {"steady.rollout/out/shop.example.com./blue": f"drained weight={weight}"},
    )  # fmt: skip
    assert outcome["members"]["blue"]["weight"] == weight


def test_a_drain_that_takes_too_long_reports_what_is_waited_for(records: Records, shop: Balancer) -> None:
    shop.split(shares={"blue": 50, "green": 50})
    records.aws.route53.in_sync = 60.0
    outcome = shop.put("blue", state="drained", timeout=0.3)
    assert outcome.error == (
        "AWS eu-central-1: pool 'shop.example.com' did not reach the requested state within 0.3 s: 'blue' has a change that not all name "
        "servers have yet. It stays out of rotation: wait longer (timeout)."
    )


def test_new_weights_are_waited_for_until_clients_have_them(records: Records, shop: Balancer) -> None:
    records.aws.route53.in_sync = 0.5
    outcome = shop.split(shares={"blue": 50, "green": 50}, wait=True)
    assert outcome.error == ""
    assert outcome["waited"] >= 1.5
    again = shop.split(shares={"blue": 50, "green": 50}, wait=True)
    assert (again["changed"], again["waited"]) == (False, 0.0)


def test_weights_that_take_too_long_are_set_all_the_same(records: Records, shop: Balancer) -> None:
    records.aws.route53.in_sync = 60.0
    outcome = shop.split(shares={"blue": 50, "green": 50}, wait=True, timeout=1)
    assert "has the weights, but after 1 s 'green' has a change that not all name servers have yet" in outcome.error
    assert outcome.error.endswith("Wait longer (timeout), or do not count on the split yet.")
    assert (outcome["changed"], outcome["achieved"]) == (True, {"blue": 50.0, "green": 50.0})
    assert records.weights()["blue"] == records.weights()["green"]


def test_another_call_puts_it_back_with_its_weight(records: Records, shop: Balancer) -> None:
    shop.split(shares={"blue": 75, "green": 25})
    before = records.weights()
    drained = shop.put("blue", state="maintenance", wait=False)
    assert shop.info()["members"]["blue"]["admin"] == "maintenance"
    back = shop.put_states(drained["restore"]["states"])
    assert (back.error, records.weights(), records.tags()) == ("", before, {})


def test_a_drained_record_keeps_its_share_for_later(records: Records, shop: Balancer) -> None:
    """lb_weight gives members that are out the weight that they are to have when they come back."""
    records.create(records.record("red", 10))
    shop.split(shares={"all": 100}, groups={"all": ["blue", "green", "red"]})
    shop.put("red", state="drained", wait=False)
    outcome = shop.split(shares={"a": 100, "b": 0}, groups={"a": ["blue", "red"], "b": ["green"]})
    assert outcome.error == ""
    assert records.weights()["red"] == 0
    shop.put("red", state="in_service")
    assert records.weights()["red"] == records.weights()["blue"]


def test_a_record_that_is_weighed_0_is_not_drained(records: Records, shop: Balancer) -> None:
    member = shop.info()["members"]["green"]
    assert (member["admin"], member["weight"], member["in_rotation"]) == ("in_service", 0, False)


def test_all_zero_would_be_equal_shares_for_all(records: Records, shop: Balancer) -> None:
    outcome = shop.put("blue", state="drained", guard={"allow_outage": True})
    assert outcome.error == (
        "AWS eu-central-1 shop.example.com: 'blue', 'green' would all have the weight 0, which Route 53 reads as equal "
        "shares for all; leave at least one above 0."
    )
    assert (records.weights(), records.tags()) == ({"blue": 100, "green": 0}, {})


def test_health_checks_are_looked_at(records: Records, make_balancer: type[Balancer]) -> None:
    config = {"Type": "HTTP", "IPAddress": "192.0.2.1", "Port": 80, "ResourcePath": "/health"}
    made = records.client.create_health_check(CallerReference="x", HealthCheckConfig=config)
    check = made["HealthCheck"]["Id"]
    for number in range(2):
        records.create({**records.record(f"s{number}", number, HealthCheckId=check), "Name": "api.example.com."})
    api = make_balancer(type="route53", pool="api.example.com", zone="example.com")
    assert api.info()["members"]["s1"]["check"] == f"8 of 8 checkers of {check} succeed"
    records.aws.route53.unhealthy.add(check)
    assert api.info()["members"]["s1"]["operational"] == "down"
    refused = api.split(shares={"s0": 50, "s1": 50})
    assert refused["refused"] is True


def test_a_record_changed_in_between_is_read_again(
    records: Records, shop: Balancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody moves blue to another address between the look and the change: that must not be undone."""
    from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import route53_records

    moved = records.record("blue", 100, ResourceRecords=[{"Value": "192.0.2.77"}])
    changes = route53_records.changes

    def meanwhile(*args: t.Any) -> t.Any:
        monkeypatch.setattr(route53_records, "changes", changes)
        batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": moved}]}
        found = changes(*args)
        records.client.change_resource_record_sets(HostedZoneId=records.zone, ChangeBatch=batch)
        return found

    monkeypatch.setattr(route53_records, "changes", meanwhile)
    assert shop.split(shares={"blue": 95, "green": 5}).error == ""
    assert records.weights() == {"blue": 95, "green": 5}
    (blue,) = [one for one in records.found() if one["SetIdentifier"] == "blue"]
    assert blue["ResourceRecords"] == [{"Value": "192.0.2.77"}]


def test_a_busy_zone_is_asked_again(records: Records, shop: Balancer) -> None:
    records.aws.throttle("ChangeResourceRecordSets", 3)
    assert shop.split(shares={"blue": 95, "green": 5}).error == ""


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"zone": "example.org"}, "AWS eu-central-1: balancer.zone: this account has no hosted zone 'example.org'. Give "
                                  "its name or id."),
        ({"pool": "shpo.example.com"}, "AWS eu-central-1 shpo.example.com: no weighted records in zone 'example.com'. "
                                       "Correct balancer.pool, or give the records a SetIdentifier and a Weight first."),
        ({"record_type": "txt"}, "AWS eu-central-1 shop.example.com: no weighted records of type TXT in zone "
                                 "'example.com'. Correct balancer.pool, or give the records a SetIdentifier and a Weight first."),
    ],
)  # fmt: skip
def test_records_that_are_not_there(
    records: Records, make_balancer: type[Balancer], settings: dict[str, str], error: str
) -> None:
    given = {"type": "route53", "pool": "shop.example.com", "zone": "example.com", **settings}
    assert make_balancer(**given).info().error == error


def test_two_zones_of_one_name_need_the_id(records: Records, shop: Balancer) -> None:
    records.make_zone("example.com", "two")
    assert "several hosted zones are called 'example.com'" in shop.info().error


def test_a_zone_with_many_records(records: Records, shop: Balancer) -> None:
    for start in range(0, 400, 100):
        changes = [
            {"Action": "CREATE", "ResourceRecordSet": {
                "Name": f"{letter}{number}.example.com.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.3"}],
            }}
            for number in range(start, start + 100) for letter in "az"
        ]  # fmt: skip
        records.client.change_resource_record_sets(HostedZoneId=records.zone, ChangeBatch={"Changes": changes})
    with records.aws.counting() as counter:
        assert set(shop.info()["members"]) == {"blue", "green"}
    assert counter["ListResourceRecordSets"] == 1


def test_an_unknown_record(records: Records, shop: Balancer) -> None:
    outcome = shop.put("gren", state="drained")
    assert outcome.error == (
        "AWS eu-central-1: pool 'shop.example.com' has no member 'gren'; it has 'blue', 'green'. Give the names exactly as "
        "the load balancer has them."
    )
    assert records.weights() == {"blue": 100, "green": 0}
