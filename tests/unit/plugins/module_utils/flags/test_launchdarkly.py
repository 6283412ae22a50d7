# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LaunchDarkly: what its answers say, and which instructions make a flag what is wanted."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Conflict, Flag, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.flags.launchdarkly import reading
from ansible_collections.steady.rollout.plugins.module_utils.flags.launchdarkly.backend import SEMANTIC, LaunchDarkly
from ansible_collections.steady.rollout.plugins.module_utils.flags.rest import Refused

TRUE_FIRST = [{"_id": "t", "value": True}, {"_id": "f", "value": False}]
PATH = "/api/v2/flags/shop/a"


def share(weight: t.Any, **rollout: t.Any) -> dict[str, t.Any]:
    return {"rollout": {"variations": [{"variation": 0, "weight": weight}, {"variation": 1, "weight": 0}], **rollout}}


def flag(fallthrough: t.Any = None, **here: t.Any) -> dict[str, t.Any]:
    given = {"on": True, "offVariation": 1, "fallthrough": fallthrough or {"variation": 0}, **here}
    return {"key": "a", "variations": TRUE_FIRST, "temporary": True, "environments": {"production": given}}


class Api:
    """Answers with the flag, and keeps what is sent."""

    where = "launchdarkly at ld"

    def __init__(self, found: t.Any, status: int = 0) -> None:
        self.found, self.status = found, status
        self.sent: list[tuple[t.Any, ...]] = []

    def get(self, path: str) -> t.Any:
        if self.found is None and "limit=" not in path:
            raise Refused("not there", 404)
        return self.found

    def ask(self, method: str, path: str, body: t.Any = None, content_type: str = "application/json") -> None:
        self.sent.append((method, path, body, content_type))
        if method == "POST":
            self.found = flag(on=False)
        if self.status:
            raise Refused("changed meanwhile", self.status)


def launchdarkly(api: Api) -> LaunchDarkly:
    return LaunchDarkly(t.cast("t.Any", api), "shop", "production")


@pytest.mark.parametrize(
    ("found", "percent", "rules"),
    [
        (flag(), 100, ()),
        (flag({"variation": 1}), 0, ()),
        (flag(share(10_000)), 10, ()),
        (flag(targets=[{}], rules=[{}, {}]), 100, ("1 target", "2 rules")),
        (flag(prerequisites=[{"key": "b"}], contextTargets=[{}]), 100, ("1 target", "1 prerequisite")),
        (flag(share(10_000, bucketBy="country")), 10, ("a share by country",)),
        (flag(share(10_000, kind="experiment")), 10, ("an experiment",)),
        (flag(on=False, offVariation=0), 100, ("its variation for off is true",)),
    ],
)
def test_the_default_rule_and_what_is_beside_it(found: t.Any, percent: int, rules: tuple[str, ...]) -> None:
    read = reading.flag_of("ld", "a", found, "production")
    assert (read.percent, read.rules, read.kind) == (percent, rules, "release")


@pytest.mark.parametrize(
    ("weight", "shown"),
    [(10_500, "10.5"), (150_000, "150"), (-1000, "-1"), (None, "None"), (True, "0.001"), ("1", "1")],
)
def test_a_share_that_is_no_whole_number_is_an_error(weight: t.Any, shown: str) -> None:
    with pytest.raises(RolloutError) as failed:
        reading.flag_of("ld", "a", flag(share(weight)), "production")
    assert failed.value.message == (
        f"ld: the share of 'a' is '{shown}', not a whole number from 0 to 100. Nothing was changed; correct it in LaunchDarkly."
    )


@pytest.mark.parametrize(
    "variations", [None, TRUE_FIRST[:1], [{"_id": "1", "value": "red"}, {"_id": "2", "value": "blue"}]]
)
def test_a_flag_of_something_else_than_true_and_false_is_refused(variations: t.Any) -> None:
    with pytest.raises(RolloutError) as failed:
        reading.flag_of("ld", "a", {**flag(), "variations": variations}, "production")
    assert failed.value.message == (
        "ld: 'a' does not decide between true and false, so it cannot be turned on or off. Nothing was changed; use a flag with "
        "the variations true and false."
    )


