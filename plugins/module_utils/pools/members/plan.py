# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a call for members has to change, whom it must leave alone and what it must refuse. Pure decisions."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    DOWN,
    IN_SERVICE,
    OUT_STATES,
    STOPPING,
    Member,
    Snapshot,
    quoted,
)

GUARD_ARGUMENTS = {
    "min_in_service": {"type": "int"},
    "max_out_of_service": {"type": "int"},
    "zones": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "members": {"type": "list", "elements": "str", "required": True},
            "min_in_service": {"type": "int", "required": True},
        },
    },
    "allow_outage": {"type": "bool", "default": False},
}


@dataclasses.dataclass(frozen=True)
class Zone:
    """Members that fail together, and how many of them must stay in rotation."""

    name: str
    members: tuple[str, ...]
    min_in_service: int


@dataclasses.dataclass(frozen=True)
class Guard:
    """How far a pool may be lowered; None sets no bound. The last member stays unless an outage is allowed."""

    min_in_service: int | None = None
    max_out_of_service: int | None = None
    zones: tuple[Zone, ...] = ()
    allow_outage: bool = False

    @classmethod
    def from_params(cls, params: dict[str, t.Any] | None) -> Guard:
        params = params or {}
        zones = (
            Zone(zone["name"], tuple(zone["members"]), zone["min_in_service"]) for zone in params.get("zones") or ()
        )
        return cls(
            min_in_service=params.get("min_in_service"),
            max_out_of_service=params.get("max_out_of_service"),
            zones=tuple(zones),
            allow_outage=bool(params.get("allow_outage")),
        )


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a call comes down to on the state of now."""

    changes: dict[str, str]
    """Admin state to set, by member."""
    drained_externally: list[str]
    """Left alone: somebody else changed them."""

    def concerns(self, wanted: t.Mapping[str, str]) -> dict[str, str]:
        """What was asked for, without the members left alone."""
        return {name: state for name, state in wanted.items() if name not in self.drained_externally}


def make_plan(snapshot: Snapshot, wanted: t.Mapping[str, str], expected_states: t.Sequence[str] | None) -> Plan:
    """Every member of *wanted* must be in the snapshot. *expected_states* lists the admin states we may change from."""
    differing = {name: state for name, state in wanted.items() if snapshot.members[name].own != state}
    drained_externally = [
        name for name in differing if expected_states is not None and snapshot.members[name].own not in expected_states
    ]
    return Plan(
        {name: state for name, state in differing.items() if name not in drained_externally}, drained_externally
    )


def missed(snapshot: Snapshot, changes: t.Mapping[str, str]) -> dict[str, str]:
    """The admin state found, by member that has not the one that was set."""
    found = {name: snapshot.members.get(name) for name in changes}
    return {
        name: member.own if member else "gone"
        for name, member in found.items()
        if not member or member.own != changes[name]
    }


def predicted(snapshot: Snapshot, changes: t.Mapping[str, str]) -> Snapshot:
    """What *snapshot* would show once *changes* are made."""
    members = {name: _as_if(one, changes.get(name, one.own)) for name, one in snapshot.members.items()}
    return dataclasses.replace(snapshot, members=members)


def _as_if(member: Member, state: str) -> Member:
    if member.own == state:
        return member
    taking = state == IN_SERVICE and member.operational not in (DOWN, STOPPING) and member.weight > 0
    return dataclasses.replace(member, own=state, admin=state, usable=taking, in_rotation=taking and not member.backup)


def refusal(guard: Guard, snapshot: Snapshot, changes: t.Mapping[str, str]) -> str:
    """Why *changes* must not be made, or an empty string.

    Only members in rotation now are counted as taken out, so that a call for members already out is never refused.
    """
    leaving = _leaving(snapshot, changes)
    if not leaving:
        return ""
    staying = [name for name in snapshot.in_rotation if name not in leaving]
    for reason in (_last_one(guard, staying), _floor(guard, staying), _window(guard, snapshot, leaving)):
        if reason:
            return reason
    return next(filter(None, (_zone_floor(zone, staying, leaving) for zone in guard.zones)), "")


def _leaving(snapshot: Snapshot, changes: t.Mapping[str, str]) -> set[str]:
    """Who would stop taking traffic, with those that copy their state."""
    out = {name for name, state in changes.items() if state in OUT_STATES}
    sources = {f"{snapshot.pool}/{name}" for name in out}
    return {name for name in snapshot.in_rotation if name in out or snapshot.members[name].tracks in sources}


def _last_one(guard: Guard, staying: list[str]) -> str:
    if staying or guard.allow_outage:
        return ""
    return "no member would be left in rotation (guard.allow_outage permits that)"


def _floor(guard: Guard, staying: list[str]) -> str:
    if guard.min_in_service is None or len(staying) >= guard.min_in_service:
        return ""
    return f"{len(staying)} would be left in rotation, the minimum is {guard.min_in_service}"


def _window(guard: Guard, snapshot: Snapshot, leaving: set[str]) -> str:
    if guard.max_out_of_service is None:
        return ""
    out = [name for name, member in snapshot.members.items() if not member.usable or name in leaving]
    if len(out) <= guard.max_out_of_service:
        return ""
    return f"{len(out)} would be out of service ({quoted(out)}), at most {guard.max_out_of_service} may be"


def _zone_floor(zone: Zone, staying: list[str], leaving: set[str]) -> str:
    if not leaving.intersection(zone.members):
        return ""
    left = [name for name in zone.members if name in staying]
    if len(left) >= zone.min_in_service:
        return ""
    return f"{len(left)} would be left in rotation in zone '{zone.name}', its minimum is {zone.min_in_service}"


def taken_out(changes: t.Mapping[str, str]) -> list[str]:
    return [name for name, state in changes.items() if state != IN_SERVICE]
