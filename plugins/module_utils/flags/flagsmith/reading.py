# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What Flagsmith's answers say of a flag, and what a change looks like: functions of documents."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import ON, Flag, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.flags.moments import of_text


def features_of(where: str, page: t.Any) -> list[dict[str, t.Any]]:
    listed = page.get("results") if isinstance(page, dict) else None
    if not isinstance(listed, list):
        raise RolloutError(f"{where}: the answer has no list of flags; is system.url that of Flagsmith?")
    return [one for one in listed if isinstance(one, dict) and one.get("name") and isinstance(one.get("id"), int)]


def segments_of(where: str, page: t.Any) -> dict[int, str]:
    listed = page.get("results") if isinstance(page, dict) else None
    if not isinstance(listed, list):
        raise RolloutError(f"{where}: the answer has no list of segments; is system.url that of Flagsmith?")
    return {
        one["id"]: str(one.get("name")) for one in listed if isinstance(one, dict) and isinstance(one.get("id"), int)
    }


def has_overrides(found: t.Any) -> bool:
    """Whether the names of segments are needed to read the flag."""
    return bool(_overrides(found))


def flag_of(where: str, name: str, feature: t.Mapping[str, t.Any], found: t.Any, segments: t.Mapping[int, str]) -> Flag:
    """*segments* are the names of those there are, by their numbers."""
    is_on, overrides = _default(where, name, found), _overrides(found)
    named = {is_in: _named(overrides, segments, is_in) for is_in in (True, False)}
    unknown = sum(_segment(one) not in segments for one in overrides)
    rules = [*_counted(unknown, "override", " for a segment", " for segments")]
    rules += _counted(_number(feature.get("num_identity_overrides")), "override", " for an identity", " for identities")
    rules += _counted(len((found.get("environment_default") or {}).get("variants") or []), "variant")
    return Flag(
        name,
        exists=True,
        on=is_on or any(one.get("enabled") is True for one in overrides),
        percent=100 if is_on else 0,
        segments=named[True],
        excluded=named[False],
        rules=tuple(rules),
        kind=str(feature.get("type") or "").lower(),
        description=str(feature.get("description") or ""),
        created=of_text(feature.get("created_date")),
    )


def change_of(wanted: Wanted, found: t.Any, segments: t.Mapping[int, str]) -> dict[str, t.Any]:
    """What is sent; the overrides as they were read, but off where the flag is turned off or the segment is not wanted."""
    is_on = wanted.state == ON
    change: dict[str, t.Any] = {"environment_default": {"enabled": is_on and wanted.percent == 100}}
    overrides = _overrides(found)
    if not is_on:
        changed = [{**one, "enabled": False} for one in overrides]
    elif wanted.segments is None:
        changed = []
    else:
        # An override that is off would keep its users out of a flag that is on for everybody.
        names = set(segments.values()) if wanted.percent == 100 else set(wanted.segments)
        changed = [{**one, "enabled": segments.get(_segment(one)) in names} for one in overrides]
        there = {_segment(one) for one in overrides}
        changed += [
            {"segment": {"id": number}, "enabled": True}
            for number, name in segments.items()
            if name in wanted.segments and number not in there
        ]
    return {**change, "segment_overrides": changed} if changed else change


def _named(overrides: t.Sequence[dict[str, t.Any]], segments: t.Mapping[int, str], is_in: bool) -> tuple[str, ...]:
    found = {segments.get(_segment(one), "") for one in overrides if (one.get("enabled") is True) == is_in}
    return tuple(sorted(found - {""}))


def _segment(override: t.Mapping[str, t.Any]) -> int:
    segment = override.get("segment")
    return _number(segment.get("id")) if isinstance(segment, dict) else 0


def _default(where: str, name: str, found: t.Any) -> bool:
    default = found.get("environment_default") if isinstance(found, dict) else None
    if not isinstance(default, dict) or not isinstance(default.get("enabled"), bool):
        raise RolloutError(f"{where}: the answer does not say whether '{name}' is on; is system.url that of Flagsmith?")
    return bool(default["enabled"])


def _overrides(found: t.Any) -> list[dict[str, t.Any]]:
    listed = found.get("segment_overrides") if isinstance(found, dict) else None
    return [one for one in listed or [] if isinstance(one, dict)]


def _number(given: t.Any) -> int:
    return given if isinstance(given, int) and not isinstance(given, bool) else 0


def _counted(count: int, word: str, one: str = "", more: str = "") -> list[str]:
    return [f"{count} {word}{'s' if count > 1 else ''}{more if count > 1 else one}"] if count else []
