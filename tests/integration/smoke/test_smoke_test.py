# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""smoke_test against a real HTTP server: what it sends, what it judges, what it never shows."""

from __future__ import annotations

import json
import pathlib
import ssl
import typing as t

import pytest
from support import customers
from support.caller import call_core
from support.cores import Outcome
from support.customers import PASSWORD, Customers

from ansible_collections.steady.rollout.plugins.modules import smoke_test

BEARER = {"Authorization": "Bearer ${token}"}
LOG_IN: dict[str, t.Any] = {
    "name": "log in",
    "method": "POST",
    "url": "/login",
    "body": {"user": "ana", "password": PASSWORD},
    "keep": {"token": "body.access_token"},
}
ORDER: dict[str, t.Any] = {
    "name": "order",
    "method": "POST",
    "url": "/orders",
    "headers": BEARER,
    "body": {"pieces": 2},
    "status": [201],
    "keep": {"order": "headers.location", "number": "body.id"},
}
SEE: dict[str, t.Any] = {
    "name": "see the order",
    "url": "${order}",
    "headers": BEARER,
    "expect": "pieces == `2` && id == `${number}`",
}


@pytest.fixture
def server() -> t.Iterator[Customers]:
    with customers.serving() as running:
        yield running


def ask(server: Customers, *requests: dict[str, t.Any], **options: t.Any) -> Outcome:
    return call_core(smoke_test, **{"targets": [server.url], "requests": list(requests), **options})


def test_log_in_order_and_see_the_order(server: Customers) -> None:
    outcome = ask(server, LOG_IN, ORDER, SEE)
    assert outcome.error == ""
    assert [(one["name"], one["status"], one["passed"], one["tries"]) for one in outcome["requests"]] == [
        ("log in", 200, True, 1),
        ("order", 201, True, 1),
        ("see the order", 200, True, 1),
    ]
    assert outcome["requests"][0]["reason"] == f"POST {server.url}/login answered 200"
    assert outcome["requests"][2]["reason"] == f"GET {server.url} ${{order}} answered 200"
    assert server.asked == ["POST /login", "POST /orders", "GET /orders/1"]
    assert (outcome["passed"], outcome["changed"]) == (True, False)


def test_cookies_are_kept_through_redirects(server: Customers) -> None:
    sign_in = {
        "method": "POST",
        "url": "/sign-in",
        "body": {"user": "ana", "password": PASSWORD},
        "body_format": "form-urlencoded",
        "follow_redirects": True,
        "contains": "Welcome back",
        "expect_headers": {"content-type": "text/html"},
    }
    outcome = ask(server, sign_in, {"url": "/account"})
    assert outcome.error == ""
    assert server.asked == ["POST /sign-in", "GET /account", "GET /account"]


def test_each_target_has_cookies_of_its_own(server: Customers) -> None:
    with customers.serving() as other:
        outcome = call_core(
            smoke_test,
            targets=[{"name": "blue", "url": server.url}, {"name": "green", "url": other.url}],
            requests=[LOG_IN, {**ORDER, "keep": {}}],
        )
        assert outcome.error == ""
        assert [one["target"] for one in outcome["requests"]] == ["blue", "blue", "green", "green"]
        assert len(server.orders) == len(other.orders) == 1


def test_redirects_are_not_followed_unless_said(server: Customers) -> None:
    outcome = ask(server, {"url": "/leave", "status": [302]})
    assert outcome.error == ""


def test_redirects_in_a_circle_end(server: Customers) -> None:
    outcome = ask(server, {"name": "circle", "url": "/circle", "follow_redirects": True})
    assert outcome.error == (
        f"127.0.0.1:{server.server_address[1]}: 'circle' failed: GET {server.url}/circle sent an invalid HTTP response "
        f"(HTTPException: more than 5 redirects). Check the service's log on 127.0.0.1:{server.server_address[1]}."
    )


def test_a_redirect_to_the_public_name_stays_on_the_target(server: Customers) -> None:
    outcome = ask(
        server,
        {"url": "/leave", "follow_redirects": True, "headers": {"Host": "shop.example.com"}, "status": [403]},
    )
    assert outcome.error == ""
    assert server.asked == ["GET /leave", "GET /account"]


def test_tries_until_the_answer_is_good(server: Customers) -> None:
    outcome = ask(server, {"url": "/flaky", "tries": 3, "pause": 0})
    assert (outcome.error, outcome["requests"][0]["tries"]) == ("", 3)


