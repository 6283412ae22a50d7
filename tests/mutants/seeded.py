# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a seeded bug is. Each is in the seeded_*.py of its subject, and its tests must catch it.

A mutant is a file, a text in it and what stands there instead. Each breaks something that invariants name.
"""

from __future__ import annotations

import typing as t


class Mutant(t.NamedTuple):
    """*tests* are those that could catch it, where they are not the unit tests that mirror the file (see check.py)."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = ()


def of(file: str, *bugs: tuple[str, str, str], tests: tuple[str, ...] = ()) -> tuple[Mutant, ...]:
    """Several bugs in one file, each a name, a text, and what stands there instead."""
    return tuple(Mutant(name, file, old, new, tests) for name, old, new in bugs)
