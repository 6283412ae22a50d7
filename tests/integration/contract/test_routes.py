# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Testers' requests go to a group of their own, everybody else's by the weights."""

from __future__ import annotations

import typing as t

import pytest
from support.caller import Caller, processes
from support.cores import Outcome
from support.haproxy import Client, fetch
from support.real_balancer import SHOP, RealBalancer

from ansible_collections.steady.rollout.plugins.modules import lb_route

ALL = set(SHOP)
GREEN = {"app4"}


class RouteManager:
    """lb_route on a running balancer, and the requests of testers."""

    def __init__(self, node: RealBalancer) -> None:
        self.node = node
        self.caller = Caller(node.routing_settings())

    def route(self, **options: t.Any) -> Outcome:
        who = {} if "cookie" in options else {"header": "X-Canary"}
        where = {} if options.get("state") == "absent" else {"target": self.node.green}
        return self.caller.run(lb_route, **{"value": "green", **who, **where, **options})

    def answered(self, headers: str = "", path: str = "/", requests: int = 12) -> set[str]:
        """Who answers requests with these headers."""
        answers = [fetch(self.node.port, path, headers) for dummy in range(requests)]
        assert {status for status, dummy in answers} == {200}
        return {body for dummy, body in answers}


@pytest.fixture
def routes(node: RealBalancer) -> RouteManager:
    return RouteManager(node)


def header(value: str) -> str:
    return f"X-Canary: {value}\r\n"


def test_route_by_header(routes: RouteManager) -> None:
    assert routes.answered(header("green")) == ALL
    outcome = routes.route()
    assert outcome.error == ""
    assert (outcome["changed"], outcome["before"], outcome["after"]) == (True, "", routes.node.green)
    assert outcome["testers"] == "header x-canary=green"
    assert routes.answered(header("green")) == GREEN
    assert routes.answered(header("green"), "/some/path%20with?a=b%26c") == GREEN
    for other in ("", header("greenish"), header("blue"), "X-Other: green\r\n", "Cookie: x-canary=green\r\n"):
        assert routes.answered(other, requests=20) == ALL
    outcome = routes.route(state="absent")
    assert (outcome.error, outcome["changed"], outcome["after"]) == ("", True, "")
    assert routes.answered(header("green")) == ALL


def test_route_by_cookie(routes: RouteManager) -> None:
    cookie = routes.node.cookie
    assert routes.route(cookie=cookie).error == ""
    for mine in (f"{cookie}=green", f"a=1; {cookie}=green", f"{cookie}=green; b=2", f"a=1; {cookie}=green; b=2"):
        assert routes.answered(f"Cookie: {mine}\r\n") == GREEN
    for other in (f"{cookie}=greenish", f"x{cookie}=green", f"a={cookie}; green=1"):
        assert routes.answered(f"Cookie: {other}\r\n", requests=20) == ALL
    assert routes.route(cookie=cookie, state="absent")["changed"] is True
    assert routes.answered(f"Cookie: {cookie}=green\r\n") == ALL


def test_route_whatever_the_weights(routes: RouteManager) -> None:
    balancer = Caller(routes.node.settings()).balancer()
    balancer.set_weights({"app4": 0} if routes.node.backend != "aws_listener" else {"app4": 0, "app1": 5})
    assert routes.route().error == ""
    assert routes.answered() == ALL - GREEN
    assert routes.answered(header("green")) == GREEN


def test_route_idempotence_and_check_mode(routes: RouteManager) -> None:
    checked = routes.route(check_mode=True, diff=True)
    assert (checked.error, checked["changed"], checked["after"]) == ("", True, routes.node.green)
    assert checked["diff"]["before"] == {"header x-canary=green": ""}
    assert checked["diff"]["after"] == {"header x-canary=green": routes.node.green}
    assert routes.answered(header("green")) == ALL
    assert routes.route()["changed"] is True
    again = routes.route()
    assert (again.error, again["changed"], again["actions"]) == ("", False, [])
    assert routes.route(check_mode=True)["changed"] is False
    assert routes.route(state="absent", check_mode=True)["changed"] is True
    assert routes.answered(header("green")) == GREEN
    routes.route(state="absent")
    gone = routes.route(state="absent")
    assert (gone.error, gone["changed"], gone["before"]) == ("", False, "")


def test_route_to_nowhere(routes: RouteManager) -> None:
    outcome = routes.route(target="gren")
    assert "'gren'" in outcome.error
    assert routes.node.green in outcome.error
    assert outcome["changed"] is False
    assert routes.answered(header("green")) == ALL


def test_routes_side_by_side(routes: RouteManager) -> None:
    routes.route(value="green")
    routes.route(value="lime")
    assert (routes.answered(header("green")), routes.answered(header("lime"))) == (GREEN, GREEN)
    routes.route(value="green", state="absent")
    assert (routes.answered(header("green")), routes.answered(header("lime"))) == (ALL, GREEN)


def test_route_after_reload_and_restart(routes: RouteManager) -> None:
    routes.route()
    routes.node.reload()
    assert routes.answered(header("green")) == GREEN
    routes.node.restart()
    assert routes.answered(header("green")) == GREEN
    assert routes.route()["changed"] is False
    routes.route(state="absent")
    routes.node.reload()
    assert routes.answered(header("green")) == ALL


def test_route_under_traffic(routes: RouteManager) -> None:
    with Client(t.cast("t.Any", routes.node)) as client:
        for dummy in range(5):
            assert routes.route().error == ""
            assert routes.answered(header("green"), requests=5) == GREEN
            assert routes.route(state="absent").error == ""
    assert client.failures == []
    assert client.requests > 0


def test_many_routes_at_once(routes: RouteManager) -> None:
    """Each in a process of its own; none is lost."""
    values = [f"tester{number}" for number in range(8)]
    answers: t.Any = processes.Queue()
    children = [
        processes.Process(target=lambda value=value: answers.put(routes.route(value=value).error)) for value in values
    ]
    for child in children:
        child.start()
    assert {answers.get(timeout=60) for dummy in children} == {""}
    for child in children:
        child.join(10)
    assert all(routes.answered(header(value), requests=4) == GREEN for value in values)


def test_route_denied(routes: RouteManager) -> None:
    with routes.node.routing_denied() as denial:
        outcome = Caller(denial.settings, denial.uid).run(
            lb_route, header="X-Canary", value="green", target=routes.node.green
        )
        assert outcome.error.startswith("lb1 ")
        assert any(word in outcome.error for word in ("denied", "may not", "allowed", "not permitted"))
    assert routes.answered(header("green")) == ALL


def test_route_unreachable(routes: RouteManager) -> None:
    outcome = Caller(routes.node.routing_silent()).run(
        lb_route, header="X-Canary", value="green", target=routes.node.green
    )
    assert outcome.error.startswith("lb1 ")
    assert "running" in outcome.error
