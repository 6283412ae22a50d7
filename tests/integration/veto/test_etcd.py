# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three members of etcd: one at a time, the leader last, and never without a majority."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from support.quorums import Etcds, etcds
from support.rolling_restarts import roll

RULE = {"type": "etcd", "endpoint": "http://127.0.0.1:{{ etcd_port }}"}


@pytest.fixture
def service() -> t.Iterator[Etcds]:
    with etcds() as service:
        yield service


def test_one_at_a_time_and_the_leader_last(service: Etcds, tmp_path: pathlib.Path) -> None:
    service.lead("db1")
    service.ctl("db1", "put", "order", "4711")
    with service.watched():
        code, said = roll(service, tmp_path, RULE, {})
    assert code == 0, said
    assert [(one.name, one.role) for one in service.history] == [
        ("db2", "replica"),
        ("db3", "replica"),
        ("db1", "primary"),
    ]
    assert all(one.others == 2 for one in service.history), said
    assert service.most_down <= 1
    assert service.ctl("db1", "get", "order", "--print-value-only") == "4711"
    assert "db1 objection etcd: db1 is the leader and is changed last; db2, db3 are still to be changed" in said


def test_a_member_that_is_down_keeps_the_others_in_service(service: Etcds, tmp_path: pathlib.Path) -> None:
    lost = next(name for name in ("db1", "db2", "db3") if name != service.leader)
    service.do("stop", lost)
    rest = [name for name in service.ports if name != lost]
    code, said = roll(service, tmp_path, RULE, {"rollout_veto_wait": 3}, "--limit", ",".join(rest))
    assert code == 2, said
    assert service.history == []
    assert all(service.is_up(name) for name in rest)
    assert f"{lost} cannot be read: 'etcdctl endpoint status' failed with exit status 1" in said
    assert "Still drained" not in said
