# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A maintenance page on and off: nothing that is in flight is lost, nothing else is changed."""

from __future__ import annotations

import contextlib
import http.client
import json
import pathlib
import time
import typing as t

import pytest
from support import background
from support.caller import Caller
from support.cores import Outcome
from support.http_connection import PAGE
from support.real_balancer import SHOP, RealBalancer, SlowRequests
from support.shop_member import ShopMember
from support.web import request

from ansible_collections.steady.rollout.plugins.modules import lb_page, lb_route

ALL = set(SHOP)
BODY = '<p class="a">100 % of it\'s $5 & \\o/ {now} %{x} ${y}</p>\n\nBack at zwölf #1;\n'
MIX = {"rate": 200, "keepalive": 8, "close": 4, "slow": 2, "slow_seconds": 1, "uploads": 0}
KEPT = 8 + 1
"""Clients that keep their connection: the quick ones and half of the slow ones."""
HALF = b"x" * 20_000
CYCLES = 4
BREATH = 0.4
"""Seconds between changes, for idle connections to be there again."""
HTML = {"body": BODY, "content_type": "text/html", "retry_after": 120}


class PageManager:
    """lb_page on a running balancer."""

    def __init__(self, node: RealBalancer) -> None:
        self.node = node
        self.caller = Caller(node.routing_settings())

    def page(self, **options: t.Any) -> Outcome:
        return self.caller.run(lb_page, **options)

    def down(self) -> Outcome:
        return self.page(state="absent")

    def is_up(self) -> bool:
        """On every one of some requests; raises where they differ."""
        seen = {request(self.node.port).status for dummy in range(8)}
        assert seen in ({200}, {503})
        return seen == {503}


@pytest.fixture
def pages(node: RealBalancer) -> PageManager:
    return PageManager(node)


def test_page_up_and_down(pages: PageManager) -> None:
    before = pages.node.answered_by()
    outcome = pages.page(**HTML)
    assert (outcome.error, outcome["changed"], outcome["before"]) == ("", True, {})
    retry_after = 120 if pages.node.says_retry_after else None
    shown = pages.node.as_shown(BODY)
    assert outcome["after"] == {"status": 503, **HTML, "body": shown, "retry_after": retry_after}
    for method, path, body in (("GET", "/", ""), ("GET", "/a/b%20c?d=e", ""), ("POST", "/form", "x" * 100_000)):
        seen = request(pages.node.port, method, path, body)
        assert (seen.status, seen.body) == (503, shown)
        assert seen.headers["content-type"].split(";")[0] == "text/html"
        assert seen.headers.get("retry-after") == (str(retry_after) if retry_after else None)
    assert request(pages.node.port, "HEAD").status == 503
    outcome = pages.down()
    assert (outcome.error, outcome["changed"], outcome["after"]) == ("", True, {})
    assert pages.node.answered_by() == before == ALL


def test_page_idempotence_and_check_mode(pages: PageManager) -> None:
    checked = pages.page(check_mode=True, diff=True)
    assert (checked.error, checked["changed"], checked["after"]["status"]) == ("", True, 503)
    assert (checked["diff"]["before"], checked["diff"]["after"]["content_type"]) == ({}, "text/plain")
    assert not pages.is_up()
    assert pages.page()["changed"] is True
    again = pages.page()
    assert (again.error, again["changed"], again["actions"]) == ("", False, [])
    assert pages.page(state="absent", check_mode=True)["changed"] is True
    assert pages.is_up()
    pages.down()
    gone = pages.down()
    assert (gone.error, gone["changed"], gone["before"]) == ("", False, {})


def test_page_with_another_text(pages: PageManager) -> None:
    pages.page()
    outcome = pages.page(**HTML)
    assert (outcome.error, outcome["changed"], outcome["before"]["content_type"]) == ("", True, "text/plain")
    assert request(pages.node.port).body == pages.node.as_shown(BODY)
    pages.down()
    assert not pages.is_up()


def test_page_that_is_too_long(pages: PageManager) -> None:
    outcome = pages.page(body="x" * 70_000)
    assert outcome.error.startswith("body: the page has 70000 bytes; this load balancer can show ")
    assert not pages.is_up()


