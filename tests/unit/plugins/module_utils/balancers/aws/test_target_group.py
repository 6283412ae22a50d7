# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A target group over an AWS that is a dictionary: what is asked of it, in which order, and what is waited for."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.target_group import TargetGroup
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import DRAINED, IN_SERVICE, MAINTENANCE

ZONE = "eu-central-1a"
CHANGES = ("add_tags", "deregister_targets", "register_targets", "remove_tags")


class Clock:
    """Time passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class FakeApi:
    """*late* is how often AWS still shows what was before a change."""

    where = "aws eu-central-1"

    def __init__(self, late: int = 0) -> None:
        target = {"Id": "10.0.0.1", "Port": 80, "AvailabilityZone": ZONE}
        self.targets: dict[str, dict[str, t.Any]] = {"10.0.0.1": target}
        self.tags: dict[str, str] = {}
        self.asked: list[tuple[str, t.Any]] = []
        self._late = late
        self._shown = dict(self.targets)
        self._pending = 0

    def pages(self, action: str, key: str, **options: t.Any) -> list[dict[str, t.Any]]:
        return [{"TargetGroupArn": "arn:1", "TargetGroupName": "shop", "Port": 80, "TargetType": "ip"}]

    def call(self, action: str, **options: t.Any) -> dict[str, t.Any]:
        if action in CHANGES:
            self.asked.append((action, options.get("Targets") or options.get("TagKeys") or options.get("Tags")))
        return t.cast("dict[str, t.Any]", getattr(self, action)(**options) or {})

    def describe_target_group_attributes(self, **options: t.Any) -> dict[str, t.Any]:
        return {"Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]}

    def describe_target_health(self, **options: t.Any) -> dict[str, t.Any]:
        if self._pending:
            self._pending -= 1
        else:
            self._shown = dict(self.targets)
        found = [{"Target": one, "TargetHealth": {"State": "healthy"}} for one in self._shown.values()]
        return {"TargetHealthDescriptions": found}

    def describe_tags(self, **options: t.Any) -> dict[str, t.Any]:
        return {"TagDescriptions": [{"Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()]}]}

    def add_tags(self, ResourceArns: list[str], Tags: list[dict[str, str]]) -> None:
        self.tags.update({tag["Key"]: tag["Value"] for tag in Tags})

    def remove_tags(self, ResourceArns: list[str], TagKeys: list[str]) -> None:
        for key in TagKeys:
            del self.tags[key]

    def deregister_targets(self, TargetGroupArn: str, Targets: list[dict[str, t.Any]]) -> None:
        for one in Targets:
            del self.targets[one["Id"]]
        self._pending = self._late

    def register_targets(self, TargetGroupArn: str, Targets: list[dict[str, t.Any]]) -> None:
        self.targets.update({one["Id"]: one for one in Targets})
        self._pending = self._late


def group(api: FakeApi, clock: Clock) -> TargetGroup:
    return TargetGroup("shop", t.cast("t.Any", api), {"app1": "10.0.0.1"}, None, t.cast("t.Any", clock), lambda: 0.0)


def test_what_is_taken_out_is_on_record_before() -> None:
    api = FakeApi()
    group(api, Clock()).set_admin({"app1": MAINTENANCE})
    assert [action for action, dummy in api.asked] == ["add_tags", "deregister_targets"]
    assert api.tags == {"steady.rollout/out/10.0.0.1@80": f"maintenance at=1970-01-01T00:00:00Z zone={ZONE}"}


@pytest.mark.parametrize("state", [DRAINED, MAINTENANCE])
def test_a_target_returns_to_the_zone_that_it_had_and_its_record_goes(state: str) -> None:
    api = FakeApi()
    group(api, Clock()).set_admin({"app1": state})
    group(api, Clock()).set_admin({"app1": IN_SERVICE})
    assert api.asked[-2] == ("register_targets", [{"Id": "10.0.0.1", "Port": 80, "AvailabilityZone": ZONE}])
    assert api.asked[-1] == ("remove_tags", ["steady.rollout/out/10.0.0.1@80"])
    assert api.tags == {}


def test_what_aws_shows_late_was_taken_for_a_refusal() -> None:
    api, clock = FakeApi(late=2), Clock()
    taken_out = group(api, clock)
    taken_out.set_admin({"app1": DRAINED})
    assert clock.slept == [0.25, 0.25]
    assert taken_out.snapshot().members["app1"].own == DRAINED


def test_a_target_that_does_not_return_keeps_its_record() -> None:
    api, clock = FakeApi(), Clock()
    group(api, clock).set_admin({"app1": DRAINED})
    api._late = 10_000
    group(api, clock).set_admin({"app1": IN_SERVICE})
    assert sum(clock.slept) == 15.0
    assert list(api.tags) == ["steady.rollout/out/10.0.0.1@80"]