def rule(*clauses: t.Any, **given: t.Any) -> dict[str, t.Any]:
    return {"_id": "r1", "variation": 0, "clauses": list(clauses), **given}


BETA = reading.clause_of("beta")


@pytest.mark.parametrize(
    ("given", "segments", "rules"),
    [
        (rule(BETA), ("beta",), ()),
        (rule(BETA, variation=1), (), ("1 rule",)),
        (rule(BETA, BETA), (), ("1 rule",)),
        (rule({**BETA, "negate": True}), (), ("1 rule",)),
        (rule({**BETA, "op": "endsWith"}), (), ("1 rule",)),
        (rule({**BETA, "values": ["beta", "internal"]}), (), ("1 rule",)),
        (rule(BETA, rollout={"variations": []}), (), ("1 rule",)),
    ],
)
def test_a_rule_for_all_users_of_a_segment_is_that_segment(
    given: t.Any, segments: tuple[str, ...], rules: tuple[str, ...]
) -> None:
    read = reading.flag_of("ld", "a", flag({"variation": 1}, rules=[given]), "production")
    assert (read.percent, read.segments, read.rules) == (0, segments, rules)


def test_segments_change_in_the_same_patch_as_the_share() -> None:
    api = Api(flag(rules=[rule(BETA)]))
    launchdarkly(api).apply(Flag("a", exists=True), Wanted("on", 0, ("internal",)))
    kinds = [one["kind"] for one in api.sent[0][2]["instructions"]]
    assert kinds == ["updateFallthroughVariationOrRollout", "removeRule", "addRule", "turnFlagOn"]
    assert api.sent[0][2]["instructions"][1:3] == [
        {"kind": "removeRule", "ruleId": "r1"},
        {"kind": "addRule", "variationId": "t", "clauses": [reading.clause_of("internal")]},
    ]


def test_an_environment_that_is_not_there_is_never_off() -> None:
    with pytest.raises(RolloutError) as failed:
        reading.flag_of("ld", "a", flag(), "staging")
    assert failed.value.message == (
        "ld: 'a' has no environment 'staging'. Nothing was changed; correct system.environment."
    )


def test_the_share_and_on_are_one_patch() -> None:
    api = Api(flag(on=False))
    launchdarkly(api).apply(Flag("a", exists=True), Wanted("on", 10))
    share_first = {"kind": "updateFallthroughVariationOrRollout", "rolloutWeights": {"t": 10_000, "f": 90_000}}
    body = {
        "comment": "steady.rollout feature_flag",
        "environmentKey": "production",
        "instructions": [share_first, {"kind": "turnFlagOn"}],
    }
    assert api.sent == [("PATCH", PATH, body, SEMANTIC)]


def test_off_served_the_feature_where_the_variation_for_off_was_true() -> None:
    api = Api(flag(offVariation=0))
    launchdarkly(api).apply(Flag("a", exists=True, on=True), Wanted("killed", reason="orders twice"))
    body = api.sent[0][2]
    assert body["comment"] == "orders twice"
    assert body["instructions"] == [{"kind": "updateOffVariation", "variationId": "f"}, {"kind": "turnFlagOff"}]


def test_a_new_flag_is_made_first() -> None:
    api = Api(None)
    launchdarkly(api).apply(Flag("a"), Wanted("off", kind="experiment", description="SHOP-1"))
    assert [sent[:2] for sent in api.sent] == [("POST", "/api/v2/flags/shop"), ("PATCH", PATH)]
    assert (api.sent[0][2]["temporary"], api.sent[0][2]["tags"]) == (True, ["experiment"])


def test_a_change_at_the_same_time_is_a_conflict() -> None:
    with pytest.raises(Conflict) as failed:
        launchdarkly(Api(flag(), status=409)).apply(Flag("a", exists=True), Wanted("on"))
    assert failed.value.message == "launchdarkly at ld: somebody else has changed 'a' meanwhile."


def test_an_archived_flag_is_absent() -> None:
    assert launchdarkly(Api({**flag(), "archived": True})).read("a") == Flag("a")
