# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The targeting of a flag of flagd: first the segments whose users all have the feature, then a share of everybody else.

A segment is an evaluator of the file, which rules of several flags can refer to by its name.
"""

from __future__ import annotations

import json
import typing as t

REFERENCE = "$ref"


class Variants(t.NamedTuple):
    """What the variants with true and with false are called."""

    yes: str
    no: str


class Targeting(t.NamedTuple):
    """*percent* is None where nothing is said of a share; *rules* is what else there is, in words."""

    percent: int | None = None
    segments: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    bucketed_by: tuple[t.Any, ...] = ()
    """The expression that distinguishes users, where there is one."""


def read(given: t.Any, variants: Variants) -> Targeting:
    if not given:
        return Targeting()
    segments, rest = _segments_first(given, variants)
    if segments and rest in (variants.no, None):
        return Targeting(0, segments)
    split = rest.get("fractional") if isinstance(rest, dict) and len(rest) == 1 else None
    percent = _percent(split, variants)
    if percent is None:
        return Targeting(rules=(f"targeting {json.dumps(given)[:120]}",))
    return Targeting(percent, segments, (), tuple(_bucketed_by(split)))


def made(percent: int, segments: t.Sequence[str], variants: Variants, bucketed_by: t.Sequence[t.Any]) -> t.Any:
    """For a flag whose default is no."""
    shares = [[variants.yes, percent]] if percent else []
    share: t.Any = {"fractional": [*bucketed_by, *shares, [variants.no, 100 - percent]]}
    if not segments:
        return share
    cases = [part for name in segments for part in ({REFERENCE: name}, variants.yes)]
    return {"if": [*cases, share if percent else variants.no]}


def _segments_first(given: t.Any, variants: Variants) -> tuple[tuple[str, ...], t.Any]:
    """The segments of an 'if' that is about nothing else, and what is left for everybody else."""
    parts = given.get("if") if isinstance(given, dict) and len(given) == 1 else None
    if not isinstance(parts, list) or len(parts) < 3 or len(parts) % 2 == 0:
        return (), given
    names = [one.get(REFERENCE) if isinstance(one, dict) and len(one) == 1 else None for one in parts[:-1:2]]
    if not all(isinstance(name, str) for name in names) or any(one != variants.yes for one in parts[1:-1:2]):
        return (), given
    return tuple(sorted(map(str, names))), parts[-1]


def _percent(split: t.Any, variants: Variants) -> int | None:
    """What a 'fractional' says of the variant with true; None where it is about something else."""
    weights: dict[str, float] = {variants.yes: 0, variants.no: 0}
    shares = split[len(_bucketed_by(split)) :] if isinstance(split, list) else []
    for share in shares:
        if not (isinstance(share, list) and len(share) == 2 and share[0] in weights and _is_number(share[1])):
            return None
        weights[share[0]] += share[1]
    total = sum(weights.values())
    return round(100 * weights[variants.yes] / total) if total else None


def _is_number(value: t.Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _bucketed_by(split: t.Any) -> list[t.Any]:
    return split[:1] if isinstance(split, list) and split and not isinstance(split[0], list) else []
