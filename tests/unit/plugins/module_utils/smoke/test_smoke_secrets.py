# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.smoke import secrets
from ansible_collections.steady.rollout.plugins.module_utils.smoke.secrets import Secrets

HIDDEN = secrets.HIDDEN


@given(st.text(min_size=4).filter(lambda text: text.strip() and not set(text) & set("*")), st.text())
def test_a_secret_is_hidden_in_every_form(secret: str, around: str) -> None:
    hidden = Secrets([secret])
    for form in (secret, json.dumps(secret)[1:-1], quote(secret, safe="") if _can_be_quoted(secret) else secret):
        assert form not in hidden.hide(f"{around} {form} {around}") or form in f"{around} {HIDDEN} {around}"


def _can_be_quoted(text: str) -> bool:
    try:
        quote(text)
    except UnicodeEncodeError:
        return False
    return True


def test_short_secrets_are_hidden_as_words_of_an_answer_only() -> None:
    hidden = Secrets(["42"])
    assert hidden.hide("answered 142 and 42") == "answered 142 and 42"
    assert hidden.hide_in_answer("142 and 42, 42x") == f"142 and {HIDDEN}, 42x"


def test_longer_secrets_are_hidden_before_their_parts() -> None:
    assert Secrets(["abcd", "abcdefgh"]).hide("abcdefgh abcd") == f"{HIDDEN} {HIDDEN}"


def test_everything_of_a_result_is_cleaned() -> None:
    assert Secrets(["hunter22"]).hide_everywhere({"a": ["my hunter22", 5], "b": None}) == {
        "a": [f"my {HIDDEN}", 5],
        "b": None,
    }


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"Accept": "text/html", "Content-Type": "x"}, set()),
        ({"Authorization": "Bearer abcd"}, {"Bearer abcd", "abcd"}),
        (
            {"Authorization": "Basic " + base64.b64encode(b"bob:swordfish").decode()},
            {"Basic Ym9iOnN3b3JkZmlzaA==", "Ym9iOnN3b3JkZmlzaA==", "swordfish"},
        ),
        ({"Cookie": "a=one; b=two"}, {"a=one; b=two", "b=two", "one", "two"}),
        ({"X-Number": 7}, {"7"}),
    ],
)
def test_secrets_of_headers(headers: dict[str, object], found: set[str]) -> None:
    assert secrets.of_headers(headers) == found


def test_secrets_of_urls() -> None:
    assert secrets.of_url("http://bob:p%40ss@h/?api_key=k1&page=2") == {"p%40ss", "p@ss", "Ym9iOnBAc3M=", "k1"}
    assert secrets.of_url("http://[") == secrets.of_url(7) == set()


def test_secrets_of_bodies() -> None:
    body = {"user": "ana", "password": "pw", "deep": [{"client_secret": ["s", 5, True, None]}]}
    assert secrets.of_body(body, False) == {"pw", "s", "5"}
    assert secrets.of_body(body, True) == {"ana", "pw", "s", "5"}
    assert secrets.of_body('{"user": "ana", "token": "t"}', False) == {"t"}
    assert secrets.of_body("user=ana&password=p%20w", False) == {"p w"}
    assert secrets.of_body("anything", True) == {"anything"}
    assert secrets.of_body("anything", False) == set()


@pytest.mark.parametrize("shown", ["pass+w%2Frd", "pass w\\/rd", "pass%20w/rd", "pass%20w%2Frd"])
def test_a_secret_is_hidden_as_forms_urls_and_json_write_it(shown: str) -> None:
    assert Secrets(["pass w/rd"]).hide(f"value={shown}.") == "value=********."
