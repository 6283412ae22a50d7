# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints over HTTP: what is asked, what an answer means, and that no secret is shown."""

from __future__ import annotations

import typing as t

import pytest
from support.throwing import throw

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.http import exchange as client
from ansible_collections.steady.rollout.plugins.module_utils.metrics import http
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import Trouble

URL = "http://prometheus:9090/base/"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> t.Any:
    """(what is answered, what was asked)"""
    answer: list[t.Any] = [client.Answer(200, b'{"a": 1}')]
    asked: list[client.Request] = []

    def exchange(request: client.Request, deadline: client.Deadline) -> client.Answer:
        asked.append(request)
        if isinstance(answer[0], Exception):
            throw(answer[0])
        return t.cast(client.Answer, answer[0])

    monkeypatch.setattr(client, "exchange", exchange)
    return answer, asked


def endpoint(**settings: t.Any) -> http.Endpoint:
    return http.endpoint("sources.p", {"url": URL, **settings})


def test_a_path_and_parameters_are_added_to_the_url(answers: t.Any) -> None:
    assert endpoint().ask("/api/v1/query", [("query", 'a{b="c d"}'), ("filter", "x"), ("filter", "y")]) == {"a": 1}
    (request,) = answers[1]
    assert request.url == "http://prometheus:9090/base/api/v1/query?query=a%7Bb%3D%22c+d%22%7D&filter=x&filter=y"
    assert request.method == "GET"
    assert not request.follow_redirects


def test_without_a_path_the_url_is_left_alone(answers: t.Any) -> None:
    endpoint(url="http://shop/figures?a=1").ask(method="POST", body=b"{}")
    assert (answers[1][0].url, answers[1][0].method, answers[1][0].body) == ("http://shop/figures?a=1", "POST", b"{}")


@pytest.mark.parametrize(
    ("settings", "authorization"),
    [
        ({"token": "s3cret"}, "Bearer s3cret"),
        ({"user": "ops", "password": "pw"}, "Basic b3BzOnB3"),
        ({"url": "http://ops:pw@prometheus:9090"}, "Basic b3BzOnB3"),
        ({"token": "x", "headers": {"authorization": "Own y"}}, None),
        ({}, None),
    ],
)
def test_credentials(settings: dict[str, t.Any], authorization: str | None) -> None:
    assert endpoint(**settings).headers.get("Authorization") == authorization


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (client.Answer(400, b'{"error": "parse error at s3cret"}'), "answered 400: parse error at ********"),
        (client.Answer(503, b"<html>down\n</html>"), "answered 503: <html>down </html>"),
        (client.Answer(302, b""), "answered 302"),
        (client.Answer(200, b"<html>s3cret</html>"), "gave no JSON but '<html>********</html>'"),
        (TimeoutError(), "did not answer within 10 s"),
        (ConnectionRefusedError(), "refused the connection"),
        (ConnectionResetError(), "reset the connection"),
    ],
)
def test_trouble_is_reported_without_secrets(answers: t.Any, answer: t.Any, message: str) -> None:
    answers[0][0] = answer
    with pytest.raises(Trouble) as caught:
        endpoint(token="s3cret", url="http://u:pw12@prometheus:9090/?key=v").ask("")
    assert str(caught.value) == f"http://prometheus:9090/ {message}"


def test_a_long_answer_is_cut_after_its_secrets_are_hidden(answers: t.Any) -> None:
    answers[0][0] = client.Answer(500, (b"x" * 195) + b"s3cret-token" + b"y" * 300)
    with pytest.raises(Trouble) as caught:
        endpoint(token="s3cret-token").ask("")
    assert "s3c" not in str(caught.value)
    assert str(caught.value).endswith("...")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": ""}, "url is ''; expected http:// or https://, a host and, if need be, a port and a path."),
        (
            {"url": "ftp://x"},
            "url is 'ftp://x'; expected http:// or https://, a host and, if need be, a port and a path.",
        ),
        (
            {"url": "http://u:secret@h:99999/x"},
            "url is 'not a URL'; expected http:// or https://, a host and, if need be, a port and a path.",
        ),
        ({"timeout": 0}, "timeout: expected more than 0 s, found 0."),
        ({"headers": {"A B": "x"}}, "HTTP does not allow the header 'A B' as it is given."),
        (
            {"ca_path": "/nowhere.pem"},
            "ca_path cannot be used: /nowhere.pem (No such file or directory).",
        ),
    ],
)
def test_settings_that_cannot_be_right(settings: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        endpoint(**settings)
    assert caught.value.message.replace("sources.p.timeout", "sources.p: timeout") == f"sources.p: {message}"


def test_what_is_secret() -> None:
    settings = {
        "url": "https://u:inurl@h/?token=inquery&a=b",
        "password": "pass",
        "token": "bearer",
        "headers": {"X-Key": "inheader", "Accept": "text/plain"},
    }
    found = http.secrets(settings)
    assert {"inurl", "inquery", "pass", "bearer", "inheader"} <= set(found)
    assert "text/plain" not in found
    assert list(found) == sorted(found, key=len, reverse=True)
