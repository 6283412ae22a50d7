# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The flags of a rollout: off before the first host, on once the whole fleet is proven. Functions of rows."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.fleet import Seen

OFF, ON, KILLED = "off", "on", "killed"
INTENDED, DONE, FAILED = "intended", "done", "failed"
NAMED = 5


@dataclasses.dataclass(frozen=True)
class RolloutFlag:
    """One flag of a service, as its last rollout wanted it."""

    service: str
    flag: str
    rollout: int
    run: str
    place: str
    """Where the flag is, for messages."""
    goal: str
    status: str
    error: str
    at: float
    by_rollback: int = 0
    """Whether that was a rollback."""


class Member(t.NamedTuple):
    """One member of the fleet: what was seen of it, and whether the ledger has proven it in this rollout."""

    seen: Seen
    is_proven: bool
    gets_traffic: bool
    """False for the idle group of a blue-green deployment."""


def why_not_off(found: str, known: RolloutFlag | None, status: str, refuses: bool) -> str:
    """Why a rollout does not begin; empty where the flag may be turned off. A rollback never waits for it.

    A flag that this very rollout has turned off before was turned on by somebody meanwhile, with part of the fleet
    updated, or by the rollout itself at its end, where an interrupted run finds a host to roll after all: that is put
    right and not refused. So is one that an earlier rollback could not turn off.
    """
    if found != ON or not refuses or status != model.OPEN:
        return ""
    return "" if known is not None and known.goal in (OFF, ON) else "it is on"


def is_left_on(last: RolloutFlag | None) -> bool:
    """Whether a rollback was to turn it off, and it is not on record that it did."""
    return last is not None and bool(last.by_rollback) and last.goal == OFF and last.status != DONE


def is_due(last: RolloutFlag | None) -> bool:
    """Whether a rollout has turned it off and not on again; what people did to it otherwise is theirs."""
    return last is not None and (last.goal == OFF or (last.goal == ON and last.status != DONE))


def why_not_on(version: str | None, members: t.Sequence[Member]) -> str:
    """Why the flag stays off; empty where every host that may get a request serves the version."""
    behind = [f"{one.seen.name} {fault}" for one in members for fault in [_fault(version, one)] if fault]
    if not behind:
        return ""
    more = f" and {len(behind) - NAMED} more" if len(behind) > NAMED else ""
    return f"{', '.join(behind[:NAMED])}{more}"


def _fault(version: str | None, one: Member) -> str:
    if not one.gets_traffic:
        return ""
    if one.seen.version is not None and not versions.covers(version, one.seen.version):
        return f"is on {one.seen.version}"
    if one.seen.version is None and not one.is_proven:
        return "is on an unknown version"
    if one.seen.lb_state != model.IN_SERVICE:
        return "is not in service"
    return "" if one.seen.healthy else "is not healthy"
