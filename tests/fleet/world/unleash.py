# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Unleash in the lab's network, a shop on every host that reads a flag of it, and what users met of the feature."""

from __future__ import annotations

import pathlib
import typing as t

from fleet.lab.files import SERVICE_PORT
from fleet.lab.hosts import Lab
from fleet.lab.places import CONTROLLER_ADDRESS, Host
from fleet.world.rolling import Ended
from fleet.world.shop import Shop
from support import unleash
from support.gateway import Gateway
from support.networks import Network

FLAG = "checkout_v2"
REFRESH = 4.0
"""Seconds between two looks of an instance at its flags: long enough that nobody who does not wait for them is lucky."""
OLD, NEW = "1.0.0", "2.0.0"


class FlaggedShop:
    """The shop; its first version does not have the feature. The collection reaches Unleash by the *gateway*."""

    def __init__(self, shop: Shop, server: unleash.Unleash, gateway: Gateway) -> None:
        self.shop = shop
        self.server = server
        self.gateway = gateway

    def prepare(self, refresh: float = REFRESH, version: str = NEW) -> None:
        """No flag, the first version on all hosts, and the second one ready to be rolled out."""
        self.server.remove(FLAG)
        self.shop.behave(self.behaviour(served=False, refresh=refresh))
        self.shop.lab.add_release(version, self.behaviour(served=True, refresh=refresh))
        # Unleash itself shows a change to its clients a moment later.
        self.shop.await_that(lambda: self.is_seen(False))

    def behaviour(self, served: bool, refresh: float) -> dict[str, t.Any]:
        system = {"type": "unleash", "url": self.server.url, "token": unleash.CLIENT}
        return {"feature": {"name": FLAG, "system": system, "refresh": refresh, "served": served}}

    @property
    def instances(self) -> list[str]:
        return instances(self.shop)

    @property
    def system(self) -> dict[str, t.Any]:
        return {**self.server.settings(), "url": self.gateway.url}

    def settings(self, **given: t.Any) -> dict[str, t.Any]:
        flag = {"name": FLAG, "system": self.system, "instances": self.instances, **given}
        return {"rollout_flags": [flag], "rollout_flags_timeout": 10}

    @property
    def is_on(self) -> bool:
        return self.server.is_on(FLAG)

    def is_seen(self, state: bool) -> bool:
        """By every app host that is up, as it reports itself."""
        states = [self._state(url) for url in self.instances]
        return bool(states) and all(one is state for one in states)

    def _state(self, url: str) -> t.Any:
        answer = self.server.fetched(url)
        return answer["flags"][FLAG] if answer else None

    def stands(self, version: str, on: bool) -> bool:
        return self.shop.all_on(version) and self.is_on is on


def instances(shop: Shop) -> list[str]:
    """Where each app host reports its flags."""
    return [f"http://{Host.named(app).address}:{SERVICE_PORT}/health" for app in shop.apps]


def server(lab: Lab, directory: pathlib.Path) -> unleash.Unleash:
    """Not started yet."""
    return unleash.Unleash(directory, CONTROLLER_ADDRESS, Network(lab.netns))


def served_by(seen: dict[str, t.Any], feature: str) -> dict[str, set[str]]:
    """Which hosts users met on each version with the feature 'on' or 'off'."""
    met: dict[str, set[str]] = {}
    for row in seen["features"]:
        if row["feature"] == feature:
            met.setdefault(row["version"], set()).add(row["host"])
    return met


def last_use(seen: dict[str, t.Any]) -> float:
    """When the last request was begun that was answered with the feature."""
    return max(row["last_begun"] for row in seen["features"] if row["feature"] == "on")


def assert_unharmed(seen: dict[str, t.Any], ended: Ended, version: str = NEW) -> None:
    """Nobody met the feature on a host that cannot serve it, and no request failed."""
    assert seen["failed"] == 0, f"{seen['failures'][:5]}\n{ended.output}"
    assert set(served_by(seen, "on")) <= {version}, seen["features"]
