# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What lb_member and lb_member_info answer: the same keys whether the call succeeds or fails."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    Balancer,
    Counters,
    Member,
    Snapshot,
)

REACHED = "reached"
NOT_REACHED = "not_reached"
FORCED = "forced"
RESTORED = "restored"
DRAINED_EXTERNALLY = "drained_externally"
UNCHANGED = "unchanged"


def facts(member: Member) -> dict[str, t.Any]:
    """One member as a result shows it."""
    return {
        "address": member.address,
        "own": member.own,
        "admin": member.admin,
        "operational": member.operational,
        "weight": member.weight,
        "sessions": member.sessions,
        "queue": member.queue,
        "old_sessions": member.old_sessions,
        "in_rotation": member.in_rotation,
        "backup": member.backup,
        "tracks": member.tracks,
        "inherited": member.inherited,
        "agent": member.agent,
        "check": member.check,
        "went_down": member.went_down,
    }


def counted(counters: Counters | None) -> dict[str, t.Any] | None:
    """What was counted for one member as a result shows it; None where the node does not count it."""
    if counters is None:
        return None
    return {**dataclasses.asdict(counters), "histogram": [list(one) for one in counters.histogram]}


def nothing_done(pool: str) -> dict[str, t.Any]:
    """The result of a lb_member that saw and did nothing: all of its keys."""
    return {
        "changed": False,
        "pool": pool,
        "members": {},
        "drained_externally": [],
        "refused": False,
        "restore": {"states": {}},
        "waited": 0.0,
        "actions": [],
        "notes": [],
    }


class Report:
    """Collects what a call saw and did."""

    def __init__(self, balancer: Balancer, wanted: t.Mapping[str, str]) -> None:
        self._balancer = balancer
        self._wanted = wanted
        self._before: dict[str, Member] = {}
        self._now: dict[str, Member] = {}
        self._sent: dict[str, str] = {}
        self._outcomes: dict[str, str] = {}
        self._waited: dict[str, float] = {}
        self._at_start: dict[str, int] = {}
        self._saved = False
        self.drained_externally: list[str] = []
        self.waited = 0.0
        self.actions: list[str] = []
        self.notes: list[str] = []

    def saw_first(self, snapshot: Snapshot) -> None:
        self._before = self._mine(snapshot)
        self._at_start = {name: member.busy for name, member in self._before.items()}
        self.notes = list(snapshot.notes)
        self.notes += [
            f"'{name}' has an agent check, which may change its state or weight by itself."
            for name, member in self._before.items()
            if member.agent
        ]
        self.saw(snapshot)

    def saw(self, snapshot: Snapshot) -> None:
        self._now = self._mine(snapshot)

    def skipped(self, names: t.Iterable[str]) -> None:
        self.drained_externally = list(names)
        self._outcomes.update(dict.fromkeys(self.drained_externally, DRAINED_EXTERNALLY))

    def sent(self, changes: t.Mapping[str, str]) -> None:
        """Said before the balancer is asked: from here on the change counts, whatever comes after."""
        self._sent = dict(changes)
        for name, state in changes.items():
            self.actions.append(
                f"set '{name}' of pool '{self._balancer.pool}' from {self._before[name].own} to {state}"
            )

    def did_not_send(self, names: t.Iterable[str]) -> None:
        """The node refused these."""
        for name in names:
            self._sent.pop(name, None)

    def saved(self) -> None:
        self._saved = True
        self.actions.append(f"saved the state of pool '{self._balancer.pool}' for the next reload")

    def marked(self) -> None:
        """All admin states are read back: without a wait this is the outcome."""
        self._at_start = {name: member.busy for name, member in self._now.items()}
        for name in self._wanted:
            self._outcomes.setdefault(name, self._good_outcome(name))

    def ended(self, name: str, reached: bool, seconds: float) -> None:
        self._outcomes[name] = self._good_outcome(name) if reached else NOT_REACHED
        self._waited[name] = round(seconds, 3)

    def forced(self, names: t.Iterable[str]) -> None:
        for name in names:
            self._outcomes[name] = FORCED
            self.actions.append(f"ended the sessions of '{name}'")

    def restored(self, names: t.Iterable[str]) -> None:
        for name in names:
            self._outcomes[name] = RESTORED
            state = self._sent.pop(name)
            self.actions.append(f"restored '{name}' from {state} to {self._before[name].own}")
        self._saved = self._saved and bool(self._sent)

    @property
    def seen(self) -> dict[str, Member]:
        """The members as they were seen last; one that vanished is missing."""
        return self._now

    @property
    def own_changes(self) -> dict[str, tuple[str, str]]:
        """(before, set to) of every member that this call changed and has not put back."""
        return {name: (self._before[name].own, state) for name, state in self._sent.items()}

    def result(self) -> dict[str, t.Any]:
        return {
            **nothing_done(self._balancer.pool),
            "changed": bool(self._sent) or self._saved,
            "members": {name: self._member(name) for name in self._wanted if name in self._before},
            "drained_externally": self.drained_externally,
            "restore": {"states": {name: before for name, (before, dummy) in self.own_changes.items()}},
            "waited": round(self.waited, 3),
            "actions": self.actions,
            "notes": self.notes,
        }

    def diff(self) -> dict[str, t.Any]:
        """Admin states before and after, as far as this call changed them."""
        header = f"{self._balancer.where} pool {self._balancer.pool}"
        before = {name: member.own for name, member in self._before.items()}
        return {"before_header": header, "after_header": header, "before": before, "after": {**before, **self._sent}}

    def _member(self, name: str) -> dict[str, t.Any]:
        now = self._now.get(name, self._before[name])
        shown = facts(now)
        del shown["own"]
        shown.update(
            before=self._before[name].own,
            after=now.own,
            outcome=self._outcomes.get(name, UNCHANGED),
            waited=self._waited.get(name, 0.0),
            sessions_at_start=self._at_start.get(name, 0),
        )
        return shown

    def _good_outcome(self, name: str) -> str:
        return REACHED if name in self._sent else UNCHANGED

    def _mine(self, snapshot: Snapshot) -> dict[str, Member]:
        return {name: snapshot.members[name] for name in self._wanted if name in snapshot.members}