def test_page_that_is_as_long_as_it_may_be(pages: PageManager) -> None:
    longest = pages.caller.balancer().pages().longest
    assert pages.page(body="x" * longest).error == ""
    seen = request(pages.node.port)
    assert (seen.status, len(seen.body)) == (503, longest)
    assert pages.down().error == ""


def test_page_after_reload_and_restart(pages: PageManager) -> None:
    pages.page()
    pages.node.reload()
    assert pages.is_up()
    assert pages.page()["changed"] is False
    pages.down()
    pages.node.reload()
    assert not pages.is_up()


def test_page_leaves_everything_else_alone(pages: PageManager) -> None:
    shop = Caller(pages.node.settings())
    before = {name: (one["own"], one["weight"]) for name, one in shop.info()["members"].items()}
    pages.page()
    assert {name: (one["own"], one["weight"]) for name, one in shop.info()["members"].items()} == before
    pages.down()
    assert {name: (one["own"], one["weight"]) for name, one in shop.info()["members"].items()} == before


def test_page_in_front_of_routes(pages: PageManager) -> None:
    tester = "X-Canary: green"
    route = {"header": "X-Canary", "value": "green"}
    assert pages.caller.run(lb_route, target=pages.node.green, **route).error == ""
    assert pages.page().error == ""
    assert request(pages.node.port, header=tester).status == 503
    assert pages.down().error == ""
    assert {request(pages.node.port, header=tester).body for dummy in range(8)} == {"app4"}
    assert pages.caller.run(lb_route, state="absent", **route).error == ""
    assert pages.node.answered_by() == ALL


def test_page_lets_requests_in_flight_end(pages: PageManager) -> None:
    held = SlowRequests(pages.node, "app1")
    assert pages.page().error == ""
    assert pages.is_up()
    assert pages.node.members["app1"].in_flight > 0
    assert held.finish() == {200}


def test_page_lets_an_upload_in_flight_end(start: t.Callable[..., RealBalancer]) -> None:
    pages = PageManager(start(ShopMember))
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", pages.node.port, timeout=30)) as upload:
        upload.putrequest("POST", "/upload")
        upload.putheader("Content-Length", str(2 * len(HALF)))
        upload.endheaders(HALF)
        time.sleep(BREATH)
        assert pages.page().error == ""
        assert pages.is_up()
        upload.send(HALF)
        reply = upload.getresponse()
        assert (reply.status, json.loads(reply.read())["bytes"]) == (200, 2 * len(HALF))


def test_page_under_traffic(start: t.Callable[..., RealBalancer], directory: pathlib.Path) -> None:
    """Everybody gets a whole answer, from a member or from the page.

    Uploads are left out: one that begins while the page is up has its answer before it is sent, and is then cut.
    """
    pages = PageManager(start(ShopMember))
    with background.traffic([f"http://127.0.0.1:{pages.node.port}"], directory / "traffic.json", **MIX) as users:
        for dummy in range(CYCLES):
            assert pages.page().error == ""
            time.sleep(BREATH)
            assert pages.down().error == ""
            time.sleep(BREATH)
        seen = users.stop()
    assert set(seen["kinds"]) == {PAGE if pages.node.says_retry_after else "status 503"}
    assert seen["ok"] > 100
    # A reload can close every idle connection once; a change without one closes none.
    assert seen["reconnects"] <= (2 * CYCLES * KEPT if pages.node.closes_idle_on_reload else 0)


def test_page_denied(pages: PageManager) -> None:
    with pages.node.routing_denied() as denial:
        outcome = Caller(denial.settings, denial.uid).run(lb_page)
        assert outcome.error.startswith("lb1 ")
        assert any(word in outcome.error for word in ("denied", "may not", "allowed", "not permitted"))
    assert not pages.is_up()


def test_page_unreachable(pages: PageManager) -> None:
    outcome = Caller(pages.node.routing_silent()).run(lb_page)
    assert outcome.error.startswith("lb1 ")
    assert "running" in outcome.error
