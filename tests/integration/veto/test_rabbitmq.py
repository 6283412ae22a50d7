# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three nodes of RabbitMQ with a quorum queue: one at a time, each only while no queue needs it."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from support.quorums import Rabbits, rabbits
from support.rolling_restarts import roll

RULE = {"type": "rabbitmq", "node": "{{ rabbit_node }}", "timeout": 30}

SLOW = 400
"""Seconds; Erlang takes some to start."""


@pytest.fixture
def service() -> t.Iterator[Rabbits]:
    with rabbits() as service:
        yield service


def test_one_at_a_time_and_none_that_a_queue_needs(service: Rabbits, tmp_path: pathlib.Path) -> None:
    code, said = roll(service, tmp_path, RULE, {}, limit=SLOW)
    assert code == 0, said
    assert sorted(one.name for one in service.history) == ["db1", "db2", "db3"]
    assert all(one.others == 2 for one in service.history), said
    service.ctl("db3", "stop_app")
    code, said = roll(
        service, tmp_path, RULE, {"rollout_veto_wait": 3, "rollout_restart": "again"}, "--limit", "db1,db2", limit=SLOW
    )
    assert code == 2, said
    assert len(service.history) == 3
    assert "db1 objection rabbitmq: db3 cannot be read: 'rabbitmq" in said
    service.ctl("db3", "start_app")
    assert service.ctl("db1", "list_queues", "name", "--no-table-headers", "--silent") == "orders"
