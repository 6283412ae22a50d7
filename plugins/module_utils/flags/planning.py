# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What has to be done to a flag, and whether it was: functions of what was read and what is wanted."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.flags import contract
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag, FlagSystem, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flag_steps import Share

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
LONGEST_TEXT = 500
MOST_SEGMENTS = 20
LONGEST_NAME = 200
NAMED = 12


def wanted_of(params: t.Mapping[str, t.Any], at: float) -> Wanted:
    """What the options of feature_flag ask for; raises InputError."""
    state, percent, reason = params["state"], params["percent"], (params["reason"] or "").strip()
    if not NAME.fullmatch(params["name"]):
        raise InputError(
            f"name: '{params['name']:.120}' cannot be a flag's name; expected up to 100 letters, digits, '_', '-' or '.'."
        )
    if isinstance(percent, bool) or not isinstance(percent, int) or not 0 <= percent <= 100:
        raise InputError(f"percent: {percent!r:.40} is not a whole number from 0 to 100.")
    if state == contract.KILLED and not reason:
        raise InputError("reason: needed with state=killed; say why, for those who find the feature off.")
    for option in ("reason", "description"):
        text = params[option] or ""
        if len(text) > LONGEST_TEXT or not text.replace("\n", " ").isprintable():
            raise InputError(f"{option}: expected at most {LONGEST_TEXT} printable characters, found {len(text)}.")
    return Wanted(
        state,
        percent,
        _segments_of(params.get("segments")),
        reason,
        kind=params["kind"],
        description=(params["description"] or "").strip(),
        at=at,
    )


def _segments_of(given: t.Sequence[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    for name in given:
        if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            raise InputError(
                f"segments: expected printable names of at most {LONGEST_NAME} characters, found '{name:.60}'."
            )
    if len(given) > MOST_SEGMENTS:
        raise InputError(f"segments: expected at most {MOST_SEGMENTS}, found {len(given)}.")
    return tuple(sorted(set(given)))


def refuse(system: FlagSystem, flag: Flag, wanted: Wanted, allow_rules: bool) -> None:
    """Raises InputError where the change would not do what is meant by it. Turning a flag off is never refused."""
    if wanted.state != contract.ON:
        return
    if wanted.segments:
        _refuse_unknown(system, flag, wanted.segments)
    nobody_else = bool(wanted.segments) and wanted.percent == 0
    if wanted.percent != 100 and not nobody_else and contract.CAN_PERCENT not in system.capabilities:
        raise system.cannot(f"turn '{flag.name}' on for {wanted.percent} % of the users", contract.CAN_PERCENT)
    rules = (*flag.rules, *_unwanted(flag, wanted))
    if rules and not allow_rules:
        raise InputError(
            f"{system.where}: '{flag.name}' has rules besides its percentage ({'; '.join(rules)}), so it would not be "
            f"on for {Share(wanted.percent, wanted.segments or ()).in_words}. Nothing was changed; remove them, or set "
            "allow_rules."
        )


def _refuse_unknown(system: FlagSystem, flag: Flag, segments: tuple[str, ...]) -> None:
    if contract.CAN_SEGMENTS not in system.capabilities:
        raise system.cannot(f"turn '{flag.name}' on for {Share(0, segments).in_words}", contract.CAN_SEGMENTS)
    known = system.segments()
    unknown = [name for name in segments if name not in known]
    if unknown:
        listed = ", ".join(sorted(known)[:NAMED]) or "none"
        raise InputError(
            f"{system.where}: cannot turn '{flag.name}' on for the segment '{unknown[0]}', which does not exist; there are {listed}. "
            "Nothing was changed; correct the name, or create the segment."
        )


def _unwanted(flag: Flag, wanted: Wanted) -> tuple[str, ...]:
    """Without the option, segments count as rules of somebody else, unless all users have the feature anyway."""
    if wanted.segments is not None:
        return ()
    included = () if wanted.percent == 100 else flag.segments
    return (*(f"the segment {name}" for name in included), *(f"off for the segment {name}" for name in flag.excluded))


def predicted(system: FlagSystem, flag: Flag, wanted: Wanted) -> Flag:
    """The flag as it is meant to be read back."""
    if wanted.state == contract.ABSENT:
        return Flag(flag.name)
    kept = flag if flag.exists else Flag(flag.name, kind=wanted.kind, description=wanted.description)
    if wanted.state == contract.ON:
        segments = kept.segments if wanted.segments is None else wanted.segments
        excluded = kept.excluded if wanted.segments is None else ()
        return dataclasses.replace(
            kept,
            exists=True,
            on=True,
            percent=wanted.percent,
            segments=segments,
            excluded=excluded,
            killed=False,
            reason="",
        )
    if wanted.state == contract.KILLED and contract.CAN_GIVE_REASON in system.capabilities:
        return dataclasses.replace(kept, exists=True, on=False, killed=True, reason=wanted.reason)
    return dataclasses.replace(kept, exists=True, on=False, killed=False, reason="")


def is_reached(system: FlagSystem, flag: Flag, wanted: Wanted) -> bool:
    """Whether the flag, as it was read, is what is wanted."""
    goal = predicted(system, flag, wanted)
    same_share = not goal.on or share_of(flag) == share_of(goal)
    return flag.state == goal.state and same_share and flag.reason == goal.reason


def share_of(flag: Flag) -> Share:
    return Share(flag.percent, flag.segments).settled


def in_words(flag: Flag) -> str:
    if flag.state == contract.ON:
        return f"on for {share_of(flag).in_words}" if flag.percent != 100 else "on"
    if flag.state == contract.KILLED:
        return f"killed ({flag.reason})" if flag.reason else "killed"
    return flag.state


def serves(flag: Flag) -> bool | None:
    """What every application has to answer for it; None where that depends on the user."""
    if flag.state != contract.ON:
        return False
    differs = flag.excluded if flag.percent else flag.segments
    if flag.rules or flag.percent not in (0, 100) or differs:
        return None
    return flag.percent == 100


def facts(flag: Flag) -> dict[str, t.Any]:
    """The flag as modules return it."""
    known = {field.name: getattr(flag, field.name) for field in dataclasses.fields(flag) if field.name != "revision"}
    lists = {name: list(known[name]) for name in ("rules", "segments", "excluded")}
    return {**known, **lists, "state": flag.state}
