# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""May this member of a replicated service go now? Judged from what all members say, as a pure function.

What is not known is an objection: a member that does not answer may be the one that is needed.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.plurals import are

PRIMARY, REPLICA = "primary", "replica"
ROLES = (PRIMARY, REPLICA)
FIGURES = ("usable_sentinels", "needed_sentinels", "voters")
WORDS = {
    "postgresql": ("primary", "does not stream from the primary"),
    "redis_sentinel": ("master", "is not linked to the master"),
    "etcd": ("leader", ""),
    "rabbitmq": ("leader", ""),
}
"""By type: what the primary is called, and what is wrong with a replica that does not follow it."""


@dataclasses.dataclass(frozen=True)
class Node:
    """One member as it was read; *trouble* says why it could not be."""

    name: str
    trouble: str = ""
    role: str = ""
    follows: bool = False
    position: int = 0
    cluster: str = ""
    usable_sentinels: int | None = None
    needed_sentinels: int | None = None
    voters: int | None = None
    votes: bool = True
    objection: str = ""

    @classmethod
    def of(cls, name: str, result: t.Mapping[str, t.Any]) -> Node:
        """What replica_info has returned; an answer in any other form is a trouble too."""
        if result.get("failed"):
            return cls(name, trouble=str(result.get("msg") or "no reason given").rstrip("."))
        role, follows, position = result.get("role"), result.get("follows"), result.get("position")
        is_figure = isinstance(position, int) and not isinstance(position, bool)
        figures = [result.get(name) for name in FIGURES]
        if role not in ROLES or not isinstance(follows, bool) or not is_figure or not all(map(_is_count, figures)):
            return cls(name, trouble="its answer is not valid")
        return cls(
            name,
            role=str(role),
            follows=follows,
            position=int(str(position)),
            cluster=str(result.get("cluster") or ""),
            votes=result.get("votes") is not False,
            objection=str(result.get("objection") or ""),
            usable_sentinels=figures[0],
            needed_sentinels=figures[1],
            voters=figures[2],
        )


def _is_count(figure: t.Any) -> bool:
    return figure is None or (isinstance(figure, int) and not isinstance(figure, bool))


@dataclasses.dataclass(frozen=True)
class Case:
    """The *asker* among the *nodes* of its group, itself included."""

    asker: str
    type: str
    nodes: t.Sequence[Node]
    max_lag: float
    remaining: t.Sequence[str] = ()
    """Who of the group this rollout still has to change."""
    is_before_drain: bool = False
    """Whether the user's steps before the drain are over, so that nobody switches over any more."""

    @property
    def others(self) -> list[Node]:
        return [node for node in self.nodes if node.name != self.asker]

    @property
    def itself(self) -> Node:
        return next((node for node in self.nodes if node.name == self.asker), Node(self.asker, "it was not asked"))

    @property
    def primary_word(self) -> str:
        return WORDS[self.type][0]


class Judged(t.NamedTuple):
    """*counts* is false where the host only waits for its turn."""

    consents: bool
    said: str
    counts: bool = True


def judge(case: Case) -> Judged:
    """A primary goes last and only after a switchover; a replica goes while all others follow without lag."""
    for rule in (unread, _one_primary, _one_cluster, turn, _following, _lag, _sentinels, _switched_over):
        objection = rule(case)
        if objection is not None:
            return objection
    others = ", ".join(node.name for node in case.others if node.role == REPLICA)
    role = case.primary_word if case.itself.role == PRIMARY else "replica"
    return Judged(
        True, f"{case.asker} is a {role}" + (f"; {others} {'follow' if ',' in others else 'follows'}" if others else "")
    )


def unread(case: Case) -> Judged | None:
    silent = [node for node in case.others if node.trouble]
    if not case.others:
        return objects("the group has no other host: list all its hosts")
    return objects("; ".join(f"{node.name} cannot be read: {node.trouble}" for node in silent)) if silent else None


def _one_primary(case: Case) -> Judged | None:
    primaries = [node.name for node in case.nodes if node.role == PRIMARY]
    if len(primaries) > 1:
        return objects(f"{' and '.join(primaries)} claim to be the {case.primary_word}")
    if not primaries:
        return objects(f"no host claims to be the {case.primary_word}")
    return None


def _one_cluster(case: Case) -> Judged | None:
    primary = next(node for node in case.nodes if node.role == PRIMARY)
    strange = [node.name for node in case.nodes if not node.trouble and node.cluster != primary.cluster]
    if strange:
        return objects(f"{', '.join(strange)} {are(len(strange))} not in the same cluster as {primary.name}")
    return None


def turn(case: Case) -> Judged | None:
    if case.itself.role == PRIMARY and case.remaining:
        left = ", ".join(case.remaining)
        return Judged(
            False,
            f"{case.asker} is the {case.primary_word} and is changed last; {left} {are(len(case.remaining))} still to be changed",
            False,
        )
    return None


def _following(case: Case) -> Judged | None:
    wrong = [node.name for node in case.others if node.role == REPLICA and not node.follows]
    return objects("; ".join(f"{name} {WORDS[case.type][1]}" for name in wrong)) if wrong else None


def _lag(case: Case) -> Judged | None:
    primary = next(node for node in case.nodes if node.role == PRIMARY)
    behind = {node.name: primary.position - node.position for node in case.others if node.role == REPLICA}
    late = [
        f"{name} is {lag} bytes behind the {case.primary_word}; the maximum is {case.max_lag:.0f} (max_lag)"
        for name, lag in behind.items()
        if lag > case.max_lag
    ]
    return objects("; ".join(late)) if late else None


def _sentinels(case: Case) -> Judged | None:
    """Its own Sentinel goes with it; the others have to be enough for a failover."""
    goes = 0 if case.itself.trouble else 1
    for node in case.others:
        if node.usable_sentinels is not None and node.usable_sentinels - goes < (node.needed_sentinels or 1):
            return objects(
                f"{node.name} reaches {node.usable_sentinels} Sentinels including the one on {case.asker}, and a failover needs "
                f"{node.needed_sentinels} without it"
            )
    return None


def _switched_over(case: Case) -> Judged | None:
    if case.itself.role == PRIMARY and case.is_before_drain:
        return objects(
            f"{case.asker} is still the {case.primary_word}: switch over in the task file of rollout_before_drain_tasks"
        )
    return None


def objects(said: str) -> Judged:
    return Judged(False, said)
