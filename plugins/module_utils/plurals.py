# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Numbers with their nouns: 1 host, 2 hosts."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def are(number: int) -> str:
    return "is" if number == 1 else "are"


def all_of(number: int, noun: str) -> str:
    """The subject and its verb."""
    return f"the one {noun} is" if number == 1 else f"all {number} {noun}s are"
