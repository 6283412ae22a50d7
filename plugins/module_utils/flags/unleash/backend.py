# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""type=unleash: a flag in one environment of one project of an Unleash server.

What is managed is one gradual rollout without constraints. Unleash's strategies are alternatives: any other one may turn
the flag on for more users, so it counts as a rule of somebody else's.
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
    capabilities = frozenset({contract.CAN_PERCENT, contract.CAN_RULES, contract.CAN_LISTENERS, contract.CAN_AUDIT})
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
        found = self._found(name)
        return Flag(name) if found is None else reading.flag_of(self.where, name, found, self._environment)

    def audited(self, name: str) -> Flag:
        found = self._found(name)
        if found is None:
            return Flag(name)
        events = self._api.get(f"/api/admin/events/{part(name)}")
        return reading.flag_of(
            self.where, name, found, self._environment, reading.changed_at(events, self._environment)
        )

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
        self._set_share(here, flag.name, wanted.percent)
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

    def _set_share(self, here: str, name: str, percent: int) -> None:
        strategies = self._api.get(f"{here}/strategies")
        own = next((one for one in strategies or [] if reading.is_managed(one)), None)
        body = {
            "name": "flexibleRollout",
            "constraints": [],
            "parameters": {"rollout": str(percent), "stickiness": "default", "groupId": name},
        }
        if own is None:
            self._api.ask("POST", f"{here}/strategies", body)
            return
        parameters = {**(own.get("parameters") or {}), "rollout": str(percent)}
        self._api.ask("PUT", f"{here}/strategies/{part(str(own['id']))}", {**body, "parameters": parameters})


def open_unleash(settings: dict[str, t.Any]) -> Unleash:
    """Raises InputError where the settings cannot be right."""
    url = settings["url"].rstrip("/")
    api = opened(PRODUCT, settings, url[: -len("/api")] if url.endswith("/api") else url)
    given = (settings.get("project") or "default", settings.get("environment") or "production")
    return Unleash(api, *given, settings.get("application") or "")
