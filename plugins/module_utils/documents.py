# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""JSON from hosts, balancers and files: whatever its sender did, it is a document or a ValueError."""

from __future__ import annotations

import json
import re
import typing as t

DEEPEST = 100
"""Levels; what walks or writes a document recurses, and no answer that means something is nested deeper."""
BRACKETS = re.compile(r"[\[{]")
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


def parsed(text: str) -> t.Any:
    """The document in *text*; ValueError where it is not JSON, is nested too deep or holds text that cannot be encoded."""
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError(f"nested deeper than {DEEPEST} levels") from None
    if sum(1 for dummy in BRACKETS.finditer(text)) > DEEPEST and _is_too_deep(document):
        raise ValueError(f"nested deeper than {DEEPEST} levels")
    if SURROGATE.search(text):
        json.dumps(document, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return document


def parsed_or_none(text: str) -> t.Any:
    """The document in *text*, None where there is none."""
    try:
        return parsed(text)
    except ValueError:
        return None


def _is_too_deep(document: t.Any) -> bool:
    level = [document]
    for dummy in range(DEEPEST):
        level = [inner for one in level for inner in _inside(one) if isinstance(inner, (dict, list))]
        if not level:
            return False
    return True


def _inside(one: t.Any) -> t.Iterable[t.Any]:
    if isinstance(one, dict):
        return one.values()
    return one if isinstance(one, list) else ()
