# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What Split's answers say of a flag, and what a definition looks like: functions of documents."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag
from ansible_collections.steady.rollout.plugins.module_utils.flags.moments import of_milliseconds

ON, OFF = "on", "off"
KINDS = ("release", "experiment", "operational", "kill-switch", "permission")


def rule_of(percent: int) -> list[dict[str, t.Any]]:
    """The default rule for that share of the users; on first, so that whoever is in stays in while it grows."""
    sizes = {ON: percent, OFF: 100 - percent}
    return [{"treatment": treatment, "size": size} for treatment, size in sizes.items() if size]


def new_definition(percent: int) -> dict[str, t.Any]:
    return {
        "treatments": [{"name": ON}, {"name": OFF}],
        "defaultTreatment": OFF,
        "baselineTreatment": OFF,
        "trafficAllocation": 100,
        "rules": [],
        "defaultRule": rule_of(percent),
    }


def treatments_for(definition: t.Any, segments: t.Sequence[str]) -> list[dict[str, t.Any]]:
    """Those of the definition, with these segments always on."""
    return [{**one, "segments": list(segments)} if one.get("name") == ON else one for one in _treatments_of(definition)]


def _treatments_of(definition: t.Any) -> list[dict[str, t.Any]]:
    listed = definition.get("treatments") if isinstance(definition, dict) else None
    return [one for one in listed or [] if isinstance(one, dict)]


def flag_of(where: str, name: str, found: t.Any, about: t.Any) -> Flag:
    """*found* is the definition: None without the flag, empty where the environment has none. *about* is for an audit."""
    if found is None:
        return Flag(name)
    if found == {}:
        return Flag(name, exists=True)
    if not isinstance(found, dict) or not isinstance(found.get("killed"), bool):
        raise RolloutError(
            f"{where}: the answer about '{name}' is not the definition of a flag; is system.url that of Split?"
        )
    treatments = _treatments_of(found)
    names = sorted(str(one.get("name")) for one in treatments)
    if names != [OFF, ON]:
        raise RolloutError(
            f"{where}: '{name}' has the treatments {', '.join(names) or 'none'}, not on and off, so it cannot be turned on or off. "
            "Nothing was changed; use a flag with these two."
        )
    tags = [str(one.get("name")) for one in (about or {}).get("tags") or [] if isinstance(one, dict)]
    return Flag(
        name,
        exists=True,
        on=not found["killed"],
        percent=_share(where, name, found.get("defaultRule")),
        segments=tuple(
            sorted(str(s) for one in treatments if one.get("name") == ON for s in one.get("segments") or [])
        ),
        rules=tuple(_rules(found, treatments)),
        kind=next((tag for tag in tags if tag in KINDS), ""),
        description=str((about or {}).get("description") or ""),
        created=of_milliseconds(found.get("creationTime")),
        changed=of_milliseconds(found.get("lastUpdateTime")),
        last_seen=of_milliseconds(found.get("lastTrafficReceivedAt")),
    )


def _share(where: str, name: str, rule: t.Any) -> int:
    listed = [one for one in rule or [] if isinstance(one, dict)] if isinstance(rule, list) else []
    sizes = {str(one.get("treatment")): one.get("size") for one in listed}
    whole = {name: size for name, size in sizes.items() if isinstance(size, int) and not isinstance(size, bool)}
    if whole != sizes or sum(whole.values()) != 100 or min(whole.values()) < 0 or not set(sizes) <= {ON, OFF}:
        raise RolloutError(
            f"{where}: the default rule of '{name}' is '{sizes!s:.60}', no share of on and off that adds up to 100. Nothing was "
            "changed; correct it in Split."
        )
    return whole.get(ON, 0)


def _rules(found: dict[str, t.Any], treatments: t.Sequence[dict[str, t.Any]]) -> t.Iterator[str]:
    if isinstance(found.get("rules"), list) and found["rules"]:
        yield f"{len(found['rules'])} rule{'s' if len(found['rules']) > 1 else ''}"
    for kind, treatment in (("keys", ON), ("segments", OFF)):
        count = sum(len(one.get(kind) or []) for one in treatments if one.get("name") == treatment)
        if count:
            yield f"{count} of the {kind} always {treatment}"
    if found.get("trafficAllocation", 100) != 100:
        yield f"a traffic allocation of {found['trafficAllocation']} %"
    if found["killed"] and found.get("defaultTreatment") == ON:
        yield "its default treatment, which it serves when it is killed, is on"


def names_of(where: str, found: t.Any, what: str = "flags") -> list[str]:
    listed = found.get("objects") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise RolloutError(f"{where}: the answer has no list of {what}; is system.url that of Split?")
    return [str(one["name"]) for one in listed if isinstance(one, dict) and one.get("name")]
