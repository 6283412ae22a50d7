# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an answer may be shown (invariant 20)."""

from __future__ import annotations

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.http import excerpts
from ansible_collections.steady.rollout.plugins.module_utils.http.excerpts import HIDDEN


def test_telling_names_are_hidden_in_documents() -> None:
    document = {"access_token": {"deep": 1}, "list": [{"pass": "x", "name": "y"}]}
    assert excerpts.without_secrets(document) == {"access_token": HIDDEN, "list": [{"pass": HIDDEN, "name": "y"}]}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"refresh_token": "abc", "name": "y", "cut', f'{{"refresh_token": "{HIDDEN}", "name": "y", "cut'),
        ("token=abc&x=y", f"token={HIDDEN}&x=y"),
        ("Authorization: Bearer abc.def", f"Authorization: Bearer {HIDDEN}"),
        ("Proxy-Authorization: Basic YTpi", f"Proxy-Authorization: Basic {HIDDEN}"),
        ("cannot reach postgres://shop:s3cret@db/shop", f"cannot reach postgres://shop:{HIDDEN}@db/shop"),
        ('{"dsn": "redis://:pw@cache", "jwt": [1]}', f'{{"dsn": "redis://:{HIDDEN}@cache", "jwt": "{HIDDEN}"}}'),
        ("starting\n  up", "starting up"),
    ],
)
def test_what_an_answer_is_shown_as(text: str, shown: str) -> None:
    assert excerpts.masked(text) == shown


def test_known_secrets_are_hidden_however_the_answer_cuts_them() -> None:
    hide = excerpts.known(["hunter2", "hunter2hunter2"])
    assert excerpts.excerpt("hunter2hunter2 said hunter2", hide) == f"{HIDDEN} said {HIDDEN}"
    assert excerpts.excerpt("open\n  sesame", excerpts.known(["open sesame"])) == HIDDEN
    assert excerpts.excerpt("x" * 300, hide) == "x" * 197 + "..."
