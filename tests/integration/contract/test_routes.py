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


class RouteDesk:
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
def testing(node: RealBalancer) -> RouteDesk:
    return RouteDesk(node)


def header(value: str) -> str:
    return f"X-Canary: {value}\r\n"


def test_route_by_header(testing: RouteDesk) -> None:
    assert testing.answered(header("green")) == ALL
    outcome = testing.route()
    assert outcome.error == ""
    assert (outcome["changed"], outcome["before"], outcome["after"]) == (True, "", testing.node.green)
    assert outcome["testers"] == "header x-canary=green"
    assert testing.answered(header("green")) == GREEN
    assert testing.answered(header("green"), "/some/path%20with?a=b%26c") == GREEN
    for other in ("", header("greenish"), header("blue"), "X-Other: green\r\n", "Cookie: x-canary=green\r\n"):
        assert testing.answered(other, requests=20) == ALL
    outcome = testing.route(state="absent")
    assert (outcome.error, outcome["changed"], outcome["after"]) == ("", True, "")
    assert testing.answered(header("green")) == ALL


def test_route_by_cookie(testing: RouteDesk) -> None:
    cookie = testing.node.cookie
    assert testing.route(cookie=cookie).error == ""
    for mine in (f"{cookie}=green", f"a=1; {cookie}=green", f"{cookie}=green; b=2", f"a=1; {cookie}=green; b=2"):
        assert testing.answered(f"Cookie: {mine}\r\n") == GREEN
    for other in (f"{cookie}=greenish", f"x{cookie}=green", f"a={cookie}; green=1"):
        assert testing.answered(f"Cookie: {other}\r\n", requests=20) == ALL
    assert testing.route(cookie=cookie, state="absent")["changed"] is True
    assert testing.answered(f"Cookie: {cookie}=green\r\n") == ALL


def test_route_whatever_the_weights(testing: RouteDesk) -> None:
    balancer = Caller(testing.node.settings()).balancer()
    balancer.set_weights({"app4": 0} if testing.node.backend != "aws_listener" else {"app4": 0, "app1": 5})
    assert testing.route().error == ""
    assert testing.answered() == ALL - GREEN
    assert testing.answered(header("green")) == GREEN


def test_route_idempotence_and_check_mode(testing: RouteDesk) -> None:
    checked = testing.route(check_mode=True, diff=True)
    assert (checked.error, checked["changed"], checked["after"]) == ("", True, testing.node.green)
    assert checked["diff"]["before"] == {"header x-canary=green": ""}
    assert checked["diff"]["after"] == {"header x-canary=green": testing.node.green}
    assert testing.answered(header("green")) == ALL
    assert testing.route()["changed"] is True
    again = testing.route()
    assert (again.error, again["changed"], again["actions"]) == ("", False, [])
    assert testing.route(check_mode=True)["changed"] is False
    assert testing.route(state="absent", check_mode=True)["changed"] is True
    assert testing.answered(header("green")) == GREEN
    testing.route(state="absent")
    gone = testing.route(state="absent")
    assert (gone.error, gone["changed"], gone["before"]) == ("", False, "")


def test_route_to_nowhere(testing: RouteDesk) -> None:
    outcome = testing.route(target="gren")
    assert "'gren'" in outcome.error
    assert testing.node.green in outcome.error
    assert outcome["changed"] is False
    assert testing.answered(header("green")) == ALL


def test_routes_side_by_side(testing: RouteDesk) -> None:
    testing.route(value="green")
    testing.route(value="lime")
    assert (testing.answered(header("green")), testing.answered(header("lime"))) == (GREEN, GREEN)
    testing.route(value="green", state="absent")
    assert (testing.answered(header("green")), testing.answered(header("lime"))) == (ALL, GREEN)


def test_route_after_reload_and_restart(testing: RouteDesk) -> None:
    testing.route()
    testing.node.reload()
    assert testing.answered(header("green")) == GREEN
    testing.node.restart()
    assert testing.answered(header("green")) == GREEN
    assert testing.route()["changed"] is False
    testing.route(state="absent")
    testing.node.reload()
    assert testing.answered(header("green")) == ALL


def test_route_under_traffic(testing: RouteDesk) -> None:
    with Client(t.cast("t.Any", testing.node)) as client:
        for dummy in range(5):
            assert testing.route().error == ""
            assert testing.answered(header("green"), requests=5) == GREEN
            assert testing.route(state="absent").error == ""
    assert client.failures == []
    assert client.requests > 0


def test_many_routes_at_once(testing: RouteDesk) -> None:
    """Each in a process of its own; none is lost."""
    values = [f"tester{number}" for number in range(8)]
    answers: t.Any = processes.Queue()
    children = [
        processes.Process(target=lambda value=value: answers.put(testing.route(value=value).error)) for value in values
    ]
    for child in children:
        child.start()
    assert {answers.get(timeout=60) for dummy in children} == {""}
    for child in children:
        child.join(10)
    assert all(testing.answered(header(value), requests=4) == GREEN for value in values)


def test_route_denied(testing: RouteDesk) -> None:
    with testing.node.routing_denied() as denial:
        outcome = Caller(denial.settings, denial.uid).run(
            lb_route, header="X-Canary", value="green", target=testing.node.green
        )
        assert outcome.error.startswith("lb1 ")
        assert any(word in outcome.error for word in ("denied", "may not", "allowed", "not permitted"))
    assert testing.answered(header("green")) == ALL


def test_route_unreachable(testing: RouteDesk) -> None:
    outcome = Caller(testing.node.routing_silent()).run(
        lb_route, header="X-Canary", value="green", target=testing.node.green
    )
    assert outcome.error.startswith("lb1 ")
    assert "running" in outcome.error
