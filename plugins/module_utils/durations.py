# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Durations as users write them: plain seconds, "500ms", "5m" or "1h30m"."""

from __future__ import annotations

import re

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST = 366 * 86400.0
"""No wait of a rollout is longer; larger numbers overflow clocks and files."""
NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,24})?"
PLAIN = re.compile(NUMBER + r"(?:[eE]-[0-9]{1,3})?")
PART = re.compile(rf"({NUMBER})\s*(us|ms|min|s|m|h|d)\s*")
ALL_PARTS = re.compile(rf"(?:{PART.pattern})+")
FORMS = "seconds, or for example 30s, 5m or 1h30m"


def seconds(name: str, given: object, least: float = 0.0, most: float = LONGEST) -> float:
    """The seconds that an option gives; InputError, with the option's *name*, where it gives none from *least* to *most*."""
    found = _parsed(given)
    if found is None:
        raise InputError(f"{name}: '{given!s:.80}' is not a duration; expected {FORMS}.")
    if not least <= found <= most:
        raise InputError(f"{name}: {found:g} s is out of range; expected from {least:g} to {most:g} s.")
    return found


def positive(name: str, given: object, most: float = LONGEST) -> float:
    """As seconds, but more than 0."""
    found = seconds(name, given, most=most)
    if not found:
        raise InputError(f"{name}: expected more than 0 s, found {found:g}.")
    return found


def optional(name: str, given: object) -> float | None:
    """As seconds; None where nothing is given."""
    return None if given is None else seconds(name, given)


def _parsed(given: object) -> float | None:
    if isinstance(given, bool):
        return None
    text = str(given).strip()
    if PLAIN.fullmatch(text):
        return float(text)
    if ALL_PARTS.fullmatch(text):
        return sum(float(number) * UNITS[unit] for number, unit in PART.findall(text))
    return None
