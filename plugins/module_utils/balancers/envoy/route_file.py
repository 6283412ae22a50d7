# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The file of routes that Envoy reads, and what Envoy serves of it."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.admin import Admin, stats_name
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.eds import BadDocument
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.file import (
    Publisher,
    Subscription,
    WatchedFile,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.rds import RouteDocument
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock


class RouteFile:
    """One file of routes of one Envoy. *timeout* in seconds bounds how long Envoy may take to read a change."""

    def __init__(self, admin: Admin, file: WatchedFile, timeout: float, clock: Clock) -> None:
        self.where = admin.where
        self.admin = admin
        self._file = file
        self._timeout = timeout
        self._clock = clock

    def document(self) -> RouteDocument:
        """What the file says."""
        try:
            return RouteDocument.parse(self._file.read())
        except BadDocument as error:
            raise RolloutError(f"{self.where}: {self._file.path} is not the routes of Envoy: {error}.") from None

    def in_force(self, name: str) -> RouteDocument:
        """The route configuration that Envoy serves under that name."""
        path = f"/config_dump?resource=dynamic_route_configs&name_regex={urllib.parse.quote(f'^{re.escape(name)}$')}"
        (dump,) = self.admin.ask([path])
        for entry in (dump or {}).get("configs", ()):
            if entry.get("route_config", {}).get("name") == name:
                return RouteDocument({}, entry["route_config"])
        raise RolloutError(
            f"{self.where}: Envoy serves no route configuration '{name}' of {self._file.path}. Is the file the one that "
            "the listener's 'rds' names, and has Envoy loaded it?"
        )

    def require_writable(self) -> None:
        self._file.require_writable()

    def change(self, edit: t.Callable[[RouteDocument], None]) -> None:
        """Brings what *edit* makes of the document into force; puts the file back where Envoy rejects it."""
        with self._file.locked():
            document = self.document()
            edit(document)
            subscription = Subscription(self.admin, rf"http\..*\.rds\.{re.escape(stats_name(document.name))}")
            Publisher(self._file, subscription, self.where, self._timeout, self._clock).publish(document.text)
