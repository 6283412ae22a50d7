# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weighted records, their changes and the marks of those drained."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import route53_records
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.route53_records import Mark
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError


def record(identifier: str, weight: int, kind: str = "A", **more: t.Any) -> dict[str, t.Any]:
    plain = {"Name": "shop.example.com.", "Type": kind, "SetIdentifier": identifier, "Weight": weight, "TTL": 30}
    return {**plain, "ResourceRecords": [{"Value": "192.0.2.1"}], **more}


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("shop.example.com", "shop.example.com."),
        ("Shop.Example.com.", "shop.example.com."),
        ("*.example.com", "\\052.example.com."),
        ("\\052.example.com.", "\\052.example.com."),
        ("_http._tcp.example.com", "_http._tcp.example.com."),
    ],
)
def test_names_are_as_route_53_writes_them(given_name: str, name: str) -> None:
    assert route53_records.canonical(given_name) == name


def test_only_weighted_records_of_the_name_count() -> None:
    plain = {"Name": "shop.example.com.", "Type": "TXT", "TTL": 1}
    others = [plain, {**record("x", 1), "Name": "a.shop.example.com."}, record("blue", 1, "AAAA")]
    found = route53_records.weighted([record("blue", 1), *others], "shop.example.com", None)
    assert [one["Type"] for one in found] == ["A", "AAAA"]
    assert route53_records.weighted([record("blue", 1), *others], "shop.example.com", "A") == [record("blue", 1)]


def test_a_change_takes_what_was_read_and_gives_it_back_with_another_weight() -> None:
    records = [record("blue", 100, HealthCheckId="abc"), record("green", 0), record("red", 7)]
    batch = route53_records.changes(records, {"blue": 95, "green": 5})
    assert batch == [
        {"Action": "DELETE", "ResourceRecordSet": records[0]},
        {"Action": "CREATE", "ResourceRecordSet": {**records[0], "Weight": 95}},
        {"Action": "DELETE", "ResourceRecordSet": records[1]},
        {"Action": "CREATE", "ResourceRecordSet": {**records[1], "Weight": 5}},
    ]
    assert route53_records.changes(records, {"blue": 100, "red": 7}) == []


def test_types_of_one_identifier_must_agree() -> None:
    same = [record("blue", 1), record("blue", 1, "AAAA")]
    assert route53_records.by_identifier(same, "here") == {"blue": same}
    with pytest.raises(RolloutError) as caught:
        route53_records.by_identifier([record("blue", 1), record("blue", 2, "AAAA")], "here")
    assert caught.value.message == (
        "here: 'blue' has different weights by type (A 1, AAAA 2). Make them equal, or name one type with "
        "balancer.record_type."
    )


def test_the_ttl_is_the_longest() -> None:
    alias = {"Name": "x.", "Type": "A", "Weight": 1, "SetIdentifier": "b", "AliasTarget": {}}
    assert route53_records.ttl([record("blue", 1)]) == 30
    assert route53_records.ttl([record("blue", 1), alias]) == 60
    assert route53_records.ttl([]) == 0


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"blue": 256}, "here: 'blue' cannot have the weight 256; Route 53 takes 0 to 255."),
        ({"blue": 0}, "here: 'blue', 'green' would all have the weight 0, which Route 53 reads as equal shares for all; "
                      "leave at least one above 0."),
    ],
)  # fmt: skip
def test_weights_that_do_not_mean_what_they_say(wanted: dict[str, int], error: str) -> None:
    with pytest.raises(InputError) as caught:
        route53_records.check({"blue": 100, "green": 0}, wanted, "here")
    assert caught.value.message == error


@given(st.sampled_from(["drained", "maintenance"]), st.integers(0, 255))
def test_marks_are_read_as_they_were_written(state: str, weight: int) -> None:
    assert route53_records.parse_mark(Mark(state, weight).value) == Mark(state, weight)


@pytest.mark.parametrize("value", ["", "drained", "in_service weight=5", "drained weight=x", "drained weight=1234"])
def test_other_tags_are_no_marks(value: str) -> None:
    assert route53_records.parse_mark(value) is None


@given(st.text(min_size=1, max_size=128))
def test_every_record_has_a_key_that_a_tag_may_have(identifier: str) -> None:
    key = route53_records.tag_key("*.example.com", identifier)
    assert route53_records.TAG_KEY.match(key)
    assert key.startswith("steady.rollout/out/")


def test_keys_are_readable_where_they_can_be() -> None:
    assert route53_records.tag_key("shop.example.com", "blue") == "steady.rollout/out/shop.example.com./blue"
    assert route53_records.tag_key("shop.example.com", "blau und grün") != route53_records.tag_key(
        "shop.example.com", "é"
    )
