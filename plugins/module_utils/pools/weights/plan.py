# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a call for shares comes down to on a pool as it is now. Pure decisions."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    FULLY_UP,
    GOING_DOWN,
    IN_SERVICE,
    STARTING,
    Member,
    Snapshot,
    WeightLimits,
    quoted,
)
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights import split
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights.split import Shares

Groups = t.Dict[str, t.List[str]]

TAKING = FULLY_UP + (GOING_DOWN, STARTING)


def parse_groups(given: t.Mapping[str, t.Any] | None, shares: t.Iterable[str]) -> Groups:
    """The members of each group that has a share; without groups each name is that of a member itself.

    Raises InputError.
    """
    if given is None:
        return {name: [name] for name in shares}
    groups = {str(name): _names(str(name), members) for name, members in given.items()}
    if set(groups) != set(shares):
        raise InputError(
            f"groups: there are groups {quoted(groups) or 'none'}, but shares for {quoted(shares)}. Give every group a "
            "share, 0 for none."
        )
    for name, members in groups.items():
        for other, theirs in groups.items():
            both = [member for member in members if member in theirs]
            if both and name < other:
                raise InputError(f"groups: {quoted(both)} is in '{name}' and in '{other}'; a member has one group.")
    return groups


def _names(group: str, members: t.Any) -> list[str]:
    names = [members] if isinstance(members, str) else list(members) if isinstance(members, (list, tuple)) else []
    if not names:
        raise InputError(f"groups: '{group}' has no members; give a list of the names that the load balancer has.")
    return list(dict.fromkeys(str(name) for name in names))


def takes_traffic(member: Member) -> bool:
    """It gets its part of the traffic as soon as it has a weight."""
    return member.admin == IN_SERVICE and member.operational in TAKING and not member.backup


def is_healthy(member: Member) -> bool:
    return takes_traffic(member) and member.operational in FULLY_UP


@dataclasses.dataclass(frozen=True)
class WeightPlan:
    """The weights that come nearest to the shares asked for."""

    weights: dict[str, int]
    """By member, for all members of the groups."""
    notes: list[str]


def make_plan(snapshot: Snapshot, groups: Groups, shares: Shares, limits: WeightLimits) -> WeightPlan:
    """Every member of *groups* must be in the snapshot, and who gets a share must be fit for it (see refusal).

    Only members that take traffic now are counted; the others get the weight of their group all the same, for the
    time when they come back. Raises InputError where the shares are out of reach.
    """
    taking = {
        name: len([member for member in members if takes_traffic(snapshot.members[member])])
        for name, members in groups.items()
    }
    by_group = split.nearest_weights(shares, taking, limits)
    weights = {member: by_group[name] for name, members in groups.items() for member in members}
    return WeightPlan(weights, list(_notes(snapshot, groups, by_group)))


def refusal(snapshot: Snapshot, groups: Groups, shares: Shares) -> str:
    """Why the shares must not be set, or an empty string."""
    for name, members in groups.items():
        if shares[name] > 0 and not any(is_healthy(snapshot.members[member]) for member in members):
            states = ", ".join(f"'{member}' {_state(snapshot.members[member])}" for member in members[:6])
            return f"group '{name}' is to get {split.shown(shares[name])} % and has no healthy member ({states})"
    return ""


def outsiders(snapshot: Snapshot, groups: Groups) -> list[str]:
    """Members that are in no group and take traffic all the same."""
    known = {member for members in groups.values() for member in members}
    return [name for name in snapshot.in_rotation if name not in known]


def shares_of(snapshot: Snapshot, groups: Groups) -> Shares:
    """How the traffic is split by the weights in force."""
    totals = {}
    for name, members in groups.items():
        found = [snapshot.members[member] for member in members if member in snapshot.members]
        totals[name] = sum(member.weight for member in found if takes_traffic(member))
    return split.parts(totals)


def in_order(weights: t.Mapping[str, int], now: t.Mapping[str, Member]) -> dict[str, int]:
    """The weights that differ, those that rise first: at no time is nobody left to take the traffic."""
    found = {name: now[name].weight if name in now else None for name in weights}
    changed = [name for name, weight in weights.items() if found[name] != weight]
    changed.sort(key=lambda name: weights[name] < (found[name] or 0))
    return {name: weights[name] for name in changed}


def _notes(snapshot: Snapshot, groups: Groups, by_group: t.Mapping[str, int]) -> t.Iterator[str]:
    absent = [
        member for members in groups.values() for member in members if not takes_traffic(snapshot.members[member])
    ]
    if absent:
        later = split.achieved_shares(by_group, {name: len(members) for name, members in groups.items()})
        shares = ", ".join(f"{name} {split.shown(share)} %" for name, share in later.items())
        yield f"{quoted(absent)} take no traffic now and are not counted; with them the split becomes {shares}."
    agents = [name for name, member in snapshot.members.items() if member.agent]
    if agents:
        yield f"An agent check may change the weights of {quoted(agents)} by itself."


def _state(member: Member) -> str:
    if member.admin != IN_SERVICE:
        return member.admin
    return "backup" if member.backup else f"{member.operational} {member.check}".strip()
