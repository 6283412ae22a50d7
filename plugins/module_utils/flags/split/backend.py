# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Feature flags in Split (Harness FME), as definitions in one environment that are changed by JSON patches.

What is managed is the default rule of a flag with the treatments on and off, and the segments that always get on. A flag that
is off is killed, which serves its default treatment, so that has to be off as well.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.flags import contract
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag, FlagSystem, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.flags.rest import (
    NOT_FOUND,
    Api,
    Product,
    Refused,
    every_name,
    opened,
    part,
    patch,
)
from ansible_collections.steady.rollout.plugins.module_utils.flags.split import reading

PRODUCT = Product(
    "Split",
    "Bearer {}",
    {
        401: "the token is not known; give an admin API key, an SDK key cannot change flags",
        403: "the token may not do that; it has to be an editor of flags in this workspace and environment",
    },
    approval="changes in this environment need an approval; make the change, or ask for it, in Split",
)
ADDRESS = "https://api.split.io"
PAGE = 50


class Split(FlagSystem):
    capabilities = frozenset({contract.CAN_PERCENT, contract.CAN_SEGMENTS, contract.CAN_RULES, contract.CAN_AUDIT})
    lacks: t.ClassVar[t.Mapping[str, str]] = {
        contract.CAN_GIVE_REASON: "Split stores no reason with the flag; a flag that is off is killed there",
        contract.CAN_COMPARE: "its API documents no precondition; reading back afterwards detects a concurrent change",
        contract.CAN_LISTENERS: "Split's API does not list the processes that listen; set instances",
    }

    def __init__(self, api: Api, workspace: str, environment: str, traffic_type: str) -> None:
        super().__init__(api.where)
        self._api = api
        self._workspace = f"/internal/api/v2/splits/ws/{part(workspace)}"
        self._segments = f"/internal/api/v2/segments/ws/{part(workspace)}/environments/{part(environment)}"
        self._environment = part(environment)
        self._traffic_type = part(traffic_type)

    def read(self, name: str) -> Flag:
        return reading.flag_of(self.where, name, self._definition(name), None)

    def audited(self, name: str) -> Flag:
        found = self._definition(name)
        return reading.flag_of(self.where, name, found, self._about(name) if found else None)

    def names(self) -> list[str]:
        return every_name(self._api, PAGE, self._page)

    def _page(self, number: int) -> tuple[list[str], bool]:
        page = self._api.get(f"{self._workspace}?limit={PAGE}&offset={number * PAGE}")
        names = reading.names_of(self.where, page)
        return names, len(names) == PAGE

    def segments(self) -> list[str]:
        return every_name(self._api, PAGE, self._segments_page)

    def _segments_page(self, number: int) -> tuple[list[str], bool]:
        page = self._api.get(f"{self._segments}?limit={PAGE}&offset={number * PAGE}")
        names = reading.names_of(self.where, page, "segments")
        return names, len(names) == PAGE

    def apply(self, flag: Flag, wanted: Wanted) -> None:
        place, here = f"{self._workspace}/{part(flag.name)}", self._here(flag.name)
        if wanted.state == contract.ABSENT:
            self._unless_missing("DELETE", here)
            self._unless_missing("DELETE", place)
            return
        if not flag.exists:
            self._create(flag.name, wanted)
        definition = self._definition(flag.name)
        if definition == {}:
            definition = reading.new_definition(wanted.percent if wanted.state == contract.ON else 0)
            self._api.ask("POST", here, definition)
        patch(self._api, flag.name, here, _patch(wanted, definition))

    def _here(self, name: str) -> str:
        return f"{self._workspace}/{part(name)}/environments/{self._environment}"

    def _definition(self, name: str) -> t.Any:
        """None where there is no such flag, empty where it has no definition in the environment."""
        try:
            return self._api.get(self._here(name))
        except Refused as error:
            if error.status != NOT_FOUND:
                raise
            return None if self._about(name) is None else {}

    def _about(self, name: str) -> t.Any:
        try:
            return self._api.get(f"{self._workspace}/{part(name)}")
        except Refused as error:
            if error.status != NOT_FOUND:
                raise
            # A flag that is not there and a workspace that is not there are the same answer.
            self._api.get(f"{self._workspace}?limit=1&offset=0")
            return None

    def _create(self, name: str, wanted: Wanted) -> None:
        body = {"name": name, "description": wanted.description}
        self._api.ask("POST", f"{self._workspace}/trafficTypes/{self._traffic_type}", body)

    def _unless_missing(self, method: str, path: str) -> None:
        try:
            self._api.ask(method, path)
        except Refused as error:
            if error.status != NOT_FOUND:
                raise


def _patch(wanted: Wanted, definition: t.Any) -> list[dict[str, t.Any]]:
    is_on = wanted.state == contract.ON
    share: dict[str, t.Any] = {"/defaultRule": reading.rule_of(wanted.percent)} if is_on else {}
    if is_on and wanted.segments is not None:
        share["/treatments"] = reading.treatments_for(definition, wanted.segments)
    # What a killed flag serves comes before the kill: off is the old behaviour.
    changes = {**share, "/defaultTreatment": reading.OFF, "/killed": not is_on}
    return [{"op": "replace", "path": path, "value": value} for path, value in changes.items()]


def open_split(settings: dict[str, t.Any]) -> Split:
    """Raises InputError where the settings cannot be right."""
    api = opened(PRODUCT, settings, (settings.get("url") or ADDRESS).rstrip("/"))
    place = (settings.get("project") or "default", settings.get("environment") or "production")
    return Split(api, *place, settings.get("traffic_type") or "user")
