# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a smoke test on a service that a table of answers stands for."""

from __future__ import annotations

import typing as t

import pytest
from support.cores import params_of

from ansible_collections.steady.rollout.plugins.module_utils.http import exchange as client
from ansible_collections.steady.rollout.plugins.module_utils.smoke import core as smoke_test_core
from ansible_collections.steady.rollout.plugins.module_utils.smoke import options, secrets
from ansible_collections.steady.rollout.plugins.module_utils.smoke.running import Done, World
from ansible_collections.steady.rollout.plugins.modules import smoke_test

Said = t.Union[client.Answer, Exception]


class Service:
    """Answers in order; every answer takes a second. Remembers what was asked and how long was slept."""

    def __init__(self, *answers: Said) -> None:
        self.answers = list(answers)
        self.asked: list[client.Request] = []
        self.slept: list[float] = []
        self.now = 100.0

    def exchange(self, request: client.Request, deadline: client.Deadline) -> client.Answer:
        self.asked.append(request)
        self.now += 1.0
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def world(self) -> World:
        return World(clock=lambda: self.now, sleep=self.slept.append, exchange=self.exchange)

    def run(self, *requests: dict[str, t.Any], **given: t.Any) -> list[Done]:
        params = params_of(smoke_test, {"targets": ["http://app1:8080/base"], "requests": list(requests), **given})
        self.hidden = secrets.Secrets(secrets.of_params(params))
        (run,) = smoke_test_core.performed(options.from_params(params), self.hidden, None, self.world())
        return run


def said(status: int = 200, body: str = "{}", *headers: tuple[str, str]) -> client.Answer:
    return client.Answer(status, body.encode(), headers)


@pytest.mark.parametrize(
    ("request_", "answer", "problem"),
    [
        ({}, said(), None),
        ({"status": [200, 204]}, said(204, ""), None),
        ({"status": [200, 204]}, said(500, "oh no"), "answered 500, expected 200 or 204 (body: oh no)"),
        ({"latency": 0.5}, said(), "answered 200 but took longer than 0.5 s (body: {})"),
        ({"latency": 1.5}, said(), None),
        ({"expect": "ok"}, said(200, '{"ok": true}'), None),
        ({"expect": "ok"}, said(200, '{"ok": 1}'), 'answered 200 but expect "ok" was not true but a number (body: {"ok": 1})'),
        ({"expect": "ok"}, said(200, '{"ok": false}'), 'answered 200 but expect "ok" was false (body: {"ok": false})'),
        ({"expect": "ok"}, said(200, "{}"), 'answered 200 but expect "ok" was not true but nothing (body: {})'),
        ({"expect": "ok"}, said(200, "hm"), 'answered 200 but expect "ok" was not true: the body is not JSON (body: hm)'),
        ({"contains": "Welcome"}, said(200, "<h1>Welcome</h1>"), None),
        ({"contains": "Welcome"}, said(200, "hm"), 'answered 200 but its body does not hold "Welcome" (body: hm)'),
        ({"expect_headers": {"x-a": "b"}}, said(200, "", ("X-A", "abc")), None),
        ({"expect_headers": {"X-A": ""}}, said(200, ""), "answered 200 but without the header X-A"),
        ({"expect_headers": {"X-A": "z"}}, said(200, "", ("X-A", "abc")), 'answered 200 but its header X-A does not hold "z"'),
        ({"keep": {"id": "body.id"}}, said(200, '{"id": 7}'), None),
        (
            {"keep": {"id": "body.id"}},
            said(200, '{"uid": 7}'),
            "answered 200 but what it should keep as id, body.id, is nothing",
        ),
        (
            {"keep": {"id": "body.id"}},
            said(200, '{"id": {}}'),
            "answered 200 but what it should keep as id, body.id, is not a text, number or boolean",
        ),
        (
            {"keep": {"at": "headers.Location"}},
            said(200, "hm"),
            "answered 200 but what it should keep as at, headers.Location, is nothing (body: hm)",
        ),
        ({}, ConnectionRefusedError(), "refused the connection"),
        ({}, TimeoutError(), "did not answer within 5 s"),
    ],
)  # fmt: skip
def test_how_answers_are_judged(request_: dict[str, t.Any], answer: Said, problem: str | None) -> None:
    (done,) = Service(answer).run({"url": "/health", **request_})
    assert done.passed == (problem is None)
    assert done.reason == f"GET http://app1:8080/base/health {problem or f'answered {done.status}'}"
    assert (done.seconds, done.tries) == (1.0, 1)


