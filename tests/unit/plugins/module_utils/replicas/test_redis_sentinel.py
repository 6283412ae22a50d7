# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.replicas.model import Member
from ansible_collections.steady.rollout.plugins.module_utils.replicas.redis_sentinel import member_of

REPLICA = (
    "# Replication\r\nrole:slave\r\nmaster_link_status:up\r\nmaster_sync_in_progress:0\r\nslave_repl_offset:99\r\n"
)
PRIMARY = "# Replication\r\nrole:master\r\nconnected_slaves:2\r\nmaster_repl_offset:100\r\n"
KNOWN = ["name", "shop", "ip", "10.0.0.1", "port", "6379", "num-other-sentinels", "2", "quorum", "2"]
OK = "OK 3 usable Sentinels. Quorum and failover authorization can be reached"


def but(name: str, value: str) -> list[str]:
    at = KNOWN.index(name) + 1
    return [*KNOWN[:at], value, *KNOWN[at + 1 :]]


def test_a_master_and_a_replica_of_one_group_name_the_same_master() -> None:
    assert member_of(PRIMARY, t.cast("t.Any", KNOWN), OK) == Member("primary", False, 100, "10.0.0.1:6379", 3, 2)
    assert member_of(REPLICA, t.cast("t.Any", KNOWN), OK) == Member("replica", True, 99, "10.0.0.1:6379", 3, 2)


@pytest.mark.parametrize("line", ["master_link_status:down", "master_sync_in_progress:1"])
def test_a_replica_whose_link_is_down_or_that_copies_does_not_follow(line: str) -> None:
    name = line.split(":")[0]
    said = "\r\n".join(line if one.startswith(name) else one for one in REPLICA.split("\r\n"))
    assert not member_of(said, t.cast("t.Any", KNOWN), OK).follows


@pytest.mark.parametrize(("others", "quorum", "needed"), [("2", "2", 2), ("4", "2", 3), ("4", "5", 5), ("0", "1", 1)])
def test_a_failover_needs_the_quorum_and_more_than_half(others: str, quorum: str, needed: int) -> None:
    known = [*but("num-other-sentinels", others)]
    known[known.index("quorum") + 1] = quorum
    assert member_of(REPLICA, t.cast("t.Any", known), OK).needed_sentinels == needed


def test_without_a_quorum_none_is_usable() -> None:
    said = "127.0.0.1:26379: refused the command: NOQUORUM 1 usable Sentinels. Not enough."
    assert member_of(REPLICA, t.cast("t.Any", KNOWN), said).usable_sentinels == 0


@pytest.mark.parametrize(
    ("server", "known", "quorum", "message"),
    [
        ("role:unknown", KNOWN, OK, "Redis gave an unexpected answer: 'unknown'."),
        ("", KNOWN, OK, "Redis gave an unexpected answer: ''."),
        (None, KNOWN, OK, "Redis gave an unexpected answer: None."),
        ("role:master\r\n", KNOWN, OK, "Redis gave an unexpected answer: 'an offset of '."),
        (PRIMARY, None, OK, "Sentinel gave an unexpected answer: None."),
        (PRIMARY, ["quorum", "2"], OK, "Sentinel gave an unexpected answer: ['quorum', '2']."),
        (PRIMARY, KNOWN, "3 usable", "Sentinel gave an unexpected answer: '3 usable'."),
    ],
)
def test_anything_else_is_no_answer(server: t.Any, known: t.Any, quorum: t.Any, message: str) -> None:
    with pytest.raises(RolloutError) as caught:
        member_of(server, known, quorum)
    assert caught.value.message == message
