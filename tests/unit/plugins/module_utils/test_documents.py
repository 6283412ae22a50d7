# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON of strangers is a document or a ValueError (invariant 19)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils import documents


@pytest.mark.parametrize("levels", [101, 900, 100000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_json_ends_in_no_recursion(levels: int, opening: str, closing: str) -> None:
    text = opening * levels + "1" + closing * levels
    with pytest.raises(ValueError, match="nested deeper than 100 levels"):
        documents.parsed(text)
    assert documents.parsed_or_none(text) is None


def test_a_hundred_levels_are_read() -> None:
    assert documents.parsed("[" * 100 + "]" * 100)


@pytest.mark.parametrize("text", [r'"\ud800"', r'{"\udfff": 1}', '"\udc80"'])
def test_half_a_character_is_no_text(text: str) -> None:
    assert documents.parsed_or_none(text) is None


def test_whole_characters_are_text() -> None:
    assert documents.parsed(r'"\ud83d\udc4b"') == "👋"


@given(st.text())
def test_any_text_is_a_document_or_none(text: str) -> None:
    document = documents.parsed_or_none(text)
    assert document is None or json.dumps(document, ensure_ascii=False).encode()
