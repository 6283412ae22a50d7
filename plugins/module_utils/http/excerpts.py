# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What may be shown of an answer: its beginning, without the values whose names say that they are secrets."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import documents
from ansible_collections.steady.rollout.plugins.module_utils.http.targets import SECRET_PARAMETERS, redacted

HIDDEN = "********"
LONGEST = 200
MOST_MASKED = 20000
"""Characters of a text without structure; only its beginning is shown."""
SECRET_PAIR = re.compile(
    r"""((?:auth|cookie|credential|jwt|key|pass|secret|sig|token)[\w-]{0,60}["']?\s{0,9}[:=]\s{0,9}["']?"""
    r"""(?:(?:basic|bearer|digest|negotiate|token)\s+)?)([^\s"'&,;}<]+)""",
    re.IGNORECASE,
)
"""The name of a secret and its value in a text of whatever kind."""
PASSWORD_IN_URL = re.compile(r"(://[^\s/@:\"']{0,200}:)[^\s/@\"']{1,200}(?=@)")


def names_a_secret(name: str) -> bool:
    """Whether a name says that what it names is a secret."""
    return bool(SECRET_PARAMETERS.fullmatch(name))


def without_secrets(document: t.Any) -> t.Any:
    """A JSON document whose values with names of secrets are hidden, whatever they are."""
    if isinstance(document, dict):
        return {name: HIDDEN if names_a_secret(name) else without_secrets(value) for name, value in document.items()}
    if isinstance(document, list):
        return [without_secrets(value) for value in document]
    return document


def without_secret_pairs(text: str) -> str:
    """A text of any kind, with what follows the name of a secret hidden, and the passwords in URLs."""
    return PASSWORD_IN_URL.sub(rf"\1{HIDDEN}", SECRET_PAIR.sub(rf"\1{HIDDEN}", text))


def masked(text: str) -> str:
    """An answer on one line, JSON or not, with all that names itself a secret hidden."""
    document = documents.parsed_or_none(text)
    if isinstance(document, (dict, list)):
        text = PASSWORD_IN_URL.sub(rf"\1{HIDDEN}", json.dumps(without_secrets(document), ensure_ascii=False))
    else:
        text = without_secret_pairs(text[:MOST_MASKED])
    return " ".join(text.split())


def excerpt(text: str, hide: t.Callable[[str], str]) -> str:
    """The beginning of an answer on one line; *hide* takes known secrets out, before and after it is put on one line."""
    return shortened(hide(masked(hide(text))))


def known(secrets: t.Iterable[str]) -> t.Callable[[str], str]:
    """Takes these secrets out of a text."""
    longest_first = sorted(secrets, key=len, reverse=True)
    return lambda text: redacted(text, longest_first)


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
