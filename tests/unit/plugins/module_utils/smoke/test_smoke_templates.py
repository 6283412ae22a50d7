# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.smoke import templates

KEPT = {"token": "a b", "number": 7, "yes": True}


def test_values_are_filled_into_texts() -> None:
    assert templates.filled("x ${token}/${number} ${yes}", KEPT) == "x a b/7 true"
    assert templates.filled("$${token} $5 ${", KEPT) == "${token} $5 ${"
    with pytest.raises(KeyError):
        templates.filled("${other}", KEPT)


def test_a_text_that_is_one_place_takes_the_value_with_its_type() -> None:
    structure = {"id": "${number}", "text": "no ${number}", "list": ["${yes}", 1.5, None], "literal": "$${"}
    assert templates.filled_structure(structure, KEPT) == {
        "id": 7, "text": "no 7", "list": [True, 1.5, None], "literal": "${",
    }  # fmt: skip


def test_names_are_found_wherever_they_are() -> None:
    assert templates.names_in({"a": ["x ${one}${two}"], "b": {"c": "${three}"}, "d": 5, "e": "$${four}"}) == [
        "one", "two", "three",
    ]  # fmt: skip
