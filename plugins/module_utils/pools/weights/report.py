# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What lb_weight answers: the same keys whether the call succeeds or fails."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    CAN_WEIGH_AT_ONCE,
    Balancer,
    Member,
    Snapshot,
)
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights import plan as weight_plan
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights import split
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights.plan import Groups
from ansible_collections.steady.rollout.plugins.module_utils.pools.weights.split import Shares


def nothing_done(pool: str) -> dict[str, t.Any]:
    """The result of a lb_weight that saw and did nothing: all of its keys."""
    return {
        "changed": False,
        "pool": pool,
        "requested": {},
        "achieved": {},
        "before": {},
        "groups": {},
        "members": {},
        "at_once": False,
        "refused": False,
        "waited": 0.0,
        "actions": [],
        "notes": [],
    }


class Report:
    """Collects what a call saw and did."""

    def __init__(self, balancer: Balancer, groups: Groups, shares: Shares) -> None:
        self._balancer = balancer
        self._groups = groups
        self._shares = shares
        self._before = self._now = Snapshot(balancer.pool, {})
        self._set: dict[str, int] = {}
        self.notes: list[str] = []
        self.waited = 0.0

    @property
    def pending(self) -> dict[str, str]:
        """What keeps clients from the weights that this call has set, by member."""
        found = {name: self._now.members[name].pending for name in self._set if name in self._now.members}
        return {name: pending for name, pending in found.items() if pending}

    def saw_first(self, snapshot: Snapshot) -> None:
        self._before = self._now = snapshot
        self.notes = list(snapshot.notes)

    def saw(self, snapshot: Snapshot) -> None:
        self._now = snapshot

    def will_set(self, changes: t.Mapping[str, int]) -> None:
        """Said before the balancer is asked: from here on the change counts, whatever comes after."""
        self._set = dict(changes)

    def did_not_set(self) -> None:
        self._set = {}

    def weights_before(self, names: t.Iterable[str]) -> dict[str, int]:
        return {name: self._before.members[name].weight for name in names}

    def result(self) -> dict[str, t.Any]:
        return {
            **nothing_done(self._balancer.pool),
            "changed": bool(self._set),
            "requested": _in_percent(self._shares),
            "achieved": self._shares_in(self._now),
            "before": self._shares_in(self._before),
            "groups": {name: self._group(members) for name, members in self._groups.items()},
            "members": {
                name: self._member(group, member)
                for group, names in self._groups.items()
                for name in names
                for member in [self._now.members.get(name)]
                if member
            },
            "at_once": CAN_WEIGH_AT_ONCE in self._balancer.capabilities,
            "actions": [
                f"set the weight of '{name}' of pool '{self._balancer.pool}' from {self._before.members[name].weight} "
                f"to {weight}"
                for name, weight in self._set.items()
            ],
            "waited": round(self.waited, 3),
            "notes": self.notes,
        }

    def diff(self) -> dict[str, t.Any]:
        """Weights before and after, as far as this call changed them."""
        header = f"{self._balancer.where} pool {self._balancer.pool}"
        before = {
            name: self._before.members[name].weight
            for names in self._groups.values()
            for name in names
            if name in self._before.members
        }
        return {"before_header": header, "after_header": header, "before": before, "after": {**before, **self._set}}

    def _shares_in(self, snapshot: Snapshot) -> dict[str, float]:
        """Nothing where nothing was seen."""
        return _in_percent(weight_plan.shares_of(snapshot, self._groups)) if snapshot.members else {}

    def _group(self, names: t.Sequence[str]) -> dict[str, t.Any]:
        members = [self._now.members[name] for name in names if name in self._now.members]
        return {
            "members": list(names),
            "counted": len([member for member in members if weight_plan.takes_traffic(member)]),
            "healthy": len([member for member in members if weight_plan.is_healthy(member)]),
        }

    def _member(self, group: str, member: Member) -> dict[str, t.Any]:
        before = self._before.members.get(member.name, member)
        return {
            "group": group,
            "before": before.weight,
            "after": member.weight,
            "counted": weight_plan.takes_traffic(member),
            "admin": member.admin,
            "operational": member.operational,
            "check": member.check,
        }


def predicted(snapshot: Snapshot, weights: t.Mapping[str, int]) -> Snapshot:
    """Check mode: the members as they would be with these weights."""
    members = {
        name: dataclasses.replace(member, weight=weights.get(name, member.weight))
        for name, member in snapshot.members.items()
    }
    return dataclasses.replace(snapshot, members=members)


def _in_percent(shares: Shares) -> dict[str, float]:
    return {name: split.percent(share) for name, share in shares.items()}
