# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Text from hosts, balancers and responses, made safe to show on a terminal and to store."""

from __future__ import annotations

import re
import typing as t

UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters except tab and newline, what reorders a line, and halves of surrogate pairs, which no encoding takes."""


def printable(text: str) -> str:
    """The text with every unprintable character shown as its escape sequence, such as \\x1b."""
    return UNPRINTABLE.sub(lambda found: ascii(found.group())[1:-1], text)


def printable_all(value: t.Any) -> t.Any:
    """A structure of dictionaries and lists with all its texts printable, keys included."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable_all(name): printable_all(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [printable_all(one) for one in value]
    return value
