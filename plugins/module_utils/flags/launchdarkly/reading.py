# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What LaunchDarkly's answers say of a flag: functions of documents."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag
from ansible_collections.steady.rollout.plugins.module_utils.flags.moments import of_milliseconds, of_text

TEMPORARY = ("release", "experiment")
KINDS = ("release", "experiment", "operational", "kill-switch", "permission")
OF_OTHERS = {
    "targets": "target",
    "contextTargets": "target",
    "prerequisites": "prerequisite",
}
BY_SEGMENT = "segmentMatch"


class Variations(t.NamedTuple):
    """The identifiers of the two variations, and their places in the list."""

    true: str
    false: str
    true_at: int
    false_at: int


def variations_of(where: str, name: str, found: t.Any) -> Variations:
    """Raises RolloutError where the flag does not decide between true and false."""
    listed = found.get("variations") if isinstance(found, dict) else None
    places = {one.get("value"): (str(one.get("_id")), at) for at, one in enumerate(listed or []) if _is_boolean(one)}
    if len(places) != 2 or len(listed or []) != 2:
        raise RolloutError(
            f"{where}: '{name}' does not decide between true and false, so it cannot be turned on or off. Nothing was changed; "
            "use a flag with the variations true and false."
        )
    return Variations(places[True][0], places[False][0], places[True][1], places[False][1])


def off_variation_of(found: t.Any, environment: str) -> t.Any:
    """The place of what a flag that is off serves."""
    return environment_of(found, environment).get("offVariation")


def environment_of(found: t.Any, environment: str) -> dict[str, t.Any]:
    here = (found.get("environments") or {}).get(environment)
    return here if isinstance(here, dict) else {}


def clause_of(segment: str) -> dict[str, t.Any]:
    """That a user is in the segment."""
    return {"contextKind": "user", "attribute": BY_SEGMENT, "op": BY_SEGMENT, "values": [segment], "negate": False}


def segment_rules_of(here: t.Mapping[str, t.Any], variations: Variations) -> dict[str, str]:
    """The identifiers of the rules that serve true to all users of a segment, by the segment."""
    found = [(_segment_of(one, variations), str(one.get("_id"))) for one in _rules_of(here)]
    return {segment: rule for segment, rule in found if segment}


def _rules_of(here: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    return [one for one in here.get("rules") or [] if isinstance(one, dict)]


def _segment_of(rule: dict[str, t.Any], variations: Variations) -> str:
    """Empty for a rule that does something else."""
    clauses = rule.get("clauses") or []
    clause = clauses[0] if len(clauses) == 1 and isinstance(clauses[0], dict) else {}
    is_by_segment = clause.get("op") == BY_SEGMENT and not clause.get("negate") and len(clause.get("values") or []) == 1
    is_for_all = rule.get("variation") == variations.true_at and not rule.get("rollout") and not rule.get("disabled")
    return str(clause["values"][0]) if is_by_segment and is_for_all else ""


def _is_boolean(one: t.Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("value"), bool)


def flag_of(where: str, name: str, found: t.Any, environment: str, last_seen: float | None = None) -> Flag:
    variations = variations_of(where, name, found)
    environments = found.get("environments") or {}
    here = environments.get(environment) if isinstance(environments, dict) else None
    if not isinstance(here, dict) or not isinstance(here.get("on"), bool):
        raise RolloutError(
            f"{where}: '{name}' has no environment '{environment}'. Nothing was changed; correct system.environment."
        )
    segments = segment_rules_of(here, variations)
    rules = [rule for key, word in OF_OTHERS.items() for rule in _counted(here.get(key), word)]
    rules += _counted([one for one in _rules_of(here) if str(one.get("_id")) not in segments.values()], "rule")
    if not here["on"] and here.get("offVariation") == variations.true_at:
        rules.append("its variation for off is true")
    tags = [str(tag) for tag in found.get("tags") or []]
    return Flag(
        name,
        exists=True,
        on=here["on"],
        percent=_share(where, name, here.get("fallthrough"), variations),
        segments=tuple(sorted(segments)),
        rules=tuple(rules + _bucketed(here.get("fallthrough"))),
        kind=next((tag for tag in tags if tag in KINDS), "release" if found.get("temporary") else "permanent"),
        description=str(found.get("description") or ""),
        created=of_milliseconds(found.get("creationDate")),
        changed=of_milliseconds(here.get("lastModified")),
        last_seen=last_seen,
        stale=found.get("deprecated") is True,
    )


def _counted(given: t.Any, word: str) -> list[str]:
    count = len(given) if isinstance(given, list) else 0
    return [f"{count} {word}{'s' if count > 1 else ''}"] if count else []


def _share(where: str, name: str, fallthrough: t.Any, variations: Variations) -> int:
    served = fallthrough.get("variation") if isinstance(fallthrough, dict) else None
    if served in (variations.true_at, variations.false_at):
        return 100 if served == variations.true_at else 0
    rollout = fallthrough.get("rollout") if isinstance(fallthrough, dict) else None
    listed = rollout.get("variations") if isinstance(rollout, dict) else None
    weights = {one.get("variation"): one.get("weight") for one in listed or [] if isinstance(one, dict)}
    weight = weights.get(variations.true_at)
    if not isinstance(weight, int) or isinstance(weight, bool) or weight % 1000 or not 0 <= weight <= 100_000:
        shown = f"{weight / 1000:g}" if isinstance(weight, (int, float)) else str(weight)
        raise RolloutError(
            f"{where}: the share of '{name}' is '{shown:.40}', not a whole number from 0 to 100. Nothing was changed; correct it "
            "in LaunchDarkly."
        )
    return weight // 1000


def _bucketed(fallthrough: t.Any) -> list[str]:
    """Who is in does not depend on the user alone."""
    rollout = fallthrough.get("rollout") if isinstance(fallthrough, dict) else None
    if not isinstance(rollout, dict):
        return []
    if rollout.get("experimentAllocation") or rollout.get("kind") == "experiment":
        return ["an experiment"]
    return [f"a share by {rollout['bucketBy']}"] if rollout.get("bucketBy") not in (None, "key") else []


def names_of(where: str, found: t.Any, what: str = "flags") -> list[str]:
    items = found.get("items") if isinstance(found, dict) else None
    if not isinstance(items, list):
        raise RolloutError(f"{where}: the answer has no list of {what}; is system.url that of LaunchDarkly?")
    return [str(one["key"]) for one in items if isinstance(one, dict) and one.get("key")]


def last_seen_of(status: t.Any) -> float | None:
    return of_text(status.get("lastRequested")) if isinstance(status, dict) else None
