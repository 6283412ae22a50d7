# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""May a member of a replicated service go? What is not known is an objection."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.plugin_utils.veto import replicas
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.replicas import Case, Judged, Node

PRIMARY = Node("db1", "", "primary", False, 1000, "7")
SECOND = Node("db2", "", "replica", True, 1000, "7")
THIRD = Node("db3", "", "replica", True, 1000, "7")


def judged(asker: str, *nodes: Node, **changes: t.Any) -> Judged:
    return replicas.judge(Case(asker, **{"type": "postgresql", "nodes": nodes, "max_lag": 100, **changes}))


def objection(asker: str, *nodes: Node, **changes: t.Any) -> str:
    found = judged(asker, *nodes, **changes)
    assert not found.consents
    return found.said


def but(node: Node, **changes: t.Any) -> Node:
    return dataclasses.replace(node, **changes)


def test_a_replica_goes_while_the_others_follow() -> None:
    assert judged("db2", PRIMARY, SECOND, THIRD) == Judged(True, "db2 is a replica; db3 follows")


def test_the_primary_goes_last_and_waits_for_its_turn_without_a_limit() -> None:
    assert judged("db1", PRIMARY, SECOND, THIRD, remaining=["db2", "db3"]) == Judged(
        False, "db1 is the primary and is changed last; db2, db3 are still to be changed", False
    )
    assert judged("db1", PRIMARY, SECOND, THIRD) == Judged(True, "db1 is a primary; db2, db3 follow")


def test_before_the_drain_it_must_not_be_the_primary_any_more() -> None:
    assert objection("db1", PRIMARY, SECOND, THIRD, is_before_drain=True) == (
        "db1 is still the primary: switch over in the task file of rollout_before_drain_tasks"
    )
    switched = (but(PRIMARY, role="replica", follows=True), but(SECOND, role="primary", follows=False), THIRD)
    assert judged("db1", *switched, is_before_drain=True).consents


def test_the_words_are_those_of_redis() -> None:
    nodes = (PRIMARY, SECOND, but(THIRD, follows=False))
    assert objection("db2", *nodes, type="redis_sentinel") == "db3 is not linked to the master"
    assert objection("db1", *nodes, type="redis_sentinel", remaining=["db2"]).startswith(
        "db1 is the master and is changed last"
    )


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ((PRIMARY, SECOND, but(THIRD, follows=False)), "db3 does not stream from the primary"),
        (
            (PRIMARY, SECOND, but(THIRD, position=899)),
            "db3 is 101 bytes behind the primary; the maximum is 100 (max_lag)",
        ),
        ((PRIMARY, SECOND, Node("db3", "it refused the connection")), "db3 cannot be read: it refused the connection"),
        ((but(PRIMARY, role="replica"), SECOND, THIRD), "no host claims to be the primary"),
        ((PRIMARY, SECOND, but(THIRD, role="primary")), "db1 and db3 claim to be the primary"),
        ((PRIMARY, SECOND, but(THIRD, cluster="8")), "db3 is not in the same cluster as db1"),
        ((SECOND,), "the group has no other host: list all its hosts"),
    ],
)
def test_a_replica_is_kept_while_another_one_is_missing(nodes: t.Sequence[Node], said: str) -> None:
    assert objection("db2", *nodes) == said


def test_a_host_that_does_not_answer_itself_may_be_repaired() -> None:
    assert judged("db2", PRIMARY, Node("db2", "refused"), THIRD).consents


@pytest.mark.parametrize(("usable", "needed", "goes"), [(3, 2, True), (2, 2, False), (1, 1, False), (5, 3, True)])
def test_the_sentinels_that_stay_must_be_enough_for_a_failover(usable: int, needed: int, goes: bool) -> None:
    nodes = [but(node, usable_sentinels=usable, needed_sentinels=needed) for node in (PRIMARY, SECOND, THIRD)]
    assert judged("db2", *nodes, type="redis_sentinel").consents is goes


def test_too_few_sentinels_are_named() -> None:
    nodes = [but(node, usable_sentinels=2, needed_sentinels=2) for node in (PRIMARY, SECOND, THIRD)]
    assert objection("db2", *nodes, type="redis_sentinel") == (
        "db1 reaches 2 Sentinels including the one on db2, and a failover needs 2 without it"
    )


def test_a_sentinel_that_is_gone_already_is_not_taken_away_twice() -> None:
    nodes = [but(PRIMARY, usable_sentinels=2, needed_sentinels=2), Node("db2", "refused"), THIRD]
    assert judged("db2", *nodes, type="redis_sentinel").consents


GOOD = {"role": "replica", "follows": True, "position": 5, "cluster": "7"}


@pytest.mark.parametrize(
    "change",
    [
        {"role": "master"}, {"role": None}, {"follows": "yes"}, {"position": "5"}, {"position": True}, {"position": None},
        {"usable_sentinels": "3"}, {"needed_sentinels": True},
    ],
)  # fmt: skip
def test_an_answer_that_is_not_understood_is_none(change: dict[str, t.Any]) -> None:
    assert Node.of("db3", {**GOOD, **change}) == Node("db3", "its answer is not valid")


def test_a_member_that_could_not_be_read_says_why() -> None:
    assert (
        Node.of("db3", {"failed": True, "msg": "psql is not installed here."}).trouble == "psql is not installed here"
    )
    assert Node.of("db3", GOOD) == Node("db3", "", "replica", True, 5, "7")


ANY = st.builds(
    Node,
    name=st.just("x"),
    trouble=st.sampled_from(["", "", "", "refused"]),
    role=st.sampled_from(["primary", "replica", "replica"]),
    follows=st.booleans(),
    position=st.integers(0, 300),
    cluster=st.sampled_from(["7", "7", "7", "8"]),
)


@given(nodes=st.lists(ANY, min_size=1, max_size=5), remaining=st.booleans(), is_before_drain=st.booleans())
def test_a_consent_leaves_a_primary_and_all_other_replicas(
    nodes: list[Node], remaining: bool, is_before_drain: bool
) -> None:
    """Invariant 1, for a replicated service: whoever goes, the others serve, follow and have every write."""
    named = [
        but(node, name=f"db{number}") if not node.trouble else Node(f"db{number}", node.trouble)
        for number, node in enumerate(nodes, start=1)
    ]
    left = ["db2"] if remaining else []
    found = replicas.judge(Case("db1", "postgresql", named, 100, left, is_before_drain))
    if not found.consents:
        return
    itself, others = named[0], named[1:]
    primaries = [node for node in named if node.role == "primary"]
    assert others
    assert not any(node.trouble for node in others)
    assert len(primaries) == 1
    assert all(node.follows for node in others if node.role == "replica")
    assert all(primaries[0].position - node.position <= 100 for node in others)
    assert itself.role != "primary" or not (remaining or is_before_drain)