def test_tries_that_are_not_enough(server: Customers) -> None:
    outcome = ask(server, {"name": "flaky", "url": "/flaky", "tries": 2, "pause": 0}, {"url": "/"})
    where = f"127.0.0.1:{server.server_address[1]}"
    assert outcome.error == (
        f"{where}: 'flaky' failed: GET {server.url}/flaky answered 503, expected 200 after 2 tries "
        f'(body: {{"visits": 2}}). 1 request was not sent. Check the service\'s log on {where}.'
    )
    assert outcome["requests"][1]["reason"] == "not sent, because 'flaky' failed"


def test_check_mode_sends_nothing(server: Customers) -> None:
    outcome = ask(server, LOG_IN, ORDER, check_mode=True)
    assert server.asked == []
    assert (outcome.error, outcome["passed"], outcome["msg"]) == ("", False, "Check mode: 2 requests would be sent.")


def test_a_failure_has_the_keys_of_a_success(server: Customers) -> None:
    good = ask(server, LOG_IN)
    bad = ask(server, {"url": "/nothing"})
    reported = ask(server, {"url": "/nothing"}, fail=False)
    assert set(good.result) == {"msg", *bad.result} == set(reported.result)
    assert {frozenset(one) for outcome in (good, bad) for one in outcome["requests"]} == {
        frozenset({"target", "name", "method", "passed", "status", "seconds", "tries", "reason"})
    }
    assert (reported["passed"], reported["msg"]) == (False, bad.error)


def test_nobody_listens() -> None:
    with customers.serving() as server:
        url, port = server.url, server.server_address[1]
    outcome = call_core(smoke_test, requests=[{"name": "home", "url": f"{url}/"}])
    assert outcome.error == f"'home' failed: GET {url}/ refused the connection. Check the service's log."
    assert outcome["requests"][0]["target"] is None
    assert port


def test_certificates_are_checked_by_default(certificate: pathlib.Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with customers.serving(context) as server:
        options = {"targets": [f"https://localhost:{server.server_address[1]}"], "requests": [{"url": "/"}]}
        untrusted = call_core(smoke_test, **options)
        assert "/ has a certificate that is not trusted (" in untrusted.error
        assert call_core(smoke_test, validate_certs=False, **options).error == ""
        assert call_core(smoke_test, ca_path=f"{certificate}.crt", **options).error == ""


TALKATIVE: list[dict[str, t.Any]] = [
    {"url": "/echo?api_key=query-secret&x=${token}", "headers": BEARER},
    {"url": "/echo", "method": "POST", "headers": {"X-Api": "header-secret"}, "body": {"pin": "${token}"}},
    {"url": "/echo", "method": "POST", "secret": True, "body": "whole-body-secret"},
    {"url": "/echo", "method": "POST", "body": {"password": "body-secret", "n": "${number}"}},
    {"url": "/echo", "method": "POST", "body": {"t": "${token}"}, "body_format": "form-urlencoded"},
    {"url": "/echo/${token}", "expect": "said == '${token}'", "status": [500]},
    {"url": "/orders/1", "headers": {"Authorization": "Bearer ${token}x"}},
    {"url": "/login", "method": "POST", "body": {"password": "wrong-password"}},
    {"url": "/login", "method": "POST", "body": {"password": PASSWORD}, "status": [201]},
    {"url": "/login", "method": "POST", "body": {"password": PASSWORD}, "expect": "access_token"},
    {"url": "/login", "method": "POST", "body": {"password": PASSWORD}, "keep": {"x": "body.no.such"}},
    {"url": "/sign-in", "method": "POST", "body": "password=wrong-password&user=ana"},
    {"url": "/account", "headers": {"Cookie": "session=cookie-secret"}},
]


@pytest.mark.parametrize("talk", TALKATIVE)
def test_no_secret_comes_out_however_talkative_the_service_is(server: Customers, talk: dict[str, t.Any]) -> None:
    sign_in = {
        "method": "POST",
        "url": "/sign-in",
        "body": {"password": PASSWORD},
        "body_format": "form-urlencoded",
        "status": [303],
    }
    outcome = ask(server, LOG_IN, {**ORDER, "keep": {"number": "body.id"}}, sign_in, talk)
    assert outcome["requests"][2]["passed"]
    assert not outcome["requests"][3]["passed"]
    assert_no_secret(server, json.dumps([outcome.result, outcome.error, outcome.warnings]))


def assert_no_secret(server: Customers, text: str) -> None:
    """Neither plain nor as a part, nor in the encodings of URLs and JSON."""
    given = ["query-secret", "header-secret", "whole-body-secret", "body-secret", "wrong-password", "cookie-secret"]
    for secret in [*given, PASSWORD, "correct-horse", *server.handed_out()]:
        assert secret not in text
        assert secret.replace("/", "%2F").replace("+", "%2B") not in text
    for token in server.tokens:
        assert token[4:16] not in text
