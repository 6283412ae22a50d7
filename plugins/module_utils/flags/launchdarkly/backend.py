# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Feature flags in LaunchDarkly, changed by semantic patches, of which all instructions are carried out or none.

What is managed is the default rule (the fallthrough) of a flag with the variations true and false, and a rule for each segment
that serves true to all its users. Targets, other rules and prerequisites may serve the feature to others, so they count as
rules of others.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.flags import contract
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag, FlagSystem, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.flags.launchdarkly import reading
from ansible_collections.steady.rollout.plugins.module_utils.flags.rest import (
    Api,
    Product,
    every_name,
    find,
    opened,
    part,
    patch,
)

PRODUCT = Product(
    "LaunchDarkly",
    "{}",
    {
        401: "the token is not known; give an access token, an SDK key cannot change flags",
        403: "the token may not do that; its role has to allow it for this project and environment",
    },
    {"LD-API-Version": "20240415"},
    "changes in this environment need an approval; make the change, or ask for it, in LaunchDarkly",
)
ADDRESS = "https://app.launchdarkly.com"
SEMANTIC = "application/json; domain-model=launchdarkly.semanticpatch"
PAGE = 100


class LaunchDarkly(FlagSystem):
    capabilities = frozenset({contract.CAN_PERCENT, contract.CAN_SEGMENTS, contract.CAN_RULES, contract.CAN_AUDIT})
    lacks: t.ClassVar[t.Mapping[str, str]] = {
        contract.CAN_GIVE_REASON: "LaunchDarkly stores the reason in its audit log, not with the flag; a killed flag is shown as off",
        contract.CAN_COMPARE: "a semantic patch has no precondition; reading back afterwards detects a concurrent change",
        contract.CAN_LISTENERS: "LaunchDarkly's API does not list the processes that listen; set instances",
    }

    def __init__(self, api: Api, project: str, environment: str) -> None:
        super().__init__(api.where)
        self._api = api
        self._project = part(project)
        self._environment = environment

    def read(self, name: str) -> Flag:
        found = self._found(name)
        return Flag(name) if found is None else reading.flag_of(self.where, name, found, self._environment)

    def audited(self, name: str) -> Flag:
        found = self._found(name)
        if found is None:
            return Flag(name)
        path = f"/api/v2/flag-statuses/{self._project}/{part(self._environment)}/{part(name)}"
        return reading.flag_of(self.where, name, found, self._environment, reading.last_seen_of(self._api.get(path)))

    def names(self) -> list[str]:
        return every_name(self._api, PAGE, self._page)

    def _page(self, number: int) -> tuple[list[str], bool]:
        page = self._api.get(f"/api/v2/flags/{self._project}?limit={PAGE}&offset={number * PAGE}")
        names = reading.names_of(self.where, page)
        return names, len(names) == PAGE

    def segments(self) -> list[str]:
        return every_name(self._api, PAGE, self._segments_page)

    def _segments_page(self, number: int) -> tuple[list[str], bool]:
        place = f"/api/v2/segments/{self._project}/{part(self._environment)}"
        names = reading.names_of(self.where, self._api.get(f"{place}?limit={PAGE}&offset={number * PAGE}"), "segments")
        return names, len(names) == PAGE

    def apply(self, flag: Flag, wanted: Wanted) -> None:
        place = f"/api/v2/flags/{self._project}/{part(flag.name)}"
        if wanted.state == contract.ABSENT:
            self._api.ask("DELETE", place)
            return
        if not flag.exists:
            self._create(flag.name, wanted)
        found = self._found(flag.name)
        variations = reading.variations_of(self.where, flag.name, found)
        off_is_false = reading.off_variation_of(found, self._environment) == variations.false_at
        there = reading.segment_rules_of(reading.environment_of(found, self._environment), variations)
        comment = wanted.reason or "steady.rollout feature_flag"
        body = {
            "comment": comment,
            "environmentKey": self._environment,
            "instructions": _instructions(wanted, variations, off_is_false, there),
        }
        patch(self._api, flag.name, place, body, SEMANTIC)

    def _found(self, name: str) -> t.Any:
        path = f"/api/v2/flags/{self._project}"
        return find(self._api, f"{path}/{part(name)}?env={part(self._environment)}", f"{path}?limit=1")

    def _create(self, name: str, wanted: Wanted) -> None:
        """Off in every environment, as LaunchDarkly makes it."""
        body = {
            "key": name,
            "name": name,
            "description": wanted.description,
            "temporary": wanted.kind in reading.TEMPORARY,
            "tags": [wanted.kind],
            "variations": [{"value": True}, {"value": False}],
            "defaults": {"onVariation": 0, "offVariation": 1},
        }
        self._api.ask("POST", f"/api/v2/flags/{self._project}", body)


def _instructions(
    wanted: Wanted, variations: reading.Variations, off_is_false: bool, there: t.Mapping[str, str]
) -> list[dict[str, t.Any]]:
    """Off is the old behaviour, whatever the flag served before when it was off. *there* are the rules by segment."""
    off = [] if off_is_false else [{"kind": "updateOffVariation", "variationId": variations.false}]
    if wanted.state != contract.ON:
        return [*off, {"kind": "turnFlagOff"}]
    weights = {variations.true: wanted.percent * 1000, variations.false: (100 - wanted.percent) * 1000}
    share = {"kind": "updateFallthroughVariationOrRollout", "rolloutWeights": weights}
    return [share, *_for_segments(wanted.segments, variations, there), *off, {"kind": "turnFlagOn"}]


def _for_segments(
    wanted: t.Sequence[str] | None, variations: reading.Variations, there: t.Mapping[str, str]
) -> list[dict[str, t.Any]]:
    if wanted is None:
        return []
    removed = [{"kind": "removeRule", "ruleId": rule} for name, rule in there.items() if name not in wanted]
    return removed + [
        {"kind": "addRule", "variationId": variations.true, "clauses": [reading.clause_of(name)]}
        for name in wanted
        if name not in there
    ]


def open_launchdarkly(settings: dict[str, t.Any]) -> LaunchDarkly:
    """Raises InputError where the settings cannot be right."""
    api = opened(PRODUCT, settings, (settings.get("url") or ADDRESS).rstrip("/"))
    return LaunchDarkly(api, settings.get("project") or "default", settings.get("environment") or "production")
