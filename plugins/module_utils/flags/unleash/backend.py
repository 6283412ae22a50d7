# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""type=unleash: a flag in one environment of one project of an Unleash server.

What is managed is one gradual rollout without constraints, and one for all users of each segment. Unleash's strategies are
alternatives: any other one may turn the flag on for more users, so it counts as a rule of others.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.flags import contract
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag, FlagSystem, Listener, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.flags.rest import (
    CONFLICT,
    Api,
    Product,
    Refused,
    find,
    opened,
    part,
)
from ansible_collections.steady.rollout.plugins.module_utils.flags.unleash import reading

PRODUCT = Product(
    "Unleash",
    "{}",
    {
        401: "the token is not known; give an admin or service account token",
        403: "the token may not do that; a client token cannot change flags, and a project may limit who does",
    },
)
KINDS = ("release", "experiment", "operational", "kill-switch", "permission")


class Unleash(FlagSystem):
    capabilities = frozenset(
        {
            contract.CAN_PERCENT,
            contract.CAN_SEGMENTS,
            contract.CAN_RULES,
            contract.CAN_LISTENERS,
            contract.CAN_AUDIT,
        }
    )
    lacks: t.ClassVar[t.Mapping[str, str]] = {
        contract.CAN_GIVE_REASON: "Unleash stores no reason with an environment that is off; a killed flag is shown as off",
        contract.CAN_COMPARE: "its API has no precondition; reading back afterwards detects a concurrent change",
    }

    def __init__(self, api: Api, project: str, environment: str, application: str) -> None:
        super().__init__(api.where)
        self._api = api
        self._project = f"/api/admin/projects/{part(project)}"
        self._environment = environment
        self._application = application

    def read(self, name: str) -> Flag:
        return self._flag_of(name, self._found(name))

    def _flag_of(self, name: str, found: t.Any, changed: float | None = None) -> Flag:
        if found is None:
            return Flag(name)
        names = self._names_by_id() if reading.names_segments(found, self._environment) else {}
        return reading.flag_of(self.where, name, found, self._environment, names, changed)

    def audited(self, name: str) -> Flag:
        found = self._found(name)
        if found is None:
            return Flag(name)
        events = self._api.get(f"/api/admin/events/{part(name)}")
        return self._flag_of(name, found, reading.changed_at(events, self._environment))

    def segments(self) -> list[str]:
        return list(self._names_by_id().values())

    def _names_by_id(self) -> dict[int, str]:
        return reading.segments_of(self.where, self._api.get("/api/admin/segments"))

    def names(self) -> list[str]:
        return reading.names_of(self.where, self._api.get(f"{self._project}/features"))

    def listeners(self) -> list[Listener]:
        if not self._application:
            raise InputError("system.application: needed to list the instances that get their flags from Unleash.")
        path = f"/api/admin/metrics/instances/{part(self._application)}/environment/{part(self._environment)}"
        return reading.listeners_of(self._api.get(path))

    def apply(self, flag: Flag, wanted: Wanted) -> None:
        place = f"{self._project}/features/{part(flag.name)}"
        if wanted.state == contract.ABSENT:
            self._api.ask("DELETE", place)
            return
        if not flag.exists:
            self._create(flag.name, wanted)
        here = f"{place}/environments/{part(self._environment)}"
        if wanted.state != contract.ON:
            self._api.ask("POST", f"{here}/off")
            return
        # The share first: an environment that is switched on without a strategy is on for everybody.
        strategies = self._api.get(f"{here}/strategies") or []
        self._set_share(here, flag.name, wanted.percent, strategies)
        if wanted.segments is not None:
            self._set_segments(here, flag.name, wanted.segments, strategies)
        self._api.ask("POST", f"{here}/on")

    def _found(self, name: str) -> t.Any:
        path = f"{self._project}/features"
        return find(self._api, f"{path}/{part(name)}", path)

    def _create(self, name: str, wanted: Wanted) -> None:
        kind = wanted.kind if wanted.kind in KINDS else "release"
        body = {"name": name, "type": kind, "description": wanted.description}
        try:
            self._api.ask("POST", f"{self._project}/features", body)
        except Refused as error:
            if error.status != CONFLICT:
                raise
            # An archived flag keeps its name; reviving it leaves every environment off.
            self._api.ask("POST", f"{self._project}/revive", {"features": [name]})

    def _set_share(self, here: str, name: str, percent: int, strategies: t.Sequence[t.Any]) -> None:
        own = next((one for one in strategies if reading.is_managed(one)), None)
        body = _rollout_of(name, percent)
        if own is None:
            self._api.ask("POST", f"{here}/strategies", body)
            return
        parameters = {**(own.get("parameters") or {}), "rollout": str(percent)}
        self._api.ask("PUT", f"{here}/strategies/{part(str(own['id']))}", {**body, "parameters": parameters})

    def _set_segments(
        self, here: str, name: str, wanted: t.Sequence[str], strategies: t.Sequence[dict[str, t.Any]]
    ) -> None:
        """One strategy each: those of one strategy limit each other."""
        names = self._names_by_id()
        there = {
            str(one["id"]): names[reading.segment_of(one)] for one in strategies if reading.segment_of(one) in names
        }
        for number, segment in names.items():
            if segment in wanted and segment not in there.values():
                body = {**_rollout_of(name, 100), "segments": [number]}
                self._api.ask("POST", f"{here}/strategies", body)
        for strategy, segment in there.items():
            if segment not in wanted:
                self._api.ask("DELETE", f"{here}/strategies/{part(strategy)}")


def _rollout_of(name: str, percent: int) -> dict[str, t.Any]:
    return {
        "name": "flexibleRollout",
        "constraints": [],
        "parameters": {"rollout": str(percent), "stickiness": "default", "groupId": name},
    }


def open_unleash(settings: dict[str, t.Any]) -> Unleash:
    """Raises InputError where the settings cannot be right."""
    url = settings["url"].rstrip("/")
    api = opened(PRODUCT, settings, url[: -len("/api")] if url.endswith("/api") else url)
    given = (settings.get("project") or "default", settings.get("environment") or "production")
    return Unleash(api, *given, settings.get("application") or "")
