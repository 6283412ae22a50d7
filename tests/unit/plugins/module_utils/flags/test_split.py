# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Split: what its definitions say, and which patches make a flag what is wanted."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Conflict, Flag, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.flags.rest import Refused
from ansible_collections.steady.rollout.plugins.module_utils.flags.split import reading
from ansible_collections.steady.rollout.plugins.module_utils.flags.split.backend import Split

HERE = "/internal/api/v2/splits/ws/w1/a/environments/production"
PLACE = "/internal/api/v2/splits/ws/w1/a"


def definition(*rule: tuple[str, t.Any], **given: t.Any) -> dict[str, t.Any]:
    sizes = [{"treatment": treatment, "size": size} for treatment, size in rule or [("on", 100)]]
    return {**reading.new_definition(0), "killed": False, "defaultRule": sizes, **given}


class Api:
    """Answers by path, and keeps what is sent; what is not there is refused with 404."""

    where = "split at split"

    def __init__(self, status: int = 0, **answers: t.Any) -> None:
        self.answers, self.status = answers["by"], status
        self.sent: list[tuple[t.Any, ...]] = []

    def get(self, path: str) -> t.Any:
        if path not in self.answers:
            raise Refused("not there", 404)
        return self.answers[path]

    def ask(self, method: str, path: str, body: t.Any = None, content_type: str = "application/json") -> None:
        self.sent.append((method, path, body))
        if method == "POST":
            self.answers[PLACE] = {}
        if self.status:
            raise Refused("no", self.status)


def split(api: Api) -> Split:
    return Split(t.cast("t.Any", api), "w1", "production", "user")


@pytest.mark.parametrize(
    ("found", "percent", "rules"),
    [
        (definition(), 100, ()),
        (definition(("off", 100)), 0, ()),
        (definition(("on", 10), ("off", 90)), 10, ()),
        (definition(rules=[{}]), 100, ("1 rule",)),
        (definition(trafficAllocation=50), 100, ("a traffic allocation of 50 %",)),
        (
            definition(treatments=[{"name": "on", "keys": ["ana"], "segments": ["beta"]}, {"name": "off"}]),
            100,
            ("1 of the keys always on",),
        ),
        (
            definition(treatments=[{"name": "on"}, {"name": "off", "segments": ["beta", "staff"]}]),
            100,
            ("2 of the segments always off",),
        ),
        (
            definition(killed=True, defaultTreatment="on"),
            100,
            ("its default treatment, which it serves when it is killed, is on",),
        ),
    ],
)
def test_the_default_rule_and_what_is_beside_it(found: t.Any, percent: int, rules: tuple[str, ...]) -> None:
    read = reading.flag_of("split", "a", found, None)
    assert (read.percent, read.rules, read.on) == (percent, rules, not found["killed"])


@pytest.mark.parametrize(
    "rule",
    [
        [("on", 10)],
        [("on", 10.5), ("off", 89.5)],
        [("on", "10"), ("off", "90")],
        [("on", 110), ("off", -10)],
        [("red", 100)],
    ],
)
def test_a_default_rule_that_is_no_share_is_an_error(rule: list[tuple[str, t.Any]]) -> None:
    with pytest.raises(RolloutError) as failed:
        reading.flag_of("split", "a", definition(*rule), None)
    assert failed.value.message == (
        f"split: the default rule of 'a' is '{dict(rule)}', no share of on and off that adds up to 100. Nothing was changed; "
        "correct it in Split."
    )


def test_other_treatments_are_refused() -> None:
    with pytest.raises(RolloutError) as failed:
        reading.flag_of("split", "a", definition(treatments=[{"name": "red"}, {"name": "blue"}]), None)
    assert failed.value.message == (
        "split: 'a' has the treatments blue, red, not on and off, so it cannot be turned on or off. Nothing was changed; use a flag "
        "with these two."
    )


def test_an_answer_that_is_no_definition_is_never_off() -> None:
    with pytest.raises(RolloutError) as failed:
        reading.flag_of("split", "a", {"name": "a"}, None)
    assert failed.value.message == (
        "split: the answer about 'a' is not the definition of a flag; is system.url that of Split?"
    )


def test_a_flag_without_a_definition_in_the_environment_is_off() -> None:
    assert split(Api(by={PLACE: {"name": "a"}})).read("a") == Flag("a", exists=True)


def test_a_missing_flag_and_a_missing_workspace_are_distinguished() -> None:
    assert split(Api(by={"/internal/api/v2/splits/ws/w1?limit=1&offset=0": {}})).read("a") == Flag("a")
    with pytest.raises(Refused):
        split(Api(by={})).read("a")


def test_a_killed_flag_served_the_feature_where_its_default_was_on() -> None:
    api = Api(by={HERE: definition(defaultTreatment="on")})
    split(api).apply(Flag("a", exists=True, on=True), Wanted("killed", reason="orders twice"))
    patch = [
        {"op": "replace", "path": "/defaultTreatment", "value": "off"},
        {"op": "replace", "path": "/killed", "value": True},
    ]
    assert api.sent == [("PATCH", HERE, patch)]


def test_the_share_and_on_are_one_patch() -> None:
    api = Api(by={HERE: definition()})
    split(api).apply(Flag("a", exists=True), Wanted("on", 10))
    assert [one["path"] for one in api.sent[0][2]] == ["/defaultRule", "/defaultTreatment", "/killed"]
    assert api.sent[0][2][0]["value"] == [{"treatment": "on", "size": 10}, {"treatment": "off", "size": 90}]


def test_a_new_flag_gets_a_definition() -> None:
    api = Api(by={})
    split(api).apply(Flag("a"), Wanted("on", 10, description="SHOP-1"))
    assert [sent[:2] for sent in api.sent] == [
        ("POST", "/internal/api/v2/splits/ws/w1/trafficTypes/user"),
        ("POST", HERE),
        ("PATCH", HERE),
    ]


def test_a_change_at_the_same_time_is_a_conflict() -> None:
    with pytest.raises(Conflict) as failed:
        split(Api(by={HERE: definition()}, status=409)).apply(Flag("a", exists=True), Wanted("on"))
    assert failed.value.message == "split at split: somebody else has changed 'a' meanwhile."


def test_segments_are_those_that_always_get_on() -> None:
    treatments = [{"name": "on", "keys": ["ana"], "segments": ["internal", "beta"]}, {"name": "off"}]
    found = definition(("off", 100), treatments=treatments)
    assert reading.flag_of("split", "a", found, None).segments == ("beta", "internal")
    api = Api(by={HERE: found, PLACE: {}})
    split(api).apply(Flag("a", exists=True), Wanted("on", 0, ("staff",)))
    patches = {one["path"]: one["value"] for one in api.sent[0][2]}
    assert patches["/treatments"] == [{"name": "on", "keys": ["ana"], "segments": ["staff"]}, {"name": "off"}]
    split(api).apply(Flag("a", exists=True), Wanted("off"))
    assert "/treatments" not in {one["path"] for one in api.sent[1][2]}
