# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Testers' routes and the maintenance page of a whole virtual host of an Envoy, beside weighted clusters."""

from __future__ import annotations

import json
import typing as t

import pytest
from support.cores import Outcome, call_core
from support.envoy import Node
from support.haproxy import fetch
from support.web import request

from ansible_collections.steady.rollout.plugins.modules import lb_page, lb_route, lb_weight

TESTER = "X-Canary: green\r\n"
SPLIT = {"clusters": [{"name": "blue", "weight": 100}, {"name": "green", "weight": 0}]}
ROUTES: list[dict[str, t.Any]] = [
    {"name": "old", "match": {"prefix": "/old"}, "redirect": {"path_redirect": "/"}},
    {
        "name": "api",
        "match": {"prefix": "/api/"},
        "route": {"weighted_clusters": SPLIT, "prefix_rewrite": "/", "timeout": "20s"},
    },
    {"name": "rest", "match": {"prefix": "/"}, "route": {"weighted_clusters": SPLIT}},
]


@pytest.fixture
def node(start: t.Callable[..., Node]) -> Node:
    return start(pools={"blue": ["app1", "app2"], "green": ["app3"]}, routes=ROUTES)


class Site:
    def __init__(self, node: Node) -> None:
        self.node = node

    def settings(self, pool: str = "site") -> dict[str, t.Any]:
        admin = f"127.0.0.1:{self.node.admin_port}"
        return {"type": "envoy", "host": "lb1", "admin": admin, "rds_file": str(self.node.rds_file), "pool": pool}

    def route(self, pool: str = "site", **options: t.Any) -> Outcome:
        given = {"header": "X-Canary", "value": "green", "target": "green", **options}
        return call_core(lb_route, balancer=self.settings(pool), **given)

    def page(self, pool: str = "site", **options: t.Any) -> Outcome:
        return call_core(lb_page, balancer=self.settings(pool), **options)

    def answered(self, headers: str = "", path: str = "/") -> set[str]:
        return {fetch(self.node.port, path, headers)[1] for dummy in range(10)}

    def routes(self) -> list[dict[str, t.Any]]:
        found = json.loads(self.node.rds_file.read_text())["resources"][0]["virtual_hosts"][0]["routes"]
        return t.cast("list[dict[str, t.Any]]", found)


@pytest.fixture
def site(node: Node) -> Site:
    return Site(node)


def test_all_routes_of_a_virtual_host(site: Site) -> None:
    assert site.route().error == ""
    assert (site.answered(TESTER), site.answered(TESTER, "/api/x")) == ({"app3"}, {"app3"})
    assert site.answered() == site.answered(path="/api/x") == {"app1", "app2"}
    assert request(site.node.port, path="/old", header="X-Canary: green").status == 301
    assert site.route(state="absent").error == ""
    assert site.routes() == ROUTES


def test_one_route_alone(site: Site) -> None:
    assert site.route("api").error == ""
    assert (site.answered(TESTER, "/api/x"), site.answered(TESTER)) == ({"app3"}, {"app1", "app2"})


def test_weights_and_routes_do_not_know_of_each_other(site: Site) -> None:
    site.route()
    outcome = call_core(lb_weight, balancer=site.settings(), shares={"blue": 50, "green": 50})
    assert outcome.error == ""
    assert (site.answered(TESTER), site.answered()) == ({"app3"}, {"app1", "app2", "app3"})
    assert site.route()["changed"] is False


def test_a_page_for_a_virtual_host(site: Site) -> None:
    site.route()
    before = site.routes()
    assert site.page().error == ""
    for path in ("/", "/api/x", "/old"):
        assert request(site.node.port, path=path, header="X-Canary: green").status == 503
    assert site.page(state="absent").error == ""
    assert site.routes() == before
    assert site.answered(TESTER) == {"app3"}


def test_a_page_for_one_route(site: Site) -> None:
    assert site.page("api").error == ""
    assert (request(site.node.port, path="/api/x").status, request(site.node.port).status) == (503, 200)


def test_a_file_that_was_edited_by_hand_since(site: Site) -> None:
    site.route()
    document = json.loads(site.node.rds_file.read_text())
    (api,) = [route for route in document["resources"][0]["virtual_hosts"][0]["routes"] if route["name"] == "api"]
    api["route"]["timeout"] = "30s"
    site.node.write(site.node.rds_file, document)
    outcome = site.route()
    assert (outcome.error, outcome["changed"]) == ("", True)
    (rule,) = [route for route in site.routes() if route["name"] == "api for header x-canary=green"]
    assert rule["route"]["timeout"] == "30s"


def test_what_is_not_there(site: Site) -> None:
    assert site.route("shop").error.endswith(
        "no route or virtual host 'shop' that sends requests on in route configuration 'main'; there are 'site', 'old', "
        "'api', 'rest'."
    )
    assert site.route("old").error.startswith("lb1 ")
    assert site.route(target="lime").error.endswith("Envoy has no cluster 'lime'; there are 'blue', 'green'.")
    assert site.routes() == ROUTES


def test_endpoints_have_no_routes(site: Site) -> None:
    settings = {**site.settings("blue"), "rds_file": None, "eds_file": str(site.node.eds_file("blue"))}
    outcome = call_core(lb_route, balancer=settings, header="X-Canary", value="a", target="green")
    assert outcome.error.endswith(
        "this type of load balancer cannot route testers' requests: a cluster does not choose where requests go: its "
        "routes do, by balancer.rds_file."
    )
