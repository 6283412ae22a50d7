# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.plugin_utils.veto.consensus import judge
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.replicas import Case, Judged, Node

LEADER = Node("db1", role="primary", follows=True, position=1000, cluster="7", voters=3)
SECOND = dataclasses.replace(LEADER, name="db2", role="replica", position=990)
THIRD = dataclasses.replace(SECOND, name="db3")


def but(node: Node, **changes: t.Any) -> Node:
    return dataclasses.replace(node, **changes)


def judged(asker: str, *nodes: Node, **settings: t.Any) -> Judged:
    return judge(Case(asker, "etcd", nodes, 100.0, **settings))


def test_a_follower_goes_while_the_others_are_a_majority() -> None:
    said = "without db2, 2 of 3 voting members remain, which is a majority"
    assert judged("db2", LEADER, SECOND, THIRD) == Judged(True, said)


def test_the_leader_goes_last_and_needs_no_switchover() -> None:
    waits = judged("db1", LEADER, SECOND, THIRD, remaining=["db2", "db3"])
    assert waits == Judged(False, "db1 is the leader and is changed last; db2, db3 are still to be changed", False)
    assert judged("db1", LEADER, SECOND, THIRD, is_before_drain=True).consents


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ((LEADER, SECOND, Node("db3", "it refused the connection")), "db3 cannot be read: it refused the connection"),
        ((LEADER, SECOND, but(THIRD, follows=False)), "db3: no leader"),
        ((LEADER, SECOND, but(THIRD, follows=False, objection="db9 is not running")), "db3: db9 is not running"),
        ((LEADER, but(SECOND, objection="queue 'orders' would lose its quorum"), THIRD), "db2: queue 'orders' would lose its quorum"),
        ((LEADER, SECOND, but(THIRD, cluster="8")), "db3 is not in the same cluster as db1"),
        ((LEADER, SECOND, but(THIRD, voters=5)), "db3 is not in the same cluster as db1"),
        ((LEADER, SECOND, but(THIRD, position=899)), "db3 is 101 entries behind; the maximum is 100 (max_lag)"),
        (
            (LEADER, SECOND, but(THIRD, votes=False)),
            "without db2, 1 of 3 voting members would remain, and a majority is 2; check that all hosts of the cluster are listed",
        ),
        (
            (but(LEADER, voters=5), but(SECOND, voters=5), but(THIRD, voters=5)),
            "without db2, 2 of 5 voting members would remain, and a majority is 3; check that all hosts of the cluster are listed",
        ),
        ((SECOND,), "the group has no other host: list all its hosts"),
    ],
)  # fmt: skip
def test_a_member_is_kept_while_it_may_be_needed(nodes: t.Sequence[Node], said: str) -> None:
    assert judged("db2", *nodes) == Judged(False, said)


def test_a_member_that_does_not_answer_itself_may_be_repaired() -> None:
    assert judged("db2", LEADER, Node("db2", "refused"), THIRD).consents


def test_a_learner_may_always_go() -> None:
    two = [but(node, voters=2) for node in (LEADER, SECOND)]
    assert judged("db3", *two, but(THIRD, voters=2, votes=False)).consents


def test_a_cluster_of_one_or_two_has_no_member_to_spare() -> None:
    pair = [but(node, voters=2) for node in (LEADER, SECOND)]
    assert not judged("db2", *pair).consents


ANY = st.builds(
    Node,
    name=st.just("x"),
    trouble=st.sampled_from(["", "", "", "refused"]),
    role=st.sampled_from(["primary", "replica", "replica"]),
    follows=st.sampled_from([True, True, False]),
    position=st.integers(800, 1000),
    cluster=st.sampled_from(["7", "7", "7", "8"]),
    voters=st.sampled_from([3, 3, 3, 5]),
    votes=st.sampled_from([True, True, True, False]),
    objection=st.sampled_from(["", "", "", "needed"]),
)


@given(nodes=st.lists(ANY, min_size=1, max_size=6), remaining=st.booleans(), is_before_drain=st.booleans())
def test_a_consent_leaves_a_majority_that_is_in_contact(
    nodes: list[Node], remaining: bool, is_before_drain: bool
) -> None:
    named = [dataclasses.replace(node, name=f"db{number}") for number, node in enumerate(nodes, start=1)]
    found = judged("db1", *named, remaining=["db2"] if remaining else [], is_before_drain=is_before_drain)
    if not found.consents:
        return
    itself, others = named[0], named[1:]
    assert all(not node.trouble and node.follows and node.cluster == others[0].cluster for node in others)
    assert not itself.objection
    if itself.trouble or itself.votes:
        assert 2 * sum(node.votes for node in others) > (others[0].voters or 0)
