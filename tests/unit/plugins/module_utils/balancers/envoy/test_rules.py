# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules in front of Envoy's routes, in the file's text and as Envoy shows them."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy import rules as envoy_rules
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.rds import RouteDocument
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.rules import PAGE, TESTERS
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Page, Selector

Json = t.Dict[str, t.Any]

GREEN = Selector("header", "x-canary", "green")
COOKIE = Selector("cookie", "canary", "a.b")
SOON = Page("Soon.", "text/plain", 60)
SPLIT = {"clusters": [{"name": "blue", "weight": 95}, {"name": "green", "weight": 5}]}
ROUTES: list[Json] = [
    {"name": "old", "match": {"prefix": "/old"}, "redirect": {"path_redirect": "/"}},
    {
        "name": "api",
        "match": {"prefix": "/api", "headers": [{"name": "a", "present_match": True}]},
        "route": {"weighted_clusters": SPLIT, "timeout": "9s", "retry_policy": {"retry_on": "5xx"}},
        "metadata": {"filter_metadata": {"theirs": {"kept": True}}},
    },
    {"name": "rest", "match": {"prefix": "/"}, "route": {"cluster": "blue"}},
]


def document(routes: list[Json] | None = None) -> RouteDocument:
    host = {"name": "site", "domains": ["*"], "routes": copy.deepcopy(ROUTES if routes is None else routes)}
    kind = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
    return RouteDocument.parse(json.dumps({"resources": [{"@type": kind, "name": "main", "virtual_hosts": [host]}]}))


def order(found: RouteDocument) -> list[str]:
    return [route["name"] for route in found.hosts[0]["routes"]]


def send(found: RouteDocument, pool: str, testers: Selector, target: str) -> None:
    for place in envoy_rules.places_for_testers(found, pool):
        assert place.route is not None
        rule = envoy_rules.header_rule(place.route, testers, target) if target else None
        place.put(TESTERS, str(testers), rule)


def show(found: RouteDocument, pool: str, page: Page | None) -> None:
    for place in envoy_rules.places_for_page(found, pool):
        place.put(PAGE, pool, envoy_rules.page_rule(place.route, pool, page) if page else None)


def test_a_rule_is_the_route_itself_for_testers_only() -> None:
    found = document()
    send(found, "api", GREEN, "lime")
    assert order(found) == ["old", "api for header x-canary=green", "api", "rest"]
    rule = found.hosts[0]["routes"][1]
    assert rule["match"] == {
        "prefix": "/api",
        "headers": [{"name": "a", "present_match": True}, {"name": "x-canary", "string_match": {"exact": "green"}}],
    }
    assert rule["route"] == {"cluster": "lime", "timeout": "9s", "retry_policy": {"retry_on": "5xx"}}
    marks = {"theirs": {"kept": True}, "steady.rollout": {"testers": "header x-canary=green"}}
    assert rule["metadata"] == {"filter_metadata": marks}
    assert found.hosts[0]["routes"][2] == ROUTES[1]
    send(found, "api", GREEN, "")
    assert found.hosts[0]["routes"] == ROUTES


def test_all_routes_of_a_virtual_host_but_those_that_send_nothing_on() -> None:
    found = document()
    send(found, "site", COOKIE, "lime")
    assert order(found) == ["old", "api for cookie canary=a.b", "api", "rest for cookie canary=a.b", "rest"]
    assert found.hosts[0]["routes"][3]["match"]["headers"] == [
        {"name": "cookie", "string_match": {"safe_regex": {"regex": r"^(.*; *)?canary=a\.b(;.*)?$"}}}
    ]
    send(found, "site", COOKIE, "")
    assert found.hosts[0]["routes"] == ROUTES


def test_testers_stand_side_by_side_and_a_page_before_them() -> None:
    found = document()
    send(found, "rest", GREEN, "lime")
    send(found, "rest", COOKIE, "lime")
    show(found, "rest", SOON)
    assert order(found)[2:] == [
        "maintenance page of rest",
        "rest for header x-canary=green",
        "rest for cookie canary=a.b",
        "rest",
    ]
    send(found, "rest", GREEN, "")
    show(found, "rest", Page("Later.", "text/plain", 5))
    assert order(found)[2:] == ["maintenance page of rest", "rest for cookie canary=a.b", "rest"]
    show(found, "rest", None)
    send(found, "rest", COOKIE, "")
    assert found.hosts[0]["routes"] == ROUTES


def test_a_page_for_a_virtual_host_is_its_first_route() -> None:
    found = document()
    send(found, "site", GREEN, "lime")
    show(found, "site", SOON)
    assert order(found)[0] == "maintenance page of site"
    rule = found.hosts[0]["routes"][0]
    assert rule["match"] == {"prefix": "/"}
    assert rule["direct_response"] == {"status": 503, "body": {"inline_string": "Soon."}}
    assert envoy_rules.page_of(rule) == SOON
    show(found, "site", None)
    send(found, "site", GREEN, "")
    assert found.hosts[0]["routes"] == ROUTES


def test_a_page_for_a_host_without_routes() -> None:
    found = document([])
    show(found, "site", SOON)
    assert order(found) == ["maintenance page of site"]
    show(found, "site", None)
    assert order(found) == []


def test_rules_of_ours_are_no_pools() -> None:
    found = document()
    send(found, "site", GREEN, "lime")
    assert envoy_rules.names(found) == ["site", "old", "api", "rest"]
    assert envoy_rules.places_for_testers(found, "api for header x-canary=green") == []


def test_weights_do_not_see_the_rules() -> None:
    found = document()
    send(found, "site", GREEN, "lime")
    show(found, "site", SOON)
    assert [split.weights for split in found.splits("site")] == [{"blue": 95, "green": 5}]


@pytest.mark.parametrize("rule", [None, {"direct_response": {"status": 503}}])
def test_pages_in_every_spelling(rule: Json | None) -> None:
    assert envoy_rules.page_of(rule) == (Page("", "", None) if rule else None)
    camel = {
        "directResponse": {"status": 503, "body": {"inlineString": "Soon."}},
        "responseHeadersToAdd": [
            {"header": {"key": "retry-after", "value": "60"}},
            {"header": {"key": "content-type", "value": "text/plain"}},
        ],
    }
    assert envoy_rules.page_of(camel) == SOON


def test_how_long_a_page_may_be() -> None:
    found = document()
    assert envoy_rules.longest_body(found, 4096) == 4096
    found.resource["max_direct_response_body_size_bytes"] = 10
    assert envoy_rules.longest_body(found, 4096) == 10
