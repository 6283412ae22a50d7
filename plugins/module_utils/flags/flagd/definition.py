# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""One flag of a definition file: what it says, and what it has to say.

Only a flag with the values true and false, and of its targeting only segments and a share of the users, are managed. Whatever
else its targeting says is a rule of others and is not changed.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags import contract
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.flags.flagd import targeting
from ansible_collections.steady.rollout.plugins.module_utils.flags.flagd.targeting import Targeting, Variants

Definition = t.Dict[str, t.Any]
KILLED_AT, REASON, CREATED, CHANGED = "killedAt", "killedReason", "created", "changed"
KIND, DESCRIPTION, STALE = "kind", "description", "stale"


def flag_of(where: str, name: str, found: t.Any, revision: str) -> Flag:
    variants = _variants(where, found)
    limits = targeting.read(found.get("targeting"), variants)
    percent = limits.percent
    if percent is None:
        percent = 100 if found.get("defaultVariant") == variants.yes else 0
    metadata = found.get("metadata") if isinstance(found.get("metadata"), dict) else {}
    is_enabled = found.get("state") == "ENABLED"
    is_off = found.get("defaultVariant") == variants.no and not found.get("targeting")
    is_on = is_enabled and not is_off
    # Whoever turns a flag on by hand may leave the note of its kill there.
    killed = REASON in metadata and not is_on
    return Flag(
        name,
        exists=True,
        on=is_on,
        percent=percent,
        killed=killed,
        reason=str(metadata.get(REASON) or "") if killed else "",
        killed_at=_seconds(metadata.get(KILLED_AT)) if killed else None,
        segments=limits.segments,
        rules=limits.rules,
        kind=str(metadata.get(KIND) or ""),
        description=str(metadata.get(DESCRIPTION) or ""),
        created=_seconds(metadata.get(CREATED)),
        changed=_seconds(metadata.get(CHANGED)),
        stale=metadata.get(STALE) is True,
        revision=revision,
    )


def edited(where: str, found: t.Any, wanted: Wanted) -> Definition:
    """The definition as wanted; what is not managed stays as it is."""
    is_new = found is None
    before: Definition = {"variants": {"on": True, "off": False}} if is_new else found
    variants = _variants(where, before)
    limits = targeting.read(before.get("targeting"), variants)
    has_rules = bool(limits.rules)
    if has_rules and wanted.state == contract.ON and wanted.segments:
        raise RolloutError(
            f"{where} has targeting that is not managed here, so segments cannot be added. Nothing was changed; add them to that "
            "targeting by hand."
        )
    metadata = {**(before.get("metadata") or {}), CHANGED: _moment(wanted.at)}
    for name in (REASON, KILLED_AT):
        metadata.pop(name, None)
    if is_new:
        metadata.update({CREATED: _moment(wanted.at), KIND: wanted.kind, DESCRIPTION: wanted.description})
    if wanted.state == contract.KILLED:
        metadata.update({REASON: wanted.reason, KILLED_AT: _moment(wanted.at)})
    managed = _off(variants, has_rules) if wanted.state != contract.ON else _on(limits, variants, wanted)
    after = {**before, **managed, "metadata": metadata}
    if not has_rules and "targeting" not in managed:
        after.pop("targeting", None)
    return after


def _off(variants: Variants, has_rules: bool) -> Definition:
    """The value false for everybody. Rules of others would still apply, so with them the flag is disabled as a whole."""
    return {"state": "DISABLED" if has_rules else "ENABLED", "defaultVariant": variants.no}


def _on(limits: Targeting, variants: Variants, wanted: Wanted) -> Definition:
    percent = wanted.percent
    if limits.rules:
        # Allowed by the user: the rules decide, this is for those whom no rule concerns.
        return {"state": "ENABLED", "defaultVariant": variants.yes if percent == 100 else variants.no}
    if percent == 100:
        return {"state": "ENABLED", "defaultVariant": variants.yes}
    segments = limits.segments if wanted.segments is None else wanted.segments
    made = targeting.made(percent, segments, variants, limits.bucketed_by)
    return {"state": "ENABLED", "defaultVariant": variants.no, "targeting": made}


def _variants(where: str, found: t.Any) -> Variants:
    variants = found.get("variants") if isinstance(found, dict) else None
    names = (
        {value: name for name, value in variants.items() if isinstance(value, bool)}
        if isinstance(variants, dict)
        else {}
    )
    if len(names) != 2 or len(variants or {}) != 2:
        raise RolloutError(
            f"{where} does not have one variant with true and one with false, so it is not turned on or off. Nothing was changed."
        )
    return Variants(names[True], names[False])


def _moment(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: t.Any) -> float | None:
    try:
        return (
            datetime.datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ")
            .replace(tzinfo=datetime.timezone.utc)
            .timestamp()
        )
    except ValueError:
        return None
