# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What Unleash's answers say; whatever is not as its API describes it is an error and never taken for 'off'."""

from __future__ import annotations

import re
import typing as t
from types import MappingProxyType

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag, Listener
from ansible_collections.steady.rollout.plugins.module_utils.flags.moments import of_text

STATE_EVENTS = re.compile(r"feature-(environment-(en|dis)abled|strategy-(add|update|remove)|created|revived)")


def flag_of(
    where: str,
    name: str,
    found: t.Any,
    environment: str,
    segments: t.Mapping[int, str] = MappingProxyType({}),
    changed: float | None = None,
) -> Flag:
    """*segments* are the names of those there are, by their numbers."""
    environments = found.get("environments")
    here = _environment_of(found, environment)
    if not isinstance(here, dict) or not isinstance(here.get("enabled"), bool):
        listed = ", ".join(str(one.get("name")) for one in environments or [] if isinstance(one, dict)) or "none"
        raise RolloutError(
            f"{where}: '{name}' has no environment '{environment}'; there are {listed}. Nothing was changed; correct "
            "system.environment."
        )
    strategies = _strategies_of(here)
    managed = next((one for one in strategies if is_managed(one)), None)
    known = {str(one.get("id")): segments[segment_of(one)] for one in strategies if segment_of(one) in segments}
    rules = [_in_words(one) for one in strategies if one is not managed and str(one.get("id")) not in known]
    parents = [str(one.get("feature")) for one in found.get("dependencies") or [] if isinstance(one, dict)]
    return Flag(
        name,
        exists=True,
        on=here["enabled"],
        percent=_share(where, name, managed, bool(strategies)),
        segments=tuple(sorted(set(known.values()))),
        rules=(*rules, *(f"depends on the flag {parent}" for parent in parents)),
        kind=str(found.get("type") or ""),
        description=str(found.get("description") or ""),
        created=of_text(found.get("createdAt")),
        changed=changed,
        last_seen=of_text(here.get("lastSeenAt") or found.get("lastSeenAt")),
        stale=found.get("stale") is True,
    )


def _environment_of(found: t.Any, environment: str) -> t.Any:
    environments = found.get("environments")
    return next((one for one in environments or [] if isinstance(one, dict) and one.get("name") == environment), None)


def _strategies_of(here: t.Any) -> list[dict[str, t.Any]]:
    listed = here.get("strategies") if isinstance(here, dict) else None
    return [one for one in listed or [] if isinstance(one, dict) and not one.get("disabled")]


def names_segments(found: t.Any, environment: str) -> bool:
    """Whether the names of segments are needed to read the flag."""
    return any(segment_of(one) for one in _strategies_of(_environment_of(found, environment)))


def segment_of(strategy: t.Any) -> int:
    """The number of the segment whose users all have the feature by this strategy; 0 where it does something else."""
    if not isinstance(strategy, dict) or strategy.get("name") != "flexibleRollout" or strategy.get("disabled"):
        return 0
    if strategy.get("constraints") or strategy.get("variants"):
        return 0
    segments, share = strategy.get("segments") or [], str((strategy.get("parameters") or {}).get("rollout"))
    return segments[0] if len(segments) == 1 and isinstance(segments[0], int) and share == "100" else 0


def segments_of(where: str, found: t.Any) -> dict[int, str]:
    listed = found.get("segments") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise RolloutError(f"{where}: the answer has no list of segments; is system.url that of Unleash?")
    named = [one for one in listed if isinstance(one, dict) and isinstance(one.get("id"), int)]
    return {one["id"]: str(one.get("name")) for one in named}


def is_managed(strategy: t.Any) -> bool:
    """A gradual rollout for all users alike."""
    if not isinstance(strategy, dict) or strategy.get("name") != "flexibleRollout" or strategy.get("disabled"):
        return False
    return not (strategy.get("constraints") or strategy.get("segments") or strategy.get("variants"))


def _share(where: str, name: str, managed: t.Any, has_strategies: bool) -> int:
    """An environment without any strategy is on for everybody; with others' only, its share is not known and counts as 0."""
    if managed is None:
        return 0 if has_strategies else 100
    text = str((managed.get("parameters") or {}).get("rollout"))
    if not (text.isascii() and text.isdigit() and int(text) <= 100):
        raise RolloutError(
            f"{where}: the rollout of '{name}' is '{text:.40}', not a whole number from 0 to 100, which Unleash accepts, with "
            "an undefined effect. Nothing was changed; correct it in Unleash."
        )
    return int(text)


def _in_words(strategy: dict[str, t.Any]) -> str:
    limits = [f"{len(strategy[key])} {key}" for key in ("constraints", "segments", "variants") if strategy.get(key)]
    return f"strategy {strategy.get('name')}" + (f" with {' and '.join(limits)}" if limits else "")


def names_of(where: str, found: t.Any) -> list[str]:
    features = found.get("features") if isinstance(found, dict) else None
    if not isinstance(features, list):
        raise RolloutError(f"{where}: the answer has no list of flags; is system.url that of Unleash?")
    return sorted(
        str(one["name"]) for one in features if isinstance(one, dict) and one.get("name") and not one.get("archived")
    )


def listeners_of(found: t.Any) -> list[Listener]:
    instances = found.get("instances") if isinstance(found, dict) else None
    listed = [one for one in instances or [] if isinstance(one, dict)]
    return [Listener(str(one.get("instanceId")), of_text(one.get("lastSeen"))) for one in listed]


def changed_at(events: t.Any, environment: str) -> float | None:
    """When the newest event was that changed for whom the flag is on."""
    listed = events.get("events") if isinstance(events, dict) else None
    moments = [
        of_text(one.get("createdAt"))
        for one in listed or []
        if isinstance(one, dict)
        and STATE_EVENTS.fullmatch(str(one.get("type")))
        and one.get("environment") in (None, environment)
    ]
    return max((moment for moment in moments if moment is not None), default=None)
