# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Conditions as users write them, "< 500ms" or "within 20%", turned into ranges in the metric's own unit."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import Range

NUMBER = r"(-?\d+(?:\.\d+)?(?:[eE]-?\d+)?)"
COMPARISON = re.compile(r"(<=|>=|<|>)\s*" + NUMBER + r"\s*(%|[a-z]*)")
WITHIN = re.compile(r"within\s+(\d+(?:\.\d+)?)\s*%")
FRACTION = re.compile(r"(\d+(?:\.\d+)?)\s*(%?)")

LIMIT_FORMS = "'< 1%', '<= 500ms' or '> 10, < 20'"
BASELINE_FORMS = "'< 2x', '> 90%' or 'within 20%'"

Convert = t.Callable[[float, str], float]


def parse_limit(where: str, given: object, unit: str) -> Range:
    """A bound on the figure itself, in *unit* (of time, "%", or none); raises InputError."""
    return _range(where, given, LIMIT_FORMS, lambda number, suffix: _in_unit(where, number, suffix, unit))


def parse_baseline(where: str, given: object) -> Range:
    """A bound on the ratio to the baseline's figure; raises InputError."""
    within = WITHIN.fullmatch(str(given).strip())
    if within:
        part = float(within.group(1)) / 100
        return Range(1 - part, 1 + part, True, True, within.group(0))
    return _range(where, given, BASELINE_FORMS, lambda number, suffix: _ratio(where, number, suffix))


def parse_fraction(where: str, given: object) -> float:
    """A fraction from 0 to 1, from 0.1 or "10%"; raises InputError."""
    match = None if isinstance(given, bool) else FRACTION.fullmatch(str(given).strip())
    fraction = float(match.group(1)) / (100 if match.group(2) else 1) if match else None
    if fraction is None or fraction > 1:
        raise InputError(f"{where}: {given!r} is not a share; give one from 0 to 1, for example 0.1 or 10%.")
    return fraction


def _range(where: str, given: object, forms: str, convert: Convert) -> Range:
    text = str(given).strip()
    bounds: dict[str, tuple[float, bool]] = {}
    for part in text.split(","):
        match = COMPARISON.fullmatch(part.strip())
        side = "high" if match and match.group(1)[0] == "<" else "low"
        if match is None or side in bounds:
            raise InputError(f"{where}: '{text}' is not a condition; write what is good, for example {forms}.")
        bounds[side] = (convert(float(match.group(2)), match.group(3)), match.group(1).endswith("="))
    low, low_allowed = bounds.get("low", (None, False))
    high, high_allowed = bounds.get("high", (None, False))
    if low is not None and high is not None and low >= high:
        raise InputError(f"{where}: '{text}' is never fulfilled; the lower bound has to be below the upper one.")
    return Range(low, high, low_allowed, high_allowed, text)


def _in_unit(where: str, number: float, suffix: str, unit: str) -> float:
    if suffix in ("", unit):
        return number
    if suffix == "%" and unit == "":
        return number / 100
    if suffix in durations.UNITS and unit in durations.UNITS:
        return number * durations.UNITS[suffix] / durations.UNITS[unit]
    raise InputError(f"{where}: '{suffix}' does not go with a metric in {unit or 'no unit'}; set the metric's unit.")


def _ratio(where: str, number: float, suffix: str) -> float:
    ratio = number / 100 if suffix == "%" else number
    if suffix not in ("%", "x") or ratio <= 0:
        raise InputError(f"{where}: a ratio to the baseline is wanted; write for example {BASELINE_FORMS}.")
    return ratio
