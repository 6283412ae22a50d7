# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flagsmith: what its answers say, and what a change looks like."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Conflict, Flag, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.flags.flagsmith import reading
from ansible_collections.steady.rollout.plugins.module_utils.flags.flagsmith.backend import Flagsmith, open_flagsmith
from ansible_collections.steady.rollout.plugins.module_utils.flags.rest import Refused

FEATURE = {
    "id": 7,
    "name": "a",
    "type": "STANDARD",
    "description": "SHOP-1",
    "created_date": "2026-03-01T10:00:00.000000Z",
}
FEATURES = "/api/v1/projects/17/features/"
SEGMENTS = "/api/v1/projects/17/segments/"
HERE = "/api/__future__/environments/key/features/7/"


def here(is_on: bool, *overrides: dict[str, t.Any], **default: t.Any) -> dict[str, t.Any]:
    return {"environment_default": {"enabled": is_on, "value": None, **default}, "segment_overrides": list(overrides)}


def override(is_on: bool) -> dict[str, t.Any]:
    return {"segment": {"id": 3}, "priority": 1, "enabled": is_on, "value": {"type": "string", "value": "x"}}


class Api:
    """Answers by the beginning of a path, and keeps what is sent."""

    where = "flagsmith at flagsmith"

    def __init__(self, features: list[dict[str, t.Any]], found: t.Any, status: int = 0) -> None:
        self.features, self.found, self.status = features, found, status
        self.sent: list[tuple[t.Any, ...]] = []

    def get(self, path: str) -> t.Any:
        if path.startswith(SEGMENTS):
            return {"results": [{"id": 3, "name": "beta"}, {"id": 4, "name": "internal"}], "next": None}
        return {"results": self.features, "next": None} if path.startswith(FEATURES) else self.found

    def ask(self, method: str, path: str, body: t.Any = None, content_type: str = "application/json") -> None:
        self.sent.append((method, path, body))
        if method == "POST":
            self.features = [FEATURE]
        if self.status:
            raise Refused("no", self.status)


def flagsmith(api: Api) -> Flagsmith:
    return Flagsmith(t.cast("t.Any", api), "17", "key")


@pytest.mark.parametrize(
    ("found", "more", "state", "percent", "rules"),
    [
        (here(True), {}, "on", 100, ()),
        (here(False), {}, "off", 0, ()),
        (here(True, override(False)), {}, "on", 100, ("1 override for a segment",)),
        (here(True, override(True), override(False)), {}, "on", 100, ("2 overrides for segments",)),
        (here(False), {"num_identity_overrides": 2}, "off", 0, ("2 overrides for identities",)),
        (here(True, variants=[{}, {}]), {}, "on", 100, ("2 variants",)),
    ],
)
def test_the_default_and_what_overrides_it(
    found: t.Any, more: dict[str, t.Any], state: str, percent: int, rules: tuple[str, ...]
) -> None:
    flag = reading.flag_of("flagsmith", "a", {**FEATURE, **more}, found, {})
    assert (flag.state, flag.percent, flag.rules, flag.kind) == (state, percent, rules, "standard")
    assert (flag.description, flag.created) == ("SHOP-1", 1772359200.0)


def test_an_override_that_was_on_served_the_feature_of_a_flag_that_was_off() -> None:
    found = here(False, override(True))
    assert reading.flag_of("flagsmith", "a", FEATURE, found, {}).state == "on"
    api = Api([FEATURE], found)
    flagsmith(api).apply(Flag("a", exists=True, on=True), Wanted("killed", reason="orders twice"))
    body = {"environment_default": {"enabled": False}, "segment_overrides": [override(False)]}
    assert api.sent == [("PATCH", HERE, body)]


def test_turning_it_on_touches_no_override() -> None:
    api = Api([FEATURE], here(False, override(False)))
    flagsmith(api).apply(Flag("a", exists=True), Wanted("on"))
    assert api.sent == [("PATCH", HERE, {"environment_default": {"enabled": True}})]


@pytest.mark.parametrize(
    "found", [None, [], {}, {"environment_default": {}}, {"environment_default": {"enabled": "no"}}]
)
def test_an_answer_that_does_not_say_is_never_off(found: t.Any) -> None:
    with pytest.raises(RolloutError) as failed:
        reading.flag_of("flagsmith", "a", FEATURE, found, {})
    assert failed.value.message == (
        "flagsmith: the answer does not say whether 'a' is on; is system.url that of Flagsmith?"
    )


def test_a_new_flag_is_made_first() -> None:
    api = Api([], here(False))
    flagsmith(api).apply(Flag("a"), Wanted("on", description="SHOP-1"))
    assert [sent[:2] for sent in api.sent] == [("POST", FEATURES), ("PATCH", HERE)]


def test_only_the_very_name_is_meant() -> None:
    assert flagsmith(Api([{**FEATURE, "name": "ab"}], here(True))).read("a") == Flag("a")
    assert flagsmith(Api([{**FEATURE, "is_archived": True}], here(True))).read("a") == Flag("a")
    assert flagsmith(Api([{**FEATURE, "name": "a"}], here(True))).read("A").on is True


def test_a_change_at_the_same_time_is_a_conflict() -> None:
    with pytest.raises(Conflict) as failed:
        flagsmith(Api([FEATURE], here(False), status=409)).apply(Flag("a", exists=True), Wanted("on"))
    assert failed.value.message == "flagsmith at flagsmith: somebody else has changed 'a' meanwhile."


def test_a_project_is_a_number() -> None:
    with pytest.raises(InputError) as refused:
        open_flagsmith({"project": "default", "token": "abcd", "timeout": 5.0})
    assert refused.value.message == "system.project: 'default' is not the number that Flagsmith has for the project."


def test_an_override_for_a_segment_is_that_segment_or_keeps_it_out() -> None:
    read = flagsmith(Api([FEATURE], here(False, override(True)))).read("a")
    assert (read.state, read.percent, read.segments, read.excluded) == ("on", 0, ("beta",), ())
    read = flagsmith(Api([FEATURE], here(True, override(False)))).read("a")
    assert (read.percent, read.segments, read.excluded, read.rules) == (100, (), ("beta",), ())


@pytest.mark.parametrize(
    ("percent", "segments", "default", "overrides"),
    [
        (0, ("internal",), False, [override(False), {"segment": {"id": 4}, "enabled": True}]),
        (0, ("beta", "internal"), False, [override(True), {"segment": {"id": 4}, "enabled": True}]),
        (100, (), True, [override(True)]),
    ],
)
def test_segments_that_are_wanted_are_on_and_keep_nobody_out(
    percent: int, segments: tuple[str, ...], default: bool, overrides: list[t.Any]
) -> None:
    api = Api([FEATURE], here(False, override(False)))
    flagsmith(api).apply(Flag("a", exists=True), Wanted("on", percent, segments))
    assert api.sent == [("PATCH", HERE, {"environment_default": {"enabled": default}, "segment_overrides": overrides})]
