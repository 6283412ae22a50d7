# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets are checked before the first look."""

from __future__ import annotations

import builtins
import sys
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.http import queries, targets

DEFAULTS: dict[str, t.Any] = {
    "name": "app1",
    "method": "GET",
    "status": [200],
    "version_path": "version",
    "timeout": 5.0,
    "follow_redirects": False,
    "validate_certs": True,
}


def option(**given: t.Any) -> dict[str, t.Any]:
    return {**DEFAULTS, **given}


def refusal(*options: dict[str, t.Any]) -> str:
    with pytest.raises(InputError) as refused:
        targets.from_options(list(options))
    return refused.value.message


def test_no_targets_are_no_good_news() -> None:
    assert refusal() == "targets: the list is empty, so nothing could be healthy; give at least one target."


def test_names_are_unique() -> None:
    two = option(tcp="h:1")
    assert refusal(two, two) == "targets: the name 'app1' is given 2 times; each needs its own."


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "'app1' needs exactly one of url, tcp and command; it has none."),
        (
            {"url": "http://h", "tcp": "h:1"},
            "'app1' needs exactly one of url, tcp and command; it has url and tcp.",
        ),
        ({"tcp": "h:1", "timeout": 0.0}, "timeout of 'app1': expected more than 0 s, found 0."),
        (
            {"tcp": "h:1", "latency": -1.0},
            "latency of 'app1': '-1.0' is not a duration; expected seconds, or for example 30s, 5m or 1h30m.",
        ),
        ({"url": "http://h", "status": []}, "'app1' has an empty status list, so no answer could be right."),
        ({"url": "http://h", "status": [2000]}, "'app1' has status 2000; an HTTP status is from 100 to 599."),
        (
            {"tcp": "h:1", "version": "2"},
            "'app1' has tcp, which has no answer to read expect or version from; use url.",
        ),
        (
            {"url": "ftp://bob:secret@h/x"},
            "the url of 'app1' is not an http or https URL with a host and a valid port: h/x",
        ),
        ({"url": "http://h:99999"}, "the url of 'app1' is not an http or https URL with a host and a valid port: "),
        (
            {"url": "http://h/a b"},
            "the url of 'app1' holds a character that needs percent-encoding, such as %20.",
        ),
        ({"tcp": "h"}, "the tcp of 'app1' is 'h'; expected host:port, such as 10.0.0.3:5432."),
        ({"tcp": "h:0"}, "the tcp of 'app1' is 'h:0'; expected host:port, such as 10.0.0.3:5432."),
        (
            {"command": "echo 'open"},
            "the command of 'app1' is neither a list of words nor a line that splits into some.",
        ),
        (
            {"url": "http://h", "headers": {"X-A": "a\r\nX-B: b"}},
            "'app1' has a header 'X-A' that HTTP does not allow.",
        ),
        (
            {"url": "http://h", "expect": "status =="},
            "targets: expect of 'app1' is not valid JMESPath: \"status ==\" "
            "(Invalid jmespath expression: Incomplete expression).",
        ),
    ],
)
def test_what_cannot_be_right_is_named(given: dict[str, t.Any], sentence: str) -> None:
    message = refusal(option(**given))
    assert message == sentence if sentence.startswith("targets:") else message.startswith(f"targets: {sentence}")


def test_a_missing_jmespath_says_where_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def no_jmespath(name: str, *rest: t.Any, **named: t.Any) -> t.Any:
        if name == "jmespath":
            raise ImportError(name)
        return real_import(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", no_jmespath)
    monkeypatch.setattr("socket.gethostname", lambda: "host1")
    assert refusal(option(url="http://h", expect="a == 'b'")) == (
        f"targets: expect of 'app1' needs the Python package jmespath on host1, for {sys.executable}, and it is not "
        f"there. Install it ('{sys.executable} -m pip install jmespath') or run the task on a host that has it."
    )
    assert targets.from_options([option(url="http://h", expect="build.fine")])


def test_a_plain_path_means_what_jmespath_means() -> None:
    import jmespath

    documents: tuple[t.Any, ...] = ({"a": {"b": 1}}, {"a": []}, {"a": None}, [], None, "a")
    for document in documents:
        query = queries.compiled("t", "expect", "a.b")
        assert query is not None
        assert query(document) == jmespath.search("a.b", document)


def test_an_expression_that_does_not_fit_the_document_finds_nothing() -> None:
    query = queries.compiled("t", "expect", "length(a) > `0`")
    assert query is not None
    assert query({"a": 5}) is None


def test_credentials_become_a_header_and_are_never_shown() -> None:
    (target,) = targets.from_options(
        [option(url="http://bob:s%3Acret@h:81/x?token=abcd&a=1", headers={"Host": "shop"})]
    )
    assert target.headers["Authorization"] == "Basic Ym9iOnM6Y3JldA=="
    assert target.place == "http://h:81/x"
    assert set(target.secrets) == {"s%3Acret", "s:cret", "Ym9iOnM6Y3JldA==", "abcd"}


def test_secrets_are_hidden_but_harmless_headers_are_not() -> None:
    secrets = targets.secrets_of(
        option(headers={"Accept": "text/html", "X-Pin": "123", "Authorization": "Bearer abcde"})
    )
    assert secrets == ("Bearer abcde", "abcde")
    assert targets.redacted("got abcde and 123", secrets) == "got ******** and 123"


def test_a_structure_is_sent_as_json() -> None:
    (target,) = targets.from_options([option(url="http://h", body={"a": 1})])
    assert (target.body, target.headers["Content-Type"]) == (b'{"a": 1}', "application/json")


def test_a_line_is_split_into_words_without_a_shell() -> None:
    (target,) = targets.from_options([option(command="check 'a b' $HOME")])
    assert target.command == ("check", "a b", "$HOME")


def test_an_ipv6_address_is_taken_out_of_its_brackets() -> None:
    (target,) = targets.from_options([option(tcp="[::1]:80")])
    assert target.tcp == ("::1", 80)
