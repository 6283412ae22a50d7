# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Feature flags in Flagsmith, through the endpoints for updating flags, which its makers still call experimental.

What is managed is the environment's default and its overrides for segments. Flagsmith serves such an override also where the
default is off, so a flag counts as on while one of them is, and turning it off turns these off as well. Overrides for single
identities cannot be changed here; they are shown as rules.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags import contract
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag, FlagSystem, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.flags.flagsmith import reading
from ansible_collections.steady.rollout.plugins.module_utils.flags.rest import (
    Api,
    Product,
    every_name,
    opened,
    part,
    patch,
)

PRODUCT = Product(
    "Flagsmith",
    "Api-Key {}",
    {
        401: "the token is not known; give an organisation's API key, the key of an environment cannot change flags",
        403: "the token may not do that; its role has to allow it for this project and environment",
    },
    approval="changes in this environment need a change request; make it in Flagsmith",
)
ADDRESS = "https://api.flagsmith.com"
PAGE = 100
MOST_PAGES = 50


class Flagsmith(FlagSystem):
    capabilities = frozenset({contract.CAN_SEGMENTS, contract.CAN_RULES, contract.CAN_AUDIT})
    lacks: t.ClassVar[t.Mapping[str, str]] = {
        contract.CAN_PERCENT: "a plain flag of Flagsmith is on for all users or for none; a share of the users needs a segment",
        contract.CAN_GIVE_REASON: "Flagsmith stores no reason with the flag; a killed flag is shown as off",
        contract.CAN_COMPARE: "its API documents no precondition; reading back afterwards detects a concurrent change",
        contract.CAN_LISTENERS: "Flagsmith's API does not list the processes that listen; set instances",
    }

    def __init__(self, api: Api, project: str, environment: str) -> None:
        super().__init__(api.where)
        self._api = api
        self._features = f"/api/v1/projects/{part(project)}/features/"
        self._segments = f"/api/v1/projects/{part(project)}/segments/"
        self._environment = f"/api/__future__/environments/{part(environment)}/features/"

    def read(self, name: str) -> Flag:
        feature = self._feature(name)
        if feature is None:
            return Flag(name)
        found = self._api.get(self._here(feature))
        names = self._names_by_id() if reading.has_overrides(found) else {}
        return reading.flag_of(self.where, name, feature, found, names)

    def segments(self) -> list[str]:
        return list(self._names_by_id().values())

    def _names_by_id(self) -> dict[int, str]:
        found: dict[int, str] = {}
        for number in range(MOST_PAGES):
            page = self._api.get(f"{self._segments}?page={number + 1}&page_size={PAGE}")
            found.update(reading.segments_of(self.where, page))
            if not page.get("next"):
                break
        return found

    def names(self) -> list[str]:
        return every_name(self._api, PAGE, self._page)

    def _page(self, number: int) -> tuple[list[str], bool]:
        page = self._api.get(f"{self._features}?page={number + 1}&page_size={PAGE}")
        listed = reading.features_of(self.where, page)
        return [str(one["name"]) for one in listed if not one.get("is_archived")], bool(page.get("next"))

    def apply(self, flag: Flag, wanted: Wanted) -> None:
        feature = self._feature(flag.name)
        if wanted.state == contract.ABSENT:
            if feature is not None:
                self._api.ask("DELETE", f"{self._features}{feature['id']}/")
            return
        if feature is None:
            feature = self._create(flag.name, wanted)
        here = self._here(feature)
        names = self._names_by_id() if wanted.segments is not None else {}
        body = reading.change_of(wanted, self._api.get(here), names)
        patch(self._api, flag.name, here, body)

    def _here(self, feature: t.Mapping[str, t.Any]) -> str:
        return f"{self._environment}{feature['id']}/"

    def _feature(self, name: str) -> dict[str, t.Any] | None:
        page = self._api.get(f"{self._features}?search={part(name)}&page_size={PAGE}")
        named = [one for one in reading.features_of(self.where, page) if not one.get("is_archived")]
        # Flagsmith writes names in lower case unless a project is set otherwise.
        return next((one for one in named if str(one["name"]).lower() == name.lower()), None)

    def _create(self, name: str, wanted: Wanted) -> dict[str, t.Any]:
        body = {"name": name, "description": wanted.description, "default_enabled": False, "type": "STANDARD"}
        self._api.ask("POST", self._features, body)
        made = self._feature(name)
        if made is None:
            raise RolloutError(
                f"{self.where}: '{name}' was created and is not in the list of flags; look in Flagsmith."
            )
        return made


def open_flagsmith(settings: dict[str, t.Any]) -> Flagsmith:
    """Raises InputError where the settings cannot be right."""
    project = str(settings.get("project") or "")
    if not (project.isascii() and project.isdigit()):
        raise InputError(f"system.project: '{project:.60}' is not the number that Flagsmith has for the project.")
    url = (settings.get("url") or ADDRESS).rstrip("/")
    environment = str(settings.get("environment") or "production")
    base = url[: -len("/api/v1")] if url.endswith("/api/v1") else url
    # An environment goes by a key; the one for browsers is no secret, and nothing shows which one was given.
    return Flagsmith(opened(PRODUCT, settings, base, hidden=(environment,)), project, environment)
