# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of lb_route and lb_page on a balancer in memory: what is sent to it, what is returned."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from support.cores import params_of
from support.pools import FakePool, ManualClock
from support.throwing import throw

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import (
    Page,
    Pages,
    Routes,
    Seen,
    Selector,
    Shown,
)
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.claims import Claim
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.pools import header_route, maintenance_page
from ansible_collections.steady.rollout.plugins.modules import lb_page, lb_route

CLAIM = {"service": "shop", "ledger": "one", "token": 3}
GREEN = Selector("header", "x-canary", "green")


class FakeRoutes(Routes):
    """*ignores* what it is asked; *error* is raised by the next change, which is *made* all the same or not."""

    notes = ("It is a fake.",)

    def __init__(self) -> None:
        self.targets: dict[Selector, str] = {}
        self.kept = True
        self.asked: list[tuple[Selector, str]] = []
        self.ignores = False
        self.error: RolloutError | None = None
        self.made = True
        self.silent_looks = 0
        self.read_only = False

    def read(self, testers: Selector) -> Seen:
        if self.silent_looks > 0:
            self.silent_looks -= 1
            raise Unreachable("lb1: does not answer.")
        return Seen(self.targets.get(testers, ""), self.kept)

    def resolve(self, target: str) -> str:
        if target not in ("green", "lime"):
            raise InputError(f"lb1: no '{target}'.")
        return target

    def require_admin(self) -> None:
        if self.read_only:
            raise RolloutError("lb1: no change is allowed here.")

    def send(self, testers: Selector, target: str) -> None:
        self.asked.append((testers, target))
        if self.made and not self.ignores:
            self.targets[testers] = target
            self.kept = True
        if self.error:
            throw(self.error)


class FakePages(Pages):
    longest = 200

    def __init__(self) -> None:
        self.page: Page | None = None
        self.kept = True
        self.asked: list[Page | None] = []

    def read(self) -> Shown:
        return Shown(self.page, self.kept)

    def require_admin(self) -> None:
        pass

    def show(self, page: Page | None) -> None:
        self.asked.append(page)
        self.page, self.kept = page, True


@pytest.fixture(autouse=True)
def state_directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.steady.rollout.plugins.module_utils.claims.claims_directory", lambda: str(tmp_path)
    )


@pytest.fixture
def routes() -> FakeRoutes:
    return FakeRoutes()


@pytest.fixture
def pages() -> FakePages:
    return FakePages()


def call_of(module: t.Any, check_mode: bool, options: dict[str, t.Any]) -> Call:
    params = params_of(module, {"balancer": {"socket": "/s", "pool": "shop"}, **options})
    return Call(params, check_mode, True, lambda text: None, lambda *args: (0, "", ""))


