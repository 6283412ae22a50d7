# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a smoke test refuses before its first request, and in which words."""

from __future__ import annotations

import typing as t

import pytest
from support.cores import call_core, params_of

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.smoke import options
from ansible_collections.steady.rollout.plugins.module_utils.smoke.steps import Plan
from ansible_collections.steady.rollout.plugins.modules import smoke_test

HOME: dict[str, t.Any] = {"name": "home", "url": "/"}


def plan(*requests: dict[str, t.Any], **given: t.Any) -> Plan:
    return options.from_params(params_of(smoke_test, {"targets": ["http://h:8080"], "requests": [*requests], **given}))


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"timeout": 0}, "requests: timeout of 'home': expected more than 0 s, found 0."),
        (
            {"latency": -1},
            "requests: latency of 'home': '-1' is not a duration; expected seconds, or for example 30s, 5m or 1h30m.",
        ),
        ({"tries": 0}, "requests: 'home' has 0 tries; expected from 1 to 1000."),
        (
            {"pause": -1},
            "requests: pause of 'home': '-1' is not a duration; expected seconds, or for example 30s, 5m or 1h30m.",
        ),
        ({"status": []}, "requests: 'home' has an empty status list, so no answer could be right."),
        ({"status": 99}, "requests: 'home' has status 99; an HTTP status is from 100 to 599."),
        ({"method": "GET /"}, "requests: 'home' has a method that HTTP does not allow: GET /"),
        ({"headers": {"A b": "c"}}, "requests: 'home' has a header 'A b' that HTTP does not allow."),
        ({"headers": {"A": "b\r\nC: d"}}, "requests: 'home' has a header 'A' that HTTP does not allow."),
        ({"expect_headers": {"A:": ""}}, "requests: 'home' has a header 'A:' that HTTP does not allow."),
        (
            {"url": "home?token=x"},
            "requests: the url of 'home' is neither a path that begins with / nor an http or https URL with a host and "
            "a valid port: home",
        ),
        (
            {"url": "http://u:p@h:99999/a?token=x"},
            "requests: the url of 'home' is neither a path that begins with / nor an http or https URL with a host and "
            "a valid port: h:99999/a",
        ),
        (
            {"url": "/a b"},
            "requests: the url of 'home' holds a character that needs percent-encoding, such as %20.",
        ),
        (
            {"body": {"a": 1}, "body_format": "raw"},
            "requests: the body of 'home' is not a text, as body_format raw needs; it is a dict.",
        ),
        (
            {"body": [1], "body_format": "form-urlencoded"},
            "requests: the body of 'home' is not a text or a dictionary, as body_format form-urlencoded needs; it is a "
            "list.",
        ),
        (
            {"keep": {"a-b": "body.id"}},
            "requests: 'home' keeps 'a-b'; a name is made of letters, digits and underscores.",
        ),
        (
            {"keep": {"id": "json.id"}},
            "requests: 'home' keeps 'id' from 'json.id'; expected body and a JMESPath expression such as body.id, "
            "headers.NAME, cookies.NAME or regex:PATTERN.",
        ),
        (
            {"keep": {"id": "body"}},
            "requests: 'home' keeps 'id' from 'body'; expected body and a JMESPath expression such as body.id, "
            "headers.NAME, cookies.NAME or regex:PATTERN.",
        ),
        (
            {"keep": {"id": 7}},
            "requests: 'home' keeps 'id' from '7'; expected body and a JMESPath expression such as body.id, "
            "headers.NAME, cookies.NAME or regex:PATTERN.",
        ),
        (
            {"keep": {"id": "regex:a("}},
            "requests: 'home' keeps 'id' by a regular expression that is not valid: a( (missing ), unterminated "
            "subpattern at position 1).",
        ),
        (
            {"headers": {"A": "${tokn}"}},
            "requests: 'home' uses ${tokn} in headers, and no request before it keeps a value of that name (kept by "
            "then: token, id). Correct the name, or write $${ where ${ itself is meant.",
        ),
        (
            {"body": {"deep": ["${self}"]}, "keep": {"self": "body.id"}},
            "requests: 'home' uses ${self} in body, and no request before it keeps a value of that name (kept by "
            "then: token, id). Correct the name, or write $${ where ${ itself is meant.",
        ),
    ],
)
def test_what_cannot_be_right_is_refused(request_: dict[str, t.Any], sentence: str) -> None:
    first = {"url": "/login", "keep": {"token": "body.t", "id": "headers.x-id"}}
    with pytest.raises(InputError) as refused:
        plan(first, {**HOME, **request_})
    assert refused.value.message == sentence


def test_an_expression_that_is_no_jmespath_is_refused() -> None:
    for request_, option in (({"expect": "a ==="}, "expect"), ({"keep": {"x": "body.["}}, "keep x")):
        with pytest.raises(InputError) as refused:
            plan({**HOME, **request_})
        assert refused.value.message.startswith(f"requests: {option} of 'home' is not valid JMESPath: ")


@pytest.mark.parametrize(
    ("targets", "sentence"),
    [
        ([], "targets: the list is empty, so nothing would be tested; name a base URL or leave it out."),
        ([7], "targets: each is a base URL, or a dictionary with url and name; one is something else."),
        ([{"name": "a"}], "targets: each is a base URL, or a dictionary with url and name; one is something else."),
        (
            ["ftp://u:p@h/?a=b"],
            "targets: a base URL is http or https with a host, a valid port and perhaps a path, such as "
            "http://10.0.0.3:8080; found: h/",
        ),
        (["http://h", "http://h/"], "targets: the name 'h' is given 2 times; each needs its own."),
        (None, "requests: the url of 'home' is only a path, and targets is not given; name a base URL there."),
    ],
)
def test_wrong_targets_are_refused(targets: t.Any, sentence: str) -> None:
    given = {} if targets is None else {"targets": targets}
    outcome = call_core(smoke_test, requests=[HOME], **given)
    assert outcome.error == sentence


def test_an_empty_list_of_requests_is_refused() -> None:
    assert call_core(smoke_test, requests=[]).error == (
        "requests: the list is empty, so nothing would be tested; name at least one request."
    )


def test_authorities_that_are_not_there() -> None:
    outcome = call_core(smoke_test, targets=["https://h"], requests=[HOME], ca_path="/no/such.pem")
    assert outcome.error == "ca_path cannot be used: /no/such.pem (No such file or directory)."


def test_defaults() -> None:
    (step,) = plan({"url": "/a?b=c", "method": "post", "body": {"x": 1}}, headers={"A": 1}).steps
    assert (step.name, step.method, step.body_format, step.headers) == ("POST /a", "POST", "json", {"A": "1"})
    assert plan(HOME).targets[0].name == "h:8080"


def test_an_own_header_comes_before_the_common_one() -> None:
    (step,) = plan({**HOME, "headers": {"A": "own"}}, headers={"A": "common", "B": "b"}).steps
    assert step.headers == {"A": "own", "B": "b"}