def test_what_is_sent() -> None:
    service = Service(said(200, '{"t": "a/b c", "n": 7}', ("X-Id", "x1")), *[said()] * 5)
    service.run(
        {"url": "/login", "keep": {"t": "body.t", "n": "body.n", "x": "headers.x-id"}},
        {"url": "/a/${t}?n=${n}", "headers": {"X-Id": "<${x}>"}},
        {"url": "/b", "method": "POST", "body": {"n": "${n}", "t": "${t}!"}},
        {"url": "/c", "method": "POST", "body": {"n": "${n}", "t": ["${t}", True]}, "body_format": "form-urlencoded"},
        {"url": "/d", "method": "POST", "body": "t=${t}"},
        {"url": "http://other/e", "method": "POST", "body": "t=${t}", "body_format": "form-urlencoded"},
    )
    sent = service.asked[1:]
    assert [request.url for request in sent] == [
        "http://app1:8080/base/a/a%2Fb%20c?n=7", "http://app1:8080/base/b", "http://app1:8080/base/c",
        "http://app1:8080/base/d", "http://other/e",
    ]  # fmt: skip
    assert sent[0].headers["X-Id"] == "<x1>"
    assert [request.body for request in sent] == [
        None, b'{"n": 7, "t": "a/b c!"}', b"n=7&t=a%2Fb+c&t=true", b"t=a/b c", b"t=a%2Fb%20c",
    ]  # fmt: skip
    assert [request.headers.get("Content-Type") for request in sent] == [
        None, "application/json", "application/x-www-form-urlencoded", None, "application/x-www-form-urlencoded",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/orders/1", "http://app1:8080/orders/1/items"),
        ("http://public.example/orders/1?a=b", "http://app1:8080/orders/1?a=b/items"),
        ("https://user:pw@elsewhere:99/x", "http://app1:8080/x/items"),
        ("orders/1", "http://app1:8080/base/orders/1/items"),
        ("/with space", "http://app1:8080/with%20space/items"),
    ],
)
def test_an_address_out_of_an_answer_is_asked_of_the_target(location: str, url: str) -> None:
    """The public name of the service may lead to another host of the fleet, and credentials go along."""
    service = Service(said(201, "", ("Location", location)), said())
    service.run({"url": "/orders", "status": 201, "keep": {"at": "headers.location"}}, {"url": "${at}/items"})
    assert service.asked[1].url == url


@pytest.mark.parametrize(
    ("pattern", "kept"), [('name="csrf" value="([^"]+)"', "c-1"), ("c-[0-9]", "c-1"), ("other", None), ("(x)?<i", None)]
)
def test_a_value_is_kept_out_of_a_page(pattern: str, kept: str | None) -> None:
    service = Service(said(200, '<input name="csrf" value="c-1">'), said())
    done = service.run({"url": "/form", "keep": {"csrf": f"regex:{pattern}"}}, {"url": "/${csrf}"})
    assert done[0].passed == (kept is not None)
    assert [request.url for request in service.asked[1:]] == ([f"http://app1:8080/base/{kept}"] if kept else [])
    assert "c-1" not in done[0].reason


def test_a_kept_value_that_would_break_a_header_is_not_sent() -> None:
    service = Service(said(200, '{"t": "a\\r\\nX: y"}'))
    dummy, done = service.run({"url": "/a", "keep": {"t": "body.t"}}, {"url": "/b", "headers": {"T": "${t}"}})
    assert done.reason == (
        "GET http://app1:8080/base/b could not be asked: a kept value does not fit into its header T"
    )
    assert len(service.asked) == 1


def test_a_quote_in_a_kept_value_does_not_end_the_literal() -> None:
    service = Service(said(200, '{"n": "it\'s"}'), said(200, '{"n": "it\'s"}'))
    dummy, done = service.run({"url": "/a", "keep": {"n": "body.n"}}, {"url": "/b", "expect": "n == '${n}'"})
    assert done.passed


def test_a_kept_value_that_does_not_fit_an_expression_fails_that_request() -> None:
    service = Service(said(200, '{"n": "1`"}'), said(200, "{}"))
    dummy, done = service.run({"url": "/a", "keep": {"n": "body.n"}}, {"url": "/b", "expect": "n == `${n}`"})
    assert done.reason == (
        'GET http://app1:8080/base/b answered 200 but expect "n == `${n}`" cannot be judged with the kept values in '
        "its places (body: {})"
    )


def test_after_a_failure_nothing_is_sent() -> None:
    service = Service(said(), said(500, ""))
    done = service.run({"url": "/a"}, {"name": "b", "url": "/b"}, {"url": "/c"})
    assert [one.passed for one in done] == [True, False, False]
    assert (done[2].reason, done[2].tries, done[2].status, done[2].seconds) == (
        "not sent, because 'b' failed",
        0,
        None,
        None,
    )


