# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Which versions of another service a version works with, such as '>=2.0,<3'."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

OPERATORS: dict[str, t.Callable[[t.Any, t.Any], bool]] = {
    ">=": lambda found, wanted: bool(found >= wanted),
    "<=": lambda found, wanted: bool(found <= wanted),
    "==": lambda found, wanted: bool(found == wanted),
    "!=": lambda found, wanted: bool(found != wanted),
    ">": lambda found, wanted: bool(found > wanted),
    "<": lambda found, wanted: bool(found < wanted),
}
CLAUSE = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*([0-9A-Za-z][0-9A-Za-z.+-]*)\s*")
VERSION = re.compile(r"([0-9]+(?:\.[0-9]+)*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
"""Numbers with dots, then a pre-release (1.0.0-rc.1), then build metadata, which has no order."""
Key = t.Tuple[t.Tuple[int, ...], t.Tuple[t.Tuple[int, int, str], ...]]


def key_of(version: str) -> Key | None:
    """Orders versions as Semantic Versioning does, with any number of numbers; None if they have no order."""
    found = VERSION.fullmatch(version)
    if found is None:
        return None
    numbers = [int(number) for number in found.group(1).split(".")]
    while numbers[-1:] == [0]:
        numbers.pop()
    before = found.group(2)
    # Without a pre-release part it is the release itself, which comes after its pre-releases.
    parts = [_part(part) for part in before.split(".")] if before else [(2, 0, "")]
    return tuple(numbers), tuple(parts)


def _part(text: str) -> tuple[int, int, str]:
    return (0, int(text), "") if text.isdigit() else (1, 0, text)


def check(constraint: str) -> None:
    """InputError if it is not a constraint."""
    _clauses(constraint)


def meets(version: str, constraint: str) -> bool:
    """InputError if it is not a constraint, or if *version* has no order."""
    found = key_of(version)
    clauses = _clauses(constraint)
    if found is None:
        raise InputError(f"cannot compare '{version:.80}' with '{constraint}': expected a version such as 2.1.0")
    return all(compare(found, wanted) for compare, wanted in clauses)


def _clauses(constraint: str) -> list[tuple[t.Callable[[t.Any, t.Any], bool], Key]]:
    clauses = []
    for text in str(constraint).split(","):
        found = CLAUSE.fullmatch(text)
        wanted = key_of(found.group(2)) if found else None
        if found is None or wanted is None:
            raise InputError(f"'{constraint!s:.80}' is not a constraint such as '>=2.0' or '>=2.0,<3'")
        clauses.append((OPERATORS[found.group(1)], wanted))
    return clauses
