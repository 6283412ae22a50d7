# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The split of the traffic among two groups, as the balancer nodes show it."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Shares

IN_SERVICE = "in_service"
FULLY_UP = ("up", "no_check")
MOST_OFF = 2.0
"""Percent that a share may be off what was asked for: weights are integers, and members come and go."""

Groups = t.Mapping[str, t.Collection[str]]
Members = t.Mapping[str, t.Mapping[str, t.Any]]


@dataclasses.dataclass(frozen=True)
class Node:
    """One balancer node; *members* is None where it did not answer. *why* is its reason for refusing the command."""

    name: str
    members: dict[str, dict[str, t.Any]] | None
    groups: dict[str, list[str]]
    """The members of each group by the names that this node has for them."""
    why: str = ""

    @property
    def answers(self) -> bool:
        return self.members is not None

    @property
    def split(self) -> Shares:
        """What each group gets now, by the members that take traffic."""
        return self._split(lambda member: bool(member.get("in_rotation")))

    def shows(self, wanted: Shares) -> bool:
        """A share of 0 means that no member of the group has a weight, be it up or down."""
        if self.members is None:
            return False
        if any(self._weight(name, _anyone) for name, share in wanted.items() if share == 0):
            return False
        return any(_is_near(split, wanted) for split in (self.split, self._split(_in_service)))

    def _split(self, counts: t.Callable[[t.Mapping[str, t.Any]], bool]) -> Shares:
        weights = {name: self._weight(name, counts) for name in self.groups}
        whole = sum(weights.values())
        return {name: round(100.0 * weight / whole, 4) if whole else 0.0 for name, weight in weights.items()}

    def _weight(self, group: str, counts: t.Callable[[t.Mapping[str, t.Any]], bool]) -> int:
        found = [(self.members or {}).get(member) for member in self.groups.get(group, [])]
        return sum(int(member.get("weight") or 0) for member in found if member and counts(member))


def _anyone(member: t.Mapping[str, t.Any]) -> bool:
    return True


def _in_service(member: t.Mapping[str, t.Any]) -> bool:
    return member.get("admin") == IN_SERVICE and not member.get("backup")


def _is_near(split: Shares, wanted: Shares) -> bool:
    return all(abs(split.get(name, 0.0) - share) <= _slack(share) for name, share in wanted.items())


def _slack(share: float) -> float:
    return min(MOST_OFF, max(0.5, 0.4 * min(share, 100.0 - share))) if 0 < share < 100 else 0.0


def read_nodes(given: t.Sequence[dict[str, t.Any]] | None, groups: Groups) -> list[Node]:
    """*groups* are the members of each, for nodes that do not name their own."""
    usual = {name: list(members) for name, members in groups.items()}
    return [
        Node(
            name=node["host"],
            members=None if node.get("unreachable") or node.get("members") is None else node["members"],
            groups=node.get("groups") or usual,
            why=node.get("unreachable") or node.get("why") or "",
        )
        for node in given or []
    ]


def agreed_split(nodes: t.Sequence[Node]) -> Shares | None:
    """The split that all nodes show alike; None where they do not."""
    splits = [node.split for node in nodes if node.answers]
    if not splits or len(splits) < len(nodes):
        return None
    return splits[0] if all(node.shows(splits[0]) for node in nodes) else None


def with_idle_in_rotation(given: t.Sequence[dict[str, t.Any]] | None) -> list[dict[str, t.Any]] | None:
    """Members that only lack a share of the traffic, as members that are in service: nothing is wrong with them."""
    if given is None:
        return None
    return [node if node.get("members") is None else {**node, "members": _with_idle(node["members"])} for node in given]


def _with_idle(members: Members) -> dict[str, t.Any]:
    return {name: {**member, "in_rotation": True} if is_idle(member) else member for name, member in members.items()}


def is_idle(member: t.Mapping[str, t.Any]) -> bool:
    """Fit to serve, and without a weight."""
    return (
        member.get("admin") == IN_SERVICE
        and member.get("operational") in FULLY_UP
        and int(member.get("weight") or 0) == 0
        and not member.get("inherited")
    )
