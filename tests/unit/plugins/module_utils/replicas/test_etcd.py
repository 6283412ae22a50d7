# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.replicas.etcd import environment_of, member_of
from ansible_collections.steady.rollout.plugins.module_utils.replicas.model import Member

# As etcd 3.4.23 printed them.
STATUS: dict[str, t.Any] = {
    "header": {"cluster_id": 17495100640981928781, "member_id": 7616583982444832909, "revision": 1, "raft_term": 2},
    "version": "3.4.23", "dbSize": 20480, "leader": 7059799375513725458, "raftIndex": 8, "raftTerm": 2,
    "raftAppliedIndex": 8, "dbSizeInUse": 20480,
}  # fmt: skip
MEMBERS: list[dict[str, t.Any]] = [
    {"ID": 7059799375513725458, "name": "e3"},
    {"ID": 7616583982444832909, "name": "e1"},
    {"ID": 11417610130673999598, "name": "e2"},
]


def read(status: t.Mapping[str, t.Any] | None = None, members: t.Sequence[t.Any] = ()) -> Member:
    """What is not given is as above."""
    shown = [{"Endpoint": "http://127.0.0.1:2379", "Status": status or STATUS}]
    return member_of(json.dumps(shown), json.dumps({"members": members or MEMBERS}))


def test_a_follower_reports_its_leader_and_the_leader_itself() -> None:
    follower = Member("replica", True, 8, "17495100640981928781", voters=3)
    assert read() == follower
    leader = {**STATUS, "leader": STATUS["header"]["member_id"]}
    assert read(leader) == follower._replace(role="primary")
    assert (read().said, read(leader).said) == ("member of a cluster of 3", "leader of a cluster of 3")


def test_without_a_leader_it_follows_none_and_reports_it() -> None:
    lonely = {name: value for name, value in STATUS.items() if name != "leader"}
    found = read({**lonely, "errors": ["etcdserver: no leader"]})
    assert (found.follows, found.objection) == (False, "etcdserver: no leader")
    assert not read(lonely).follows


def test_an_alarm_is_an_objection() -> None:
    found = read({**STATUS, "errors": ["memberID:1 alarm:NOSPACE "]})
    assert (found.follows, found.objection) == (False, "memberID:1 alarm:NOSPACE ")


def test_a_learner_does_not_vote() -> None:
    learning = [{**one, "isLearner": one["name"] == "e1"} for one in MEMBERS]
    assert (read(members=learning).voters, read(members=learning).votes) == (2, False)


def test_an_older_one_that_reports_no_applied_index() -> None:
    assert read({name: value for name, value in STATUS.items() if name != "raftAppliedIndex"}).position == 8


@pytest.mark.parametrize(
    "status",
    ["", "[]", "{}", "null", "[{}]", '[{"Status": []}]', json.dumps([{"Status": {**STATUS, "raftAppliedIndex": -1}}]),
     json.dumps([{"Status": {**STATUS, "leader": "e1"}}]), json.dumps([{"Status": {**STATUS, "header": {}}}])],
)  # fmt: skip
def test_an_answer_that_is_not_understood(status: str) -> None:
    with pytest.raises(RolloutError) as error:
        member_of(status, json.dumps({"members": MEMBERS}))
    assert error.value.message == (
        f"etcdctl: expected the JSON of version 3.4 or later, found {status!r:.80}. Check which etcdctl is installed."
    )


def test_a_list_without_the_member_itself() -> None:
    with pytest.raises(RolloutError) as error:
        read(members=MEMBERS[:1])
    assert error.value.message == (
        "etcd does not list this member as one of its cluster. Check 'etcdctl member list'; it may have been removed."
    )


def test_a_password_is_given_where_no_other_user_sees_it() -> None:
    given = {"endpoint": "https://10.0.0.1:2379", "ca_path": "/etc/ca.pem", "cert_path": None, "key_path": None,
             "user": "watch", "password": "secret"}  # fmt: skip
    assert environment_of(given, 5.0) == {
        "ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": "https://10.0.0.1:2379", "ETCDCTL_DIAL_TIMEOUT": "5s",
        "ETCDCTL_COMMAND_TIMEOUT": "5s", "ETCDCTL_CACERT": "/etc/ca.pem", "ETCDCTL_USER": "watch",
        "ETCDCTL_PASSWORD": "secret",
    }  # fmt: skip
