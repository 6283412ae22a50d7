# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""C(${name}) in the options of a request stands for a value kept from an earlier answer. Pure.

Ansible's own braces are filled in before the module runs, when no answer is there yet.
"""

from __future__ import annotations

import re
import typing as t

PLACE = re.compile(r"\$\$\{|\$\{([^}]*)\}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LITERAL = "$${"

Value = t.Union[str, int, float, bool]
Kept = t.Mapping[str, Value]
Encode = t.Callable[[str], str]


def as_text(value: Value) -> str:
    """A value as it is written into a text; booleans as JSON has them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def names_in(option: t.Any) -> list[str]:
    """What stands between C(${) and C(}) anywhere in a text or in the values of a structure."""
    if isinstance(option, str):
        return [match.group(1) for match in PLACE.finditer(option) if match.group(0) != LITERAL]
    if isinstance(option, dict):
        return [name for value in option.values() for name in names_in(value)]
    if isinstance(option, (list, tuple)):
        return [name for value in option for name in names_in(value)]
    return []


def filled(text: str, kept: Kept, encode: Encode = str) -> str:
    """*text* with the values in their places; KeyError for a name that is not kept."""

    def value(match: t.Match[str]) -> str:
        return "${" if match.group(0) == LITERAL else encode(as_text(kept[match.group(1)]))

    return PLACE.sub(value, text)


def filled_structure(option: t.Any, kept: Kept) -> t.Any:
    """A structure with its texts filled; a text that is nothing but one place becomes the value with its type."""
    if isinstance(option, dict):
        return {name: filled_structure(value, kept) for name, value in option.items()}
    if isinstance(option, (list, tuple)):
        return [filled_structure(value, kept) for value in option]
    if not isinstance(option, str):
        return option
    whole = PLACE.fullmatch(option)
    return kept[whole.group(1)] if whole and whole.group(0) != LITERAL else filled(option, kept)
