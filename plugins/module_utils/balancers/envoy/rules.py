# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Rules put in front of Envoy's routes: for testers, and for a maintenance page. No I/O.

A rule is a route with a mark in its metadata, which Envoy ignores. It stands before the route that it is made for, a
page before testers' rules. The page of a whole virtual host is its first route.
"""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import routing
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.eds import MARK, Json, field, put
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.rds import RouteDocument
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Page, Selector

TESTERS, PAGE = "testers", "page"
# A route's action has exactly one of these.
CLUSTER_CHOICES = (
    "cluster",
    "weighted_clusters",
    "cluster_header",
    "cluster_specifier_plugin",
    "inline_cluster_specifier_plugin",
)
RETRY_AFTER, CONTENT_TYPE = "retry-after", "content-type"

Rules = t.List[t.Optional[Json]]


class Place(t.NamedTuple):
    """A list of routes, and the one in it that rules stand before; None where they stand before all."""

    routes: list[Json]
    route: Json | None

    def rule(self, kind: str, name: str) -> Json | None:
        """The rule for it that is there."""
        return next((one for one in self._rules() if mark_of(one).get(kind) == name), None)

    def put(self, kind: str, name: str, rule: Json | None) -> None:
        """Replaces, adds or removes a rule."""
        old = self.rule(kind, name)
        if old is not None:
            self.routes[:] = [one for one in self.routes if one is not old]
        if rule is not None:
            self.routes.insert(self._begin() if kind == PAGE else self._end(), rule)

    def _rules(self) -> list[Json]:
        return self.routes[self._begin() : self._end()]

    def _end(self) -> int:
        if self.route is not None:
            return next(index for index, one in enumerate(self.routes) if one is self.route)
        return next((index for index, one in enumerate(self.routes) if not mark_of(one)), len(self.routes))

    def _begin(self) -> int:
        index = self._end()
        while index > 0 and mark_of(self.routes[index - 1]):
            index -= 1
        return index


def mark_of(route: Json) -> Json:
    """What a rule of ours says of itself; empty for everybody else's routes."""
    metadata = field(route.get("metadata") or {}, "filter_metadata") or {}
    return dict(metadata.get(MARK) or {})


def names(document: RouteDocument) -> list[str]:
    """The names that a pool may have: those of virtual hosts and of routes."""
    found = [host.get("name") for host in document.hosts]
    found += [route.get("name") for host in document.hosts for route in host.get("routes", ()) if not mark_of(route)]
    return [str(name) for name in dict.fromkeys(found) if name]


def places_for_testers(document: RouteDocument, pool: str) -> list[Place]:
    """Before each route of the pool that sends requests on."""
    return [place for place in _routes_of(document, pool) if place.route and place.route.get("route")]


def places_for_page(document: RouteDocument, pool: str) -> list[Place]:
    """At the beginning of the virtual hosts of that name, or else before each route of that name."""
    whole = [Place(host.setdefault("routes", []), None) for host in document.hosts if host.get("name") == pool]
    return whole or _routes_of(document, pool)


def _routes_of(document: RouteDocument, pool: str) -> list[Place]:
    return [
        Place(host["routes"], route)
        for host in document.hosts
        for route in host.get("routes", ())
        if pool in (host.get("name"), route.get("name")) and not mark_of(route)
    ]


# Testers


def header_rule(route: Json, testers: Selector, target: str) -> Json:
    """The route itself, for their requests only and to one cluster only."""
    rule = copy.deepcopy(route)
    match = rule.setdefault("match", {})
    put(match, "headers", [*(field(match, "headers") or ()), _matcher(testers)])
    action = rule["route"]
    for choice in CLUSTER_CHOICES:
        if field(action, choice) is not None:
            action.pop(choice, None)
            action.pop(_camel(choice), None)
    action["cluster"] = target
    rule["name"] = f"{route.get('name') or 'route'} for {testers}"
    return _marked(rule, TESTERS, str(testers))


def target_of(rule: Json | None) -> str:
    return str(rule["route"].get("cluster", "")) if rule else ""


def _matcher(testers: Selector) -> Json:
    if testers.kind == routing.HEADER:
        return {"name": testers.name, "string_match": {"exact": testers.value}}
    return {"name": "cookie", "string_match": {"safe_regex": {"regex": testers.cookie_pattern}}}


# Maintenance page


def page_rule(route: Json | None, pool: str, page: Page) -> Json:
    """Answers by itself what the route would send on; everything where there is no route."""
    headers = {RETRY_AFTER: str(page.retry_after), CONTENT_TYPE: page.content_type}
    rule: Json = {
        "name": f"maintenance page of {pool}",
        "match": copy.deepcopy(route["match"]) if route else {"prefix": "/"},
        "direct_response": {"status": 503, "body": {"inline_string": page.body}},
        "response_headers_to_add": [
            {"header": {"key": key, "value": text}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, text in headers.items()
        ],
    }
    return _marked(rule, PAGE, pool)


def page_of(rule: Json | None) -> Page | None:
    """What a rule shows, in the spelling of the file or of Envoy."""
    if not rule:
        return None
    answer = field(rule, "direct_response") or {}
    body = field(answer.get("body") or {}, "inline_string") or ""
    headers = {
        one["header"]["key"]: one["header"].get("value", "") for one in field(rule, "response_headers_to_add") or ()
    }
    seconds = headers.get(RETRY_AFTER, "")
    return Page(str(body), headers.get(CONTENT_TYPE, ""), int(seconds) if seconds.isdigit() else None)


def longest_body(document: RouteDocument, default: int) -> int:
    """Bytes that Envoy takes in a page."""
    given = field(document.resource, "max_direct_response_body_size_bytes")
    return default if given is None else int(given)


def _marked(rule: Json, kind: str, name: str) -> Json:
    metadata = rule.setdefault("metadata", {})
    filters = dict(field(metadata, "filter_metadata") or {})
    put(metadata, "filter_metadata", {**filters, MARK: {kind: name}})
    return rule


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
