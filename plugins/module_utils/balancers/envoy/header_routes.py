# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Testers' routes and the maintenance page of an Envoy: rules in the file of routes that it reads."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import quoted
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import rules as envoy_rules
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import state as envoy_state
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.eds import Json
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.rds import RouteDocument
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.route_file import RouteFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.rules import PAGE, TESTERS, Place
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import (
    Page,
    Pages,
    Routes,
    Seen,
    Selector,
    Shown,
)
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

Find = t.Callable[[RouteDocument, str], t.List[Place]]
# What Envoy takes unless its routes say otherwise.
LONGEST_BODY = 4096


class EnvoyTesters(Routes):
    """Testers' routes of the routes of one name, or of one virtual host."""

    def __init__(self, pool: str, file: RouteFile) -> None:
        self._pool = pool
        self._file = file

    def read(self, testers: Selector) -> Seen:
        document = self._file.document()
        targets = self._targets(self._file.in_force(document.name), testers)
        target = next(filter(None, targets), "")
        return Seen(target, set(targets) == {target} and self._is_whole(document, testers, target))

    def resolve(self, target: str) -> str:
        (clusters,) = self._file.admin.ask(["/clusters?format=json"])
        if envoy_state.cluster_status(clusters, target) is None:
            known = [one.get("name") for one in (clusters or {}).get("cluster_statuses", ())]
            raise InputError(
                f"{self._file.where}: Envoy has no cluster '{target}'; there are {quoted(known) or 'none'}."
            )
        return target

    def require_admin(self) -> None:
        self._places(self._file.document())
        self._file.require_writable()

    def send(self, testers: Selector, target: str) -> None:
        self._file.change(lambda document: self._edit(document, testers, target))

    def _edit(self, document: RouteDocument, testers: Selector, target: str) -> None:
        for place in self._places(document):
            place.put(TESTERS, str(testers), self._rule(place, testers, target))

    def _rule(self, place: Place, testers: Selector, target: str) -> Json | None:
        return envoy_rules.header_rule(place.route, testers, target) if target and place.route else None

    def _targets(self, document: RouteDocument, testers: Selector) -> list[str]:
        places = self._places(document)
        return [envoy_rules.target_of(place.rule(TESTERS, str(testers))) for place in places]

    def _is_whole(self, document: RouteDocument, testers: Selector, target: str) -> bool:
        """Whether the file has every rule as we would write it: what it was made from may have changed since."""
        places = self._places(document)
        return all(place.rule(TESTERS, str(testers)) == self._rule(place, testers, target) for place in places)

    def _places(self, document: RouteDocument) -> list[Place]:
        return _found(self._file.where, envoy_rules.places_for_testers, document, self._pool)


class EnvoyPages(Pages):
    """The maintenance page of the routes of one name, or of one virtual host."""

    def __init__(self, pool: str, file: RouteFile) -> None:
        self._pool = pool
        self._file = file

    @property
    def longest(self) -> int:
        return envoy_rules.longest_body(self._file.document(), LONGEST_BODY)

    def read(self) -> Shown:
        document = self._file.document()
        pages = self._shown(self._file.in_force(document.name))
        page = next(filter(None, pages), None)
        return Shown(page, set(pages) == {page} == set(self._shown(document)))

    def require_admin(self) -> None:
        self._places(self._file.document())
        self._file.require_writable()

    def show(self, page: Page | None) -> None:
        self._file.change(lambda document: self._edit(document, page))

    def _edit(self, document: RouteDocument, page: Page | None) -> None:
        for place in self._places(document):
            rule = envoy_rules.page_rule(place.route, self._pool, page) if page else None
            place.put(PAGE, self._pool, rule)

    def _shown(self, document: RouteDocument) -> list[Page | None]:
        return [envoy_rules.page_of(place.rule(PAGE, self._pool)) for place in self._places(document)]

    def _places(self, document: RouteDocument) -> list[Place]:
        return _found(self._file.where, envoy_rules.places_for_page, document, self._pool)


def _found(where: str, find: Find, document: RouteDocument, pool: str) -> list[Place]:
    places = find(document, pool)
    if not places:
        raise InputError(
            f"{where}: no route or virtual host '{pool}' that sends requests on in route configuration "
            f"'{document.name}'; there are {quoted(envoy_rules.names(document)) or 'none'}."
        )
    return places
