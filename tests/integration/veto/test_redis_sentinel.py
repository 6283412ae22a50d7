# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Redis master with two replicas and three Sentinels: one at a time, the master last, and never without a quorum."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from support.replicas import MASTER, Caches, caches
from support.rolling_restarts import roll

RULE = {
    "type": "redis_sentinel",
    "master": MASTER,
    "port": "{{ redis_port }}",
    "sentinel_port": "{{ sentinel_port }}",
}


@pytest.fixture
def service() -> t.Iterator[Caches]:
    with caches() as service:
        yield service


def test_one_at_a_time_and_the_master_last_after_a_failover(service: Caches, tmp_path: pathlib.Path) -> None:
    service.cli(service.ports["db1"], "SET", "order", "4711")
    with service.watched():
        code, said = roll(service, tmp_path, RULE, {})
    assert code == 0, said
    assert [(one.name, one.role) for one in service.history] == [
        ("db2", "replica"),
        ("db3", "replica"),
        ("db1", "replica"),
    ]
    # Two Sentinels of three were there each time: enough for a failover.
    assert all(one.others == 2 for one in service.history), said
    assert service.most_down <= 1
    assert service.primary in ("db2", "db3")
    assert service.cli(service.ports[service.primary], "GET", "order") == "4711"
    assert (
        "db1 objection redis_sentinel: db1 is the master and is changed last; db2, db3 are still to be changed" in said
    )
