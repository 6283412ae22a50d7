# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.migrations.programs import Said
from ansible_collections.steady.rollout.plugins.module_utils.replicas.model import Member
from ansible_collections.steady.rollout.plugins.module_utils.replicas.rabbitmq import critical_queues, member_of

# As RabbitMQ 3.10.8 printed them.
STATUS: dict[str, t.Any] = {
    "alarms": [], "cluster_name": "r1@vm", "disk_nodes": ["r1@a", "r2@b", "r3@c"], "ram_nodes": [],
    "running_nodes": ["r3@c", "r2@b", "r1@a"], "partitions": {},
}  # fmt: skip
CRITICAL = {
    "message": "Node r2@b reported local queues with minimum online quorum", "result": "error",
    "queues": [{"name": "orders", "readable_name": "queue 'orders' in vhost '/'", "type": "quorum", "virtual_host": "/"}],
}  # fmt: skip


def read(critical: t.Sequence[str] = (), **changes: t.Any) -> Member:
    return member_of(json.dumps({**STATUS, **changes}), critical)


def check(code: int, err: str, out: str = "") -> Said:
    return Said(("rabbitmq-queues", "check_if_node_is_quorum_critical"), code, out, err)


def test_a_node_among_running_ones() -> None:
    assert read() == Member("replica", True, 0, "r1@a,r2@b,r3@c", voters=3)


def test_a_node_that_is_down_is_named() -> None:
    found = read(running_nodes=["r1@a", "r2@b"])
    assert (found.follows, found.objection) == (False, "r3@c is not running")


def test_a_partition_is_named() -> None:
    found = read(partitions={"r3@c": ["r1@a"]})
    assert (found.follows, found.objection) == (False, "r3@c is partitioned from the cluster")


def test_queues_that_need_this_node_are_named() -> None:
    queues = critical_queues(check(69, json.dumps(CRITICAL)))
    assert queues == ["queue 'orders' in vhost '/'"]
    found = read(queues)
    assert (found.follows, found.objection) == (True, "queue 'orders' in vhost '/' would lose its quorum")
    assert critical_queues(check(0, "", '{"result":"ok"}')) == []


@pytest.mark.parametrize(
    ("code", "err"),
    [(69, "unable to perform an operation on node 'r9@a'"), (69, "{}"), (69, '{"queues": []}'), (69, '{"queues": [1]}'), (64, "usage")],
)  # fmt: skip
def test_a_check_that_was_not_made_is_no_consent(code: int, err: str) -> None:
    with pytest.raises(RolloutError) as error:
        critical_queues(check(code, err))
    assert error.value.message == (
        f"'rabbitmq-queues check_if_node_is_quorum_critical' failed with exit status {code}: {err}"
    )


@pytest.mark.parametrize(
    "status", ["", "[]", "{}", json.dumps({**STATUS, "running_nodes": "r1"}), json.dumps({**STATUS, "disk_nodes": [1]})]
)
def test_an_answer_that_is_not_understood(status: str) -> None:
    with pytest.raises(RolloutError) as error:
        member_of(status, [])
    assert error.value.message == (
        f"rabbitmqctl: expected the JSON of version 3.8 or later, found {status!r:.80}. Check which RabbitMQ is installed."
    )