def test_without_stop_only_what_needs_a_missing_value_is_left_out() -> None:
    service = Service(said(500, ""), said())
    done = service.run(
        {"url": "/a", "keep": {"t": "body.t"}},
        {"url": "/b", "headers": {"T": "${t}"}},
        {"url": "/c"},
        stop_on_failure=False,
    )
    assert [one.passed for one in done] == [False, False, True]
    assert done[1].reason == "not sent, because nothing was kept as t"


def test_tries_with_pauses_until_it_is_good() -> None:
    service = Service(said(503, ""), ConnectionRefusedError(), said())
    (done,) = service.run({"url": "/a", "tries": 5, "pause": 3})
    assert (done.passed, done.tries, service.slept) == (True, 3, [3.0, 3.0])


def test_cookies_are_sent_back_under_the_name_the_service_is_called_by() -> None:
    cookie = ("Set-Cookie", "session=s3cret; Domain=shop.example; Path=/")
    service = Service(said(200, "", cookie), said(500, "I saw s3cret"), said())
    done = service.run({"url": "/a"}, {"name": "b", "url": "/b"}, headers={"Host": "www.shop.example"})
    assert service.asked[1].headers["Cookie"] == "session=s3cret"
    assert done[1].reason == "GET http://app1:8080/base/b answered 500, expected 200 (body: I saw ********)"


def test_credentials_do_not_follow_a_redirect_to_another_host() -> None:
    service = Service(
        said(302, "", ("Location", "http://elsewhere/x"), ("Set-Cookie", "session=s3cret")), said(), said()
    )
    service.run({"url": "/a", "follow_redirects": True, "headers": {"Authorization": "Bearer abcd"}}, {"url": "/b"})
    assert service.asked[1].url == "http://elsewhere/x"
    assert not {"Authorization", "Cookie"} & set(service.asked[1].headers)
    assert service.asked[2].headers["Cookie"] == "session=s3cret"


def many(*failing: int) -> list[list[Done]]:
    names = [f"http://app{number}" for number in range(6)]
    params = params_of(smoke_test, {"targets": names, "requests": [{"name": "home", "url": "/"}]})
    plan = options.from_params(params)
    return [
        [Done(target, plan.steps[0], number not in failing, "GET x answered 500", 500, 0.1, 1)]
        for number, target in enumerate(plan.targets)
    ]


def test_the_sentence_about_many_targets() -> None:
    assert smoke_test_core.outcome(many(), 1.23, False)["msg"] == "1 request to each of 6 targets passed in 1.2 s."
    assert smoke_test_core.outcome(many(0, 1, 2, 4, 5), 1.23, False)["msg"] == (
        "app0: 'home' failed: GET x answered 500. app1: 'home' failed: GET x answered 500. app2: 'home' failed: GET x "
        "answered 500. Also failed: app4, app5. Check the service's log on app0, app1, app2."
    )


def test_a_kept_value_is_hidden_wherever_the_service_repeats_it() -> None:
    service = Service(said(200, '{"id": "4711-4712"}'), said(404, "no 4711-4712 here"))
    done = service.run({"url": "/a", "keep": {"id": "body.id"}}, {"url": "/b/${id}"})
    assert done[1].reason == "GET http://app1:8080/base/b/${id} answered 404, expected 200 (body: no ******** here)"


def test_a_short_kept_value_is_hidden_in_an_answer() -> None:
    service = Service(said(200, '{"id": 42}'), said(404, "no 42 here"))
    done = service.run({"url": "/a", "keep": {"id": "body.id"}}, {"url": "/b/${id}"})
    assert done[1].reason == "GET http://app1:8080/base/b/${id} answered 404, expected 200 (body: no ******** here)"


def test_a_secret_is_hidden_before_a_long_answer_is_cut() -> None:
    service = Service(said(500, "x" * 190 + " hunter2222222222222 and more"))
    (done,) = service.run({"url": "/a", "headers": {"X-Api": "hunter2222222222222"}})
    assert "hunter" not in done.reason
    assert done.reason.endswith("x ******...)")


def test_every_try_is_made() -> None:
    service = Service(said(503, ""), said(503, ""), said(503, ""))
    (done,) = service.run({"url": "/a", "tries": 3, "pause": 1})
    assert (done.passed, done.tries, len(service.asked)) == (False, 3, 3)


def test_a_redirect_is_an_answer_unless_it_is_to_be_followed() -> None:
    service = Service(said(302, "", ("Location", "/b")))
    (done,) = service.run({"url": "/a", "status": [302], "follow_redirects": False})
    assert (done.passed, len(service.asked)) == (True, 1)


def test_nothing_is_no_value_to_keep() -> None:
    (done,) = Service(said(200, "id=;")).run({"url": "/a", "keep": {"id": "regex:id=([0-9]*)"}})
    assert done.reason.startswith("GET http://app1:8080/base/a answered 200 but what it should keep as id, ")
    assert ", is nothing" in done.reason