def route(routes: FakeRoutes, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
    target = {} if "state" in options else {"target": "green"}
    call = call_of(lb_route, check_mode, {"header": "X-Canary", "value": "green", **target, **options})
    return header_route.RouteChange(call, FakePool(), routes, GREEN, ManualClock().clock).run()


def failure(routes: FakeRoutes, **options: t.Any) -> RolloutError:
    with pytest.raises(RolloutError) as caught:
        route(routes, **options)
    assert set(header_route.nothing_done("shop")) | {"diff"} == set(caught.value.result)
    return caught.value


def page(pages: FakePages, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
    call = call_of(lb_page, check_mode, options)
    wanted = maintenance_page.wanted_page(call.params) if call.params["state"] == "present" else None
    return maintenance_page.PageChange(call, FakePool(), pages, wanted, ManualClock().clock).run()


# lb_route


def test_a_route_is_made_once_and_reported(routes: FakeRoutes) -> None:
    result = route(routes)
    assert routes.asked == [(GREEN, "green")]
    assert result == {
        "changed": True,
        "pool": "shop",
        "testers": "header x-canary=green",
        "before": "",
        "after": "green",
        "actions": ["sent requests with header x-canary=green of pool 'shop' to 'green'"],
        "notes": ["It is a fake."],
        "diff": {
            "before_header": "lb1 pool shop",
            "after_header": "lb1 pool shop",
            "before": {"header x-canary=green": ""},
            "after": {"header x-canary=green": "green"},
        },
    }
    again = route(routes)
    assert (again["changed"], again["actions"], len(routes.asked)) == (False, [], 1)


def test_a_route_is_ended(routes: FakeRoutes) -> None:
    route(routes)
    result = route(routes, state="absent")
    assert (result["changed"], result["before"], result["after"]) == (True, "green", "")
    assert result["actions"] == ["stopped sending requests with header x-canary=green of pool 'shop' to 'green'"]
    assert route(routes, state="absent")["changed"] is False


def test_a_target_that_is_not_to_be_is_none(routes: FakeRoutes) -> None:
    assert route(routes, state="absent", target="grey")["changed"] is False


def test_check_mode_asks_for_nothing_but_leave(routes: FakeRoutes) -> None:
    result = route(routes, check_mode=True)
    assert (routes.asked, result["changed"], result["after"]) == ([], True, "green")
    routes.read_only = True
    assert failure(routes, check_mode=True).message == "lb1: no change is allowed here."


def test_what_a_reload_would_lose_is_made_again(routes: FakeRoutes) -> None:
    route(routes)
    routes.kept = False
    result = route(routes)
    assert (result["changed"], len(routes.asked)) == (True, 2)
    assert result["actions"] == [
        "saved for the next reload where requests with header x-canary=green of pool 'shop' go"
    ]


def test_a_target_that_is_not_there_changes_nothing(routes: FakeRoutes) -> None:
    error = failure(routes, target="grey")
    assert (error.message, error.result["changed"], routes.asked) == ("lb1: no 'grey'.", False, [])


def test_a_change_that_is_not_shown_is_an_error(routes: FakeRoutes) -> None:
    routes.ignores = True
    error = failure(routes)
    assert error.message == (
        "lb1: the load balancer accepted the change of the route for header x-canary=green but does not show it. Check for "
        "another tool that reverts it."
    )
    assert error.result["after"] == ""


def test_a_change_that_failed_is_no_change(routes: FakeRoutes) -> None:
    routes.error, routes.made = RolloutError("lb1: no."), False
    error = failure(routes)
    assert (error.message, error.result["changed"], error.result["actions"]) == ("lb1: no.", False, [])


def test_a_change_that_failed_after_it_was_made_is_one(routes: FakeRoutes) -> None:
    routes.error = RolloutError("lb1: no.")
    error = failure(routes)
    assert (error.message, error.result["changed"], error.result["after"]) == ("lb1: no.", True, "green")


def test_an_answer_that_got_lost_does_not_matter_where_the_change_is_shown(routes: FakeRoutes) -> None:
    routes.error = Unreachable("lb1: does not answer.")
    assert route(routes)["after"] == "green"


def test_a_reload_is_waited_out_but_not_silence(routes: FakeRoutes) -> None:
    routes.silent_looks = 3
    assert route(routes)["changed"] is True
    routes.silent_looks = 1000
    assert failure(routes).message == "lb1: does not answer."


def test_a_claim_of_a_later_run_is_respected(routes: FakeRoutes, tmp_path: pathlib.Path) -> None:
    claims.acquire(Claim("shop", "one", 4))
    assert failure(routes, claim=CLAIM).message == (
        f"{tmp_path}/shop.claim: a later run of 'shop' (token 4, ours is 3) has taken over; this run makes no further "
        "changes."
    )
    assert routes.asked == []
    assert route(routes, check_mode=True, claim=CLAIM)["changed"] is True


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("x canary", None, "a"), "header: 'x canary' cannot be its name; up to 40 letters, digits and - can."),
        ((None, "a;b", "a"), "cookie: 'a;b' cannot be its name; up to 40 letters, digits and - can."),
        (
            ("Cookie", None, "a"),
            "header: 'cookie' has a meaning of its own. Choose another one, or a cookie.",
        ),
        (
            ("X-Canary", None, "a b"),
            "value: 'a b' cannot be sent everywhere; up to 64 letters, digits and ._~:@/+=- can.",
        ),
        (("X-Canary", None, ""), "value: '' cannot be sent everywhere; up to 64 letters, digits and ._~:@/+=- can."),
    ],
)
def test_testers_that_cannot_be_right(given: tuple[str | None, str | None, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Selector.given(*given)
    assert caught.value.message == message


def test_a_balancer_without_routes_says_why() -> None:
    with pytest.raises(RolloutError) as caught:
        FakePool().routes()
    assert caught.value.message == "lb1: this type of load balancer cannot route testers' requests."


def test_dns_cannot_route_testers() -> None:
    pytest.importorskip("boto3")
    outcome = header_route.core
    options = {"type": "route53", "zone": "example.com", "pool": "shop.example.com", "region": "eu-central-1"}
    call = call_of(lb_route, False, {"balancer": options, "header": "X-Canary", "value": "a", "target": "b"})
    with pytest.raises(RolloutError) as caught:
        outcome(call)
    assert caught.value.message.endswith(
        "this type of load balancer cannot route testers' requests: DNS answers before there is a request, so it sees "
        "neither headers nor cookies."
    )
    assert set(caught.value.result) == set(header_route.nothing_done("shop"))


def test_a_file_that_was_not_given_is_asked_for() -> None:
    call = call_of(lb_route, False, {"header": "X-Canary", "value": "a", "target": "b"})
    with pytest.raises(InputError) as caught:
        header_route.core(call)
    assert caught.value.message == (
        "balancer.route_file is needed to route testers' requests: see the documentation of what it is to hold."
    )


# lb_page


def test_a_page_is_put_up_once_and_reported(pages: FakePages) -> None:
    result = page(pages, body="Soon.\n", retry_after=60)
    assert pages.asked == [Page("Soon.\n", "text/plain", 60)]
    shown = {"status": 503, "body": "Soon.\n", "content_type": "text/plain", "retry_after": 60}
    assert (result["changed"], result["before"], result["after"]) == (True, {}, shown)
    assert result["actions"] == ["put up the maintenance page of pool 'shop'"]
    assert (result["diff"]["before"], result["diff"]["after"]) == ({}, shown)
    assert page(pages, body="Soon.\n", retry_after=60)["changed"] is False


def test_a_page_is_changed_and_taken_away(pages: FakePages) -> None:
    page(pages)
    result = page(pages, body="Later.")
    assert (result["changed"], result["actions"]) == (True, ["changed the maintenance page of pool 'shop'"])
    result = page(pages, state="absent")
    assert (result["changed"], result["after"]) == (True, {})
    assert result["actions"] == ["removed the maintenance page of pool 'shop'"]
    assert page(pages, state="absent")["changed"] is False


def test_a_page_in_check_mode(pages: FakePages) -> None:
    result = page(pages, check_mode=True)
    assert (pages.asked, result["changed"], result["after"]["status"]) == ([], True, 503)


def test_a_page_that_a_reload_would_lose_is_put_up_again(pages: FakePages) -> None:
    page(pages)
    pages.kept = False
    result = page(pages)
    assert result["actions"] == ["saved for the next reload what clients of pool 'shop' get"]


def test_a_page_that_is_too_long_for_the_make(pages: FakePages) -> None:
    with pytest.raises(InputError) as caught:
        page(pages, body="ö" * 101)
    assert caught.value.message == (
        "body: the page has 202 bytes; this load balancer can show 200. Make it shorter, or let it load the rest from "
        "elsewhere."
    )
    assert set(caught.value.result) == set(maintenance_page.nothing_done("shop")) | {"diff"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"body": " \n"}, "body: the page is empty, or has a zero byte; write in it what users should know."),
        (
            {"content_type": 'text/html"; alias'},
            "content_type: 'text/html\"; alias' is not a content type; for example text/html, or text/plain; charset=utf-8.",
        ),
        ({"retry_after": 0}, "retry_after: must be 1 s or more, is 0."),
    ],
)
def test_a_page_that_cannot_be_right(pages: FakePages, options: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        maintenance_page.core(call_of(lb_page, False, options))
    assert caught.value.message == message
    assert set(caught.value.result) == set(maintenance_page.nothing_done("shop"))


def test_every_capability_has_its_method() -> None:
    pool = FakePool()
    for capability, ask in ((contract.CAN_ROUTE, pool.routes), (contract.CAN_PAGE, pool.pages)):
        assert capability not in pool.capabilities
        with pytest.raises(RolloutError):
            ask()
