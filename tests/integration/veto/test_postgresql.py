# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL primary with two streaming replicas: one at a time, the primary last and only after a switchover."""

from __future__ import annotations

import pathlib
import re
import subprocess
import typing as t

import pytest
from support.replicas import Databases, databases
from support.rolling_restarts import roll

RULE = {"type": "postgresql", "url": "postgresql://shop@127.0.0.1:{{ pg_port }}/postgres", "max_lag": "1M"}


@pytest.fixture
def service() -> t.Iterator[Databases]:
    with databases() as service:
        yield service


def test_one_at_a_time_and_the_primary_last_after_a_switchover(service: Databases, tmp_path: pathlib.Path) -> None:
    before = service.started()
    with service.watched():
        code, said = roll(service, tmp_path, RULE, {})
    assert code == 0, said
    assert [(one.name, one.role) for one in service.history] == [
        ("db2", "replica"),
        ("db3", "replica"),
        ("db1", "replica"),
    ]
    assert all(one.others == 2 for one in service.history), said
    assert service.most_down <= 1
    assert service.primary == "db2"
    assert service.streaming() == 2
    assert not set(before.values()) & set(service.started().values())
    assert "db1 objection postgresql: db1 is the primary and is changed last; db2, db3 are still to be changed" in said
    assert "shop-db: restart" in said


def test_check_mode_asks_too_and_touches_nothing(
    service: Databases, way: dict[str, t.Any], tmp_path: pathlib.Path
) -> None:
    """Also where the questions are put in a session of another user's."""
    before = service.started()
    settings = {f"ansible_{name}": value for name, value in way.items()}
    code, said = roll(service, tmp_path, RULE, settings, "--check")
    assert code == 0, said
    assert "db1 objection postgresql: db1 is the primary and is changed last; db2, db3 are still to be changed" in said
    assert "db2 consent postgresql: db2 is a replica; db3 follows" in said
    assert (service.started(), service.history) == (before, [])


def test_an_objection_for_longer_than_the_deadline_ends_the_run_with_all_hosts_in_service(
    service: Databases, tmp_path: pathlib.Path
) -> None:
    service_pg = str(service.program)
    _run(service_pg, "break", "db3")
    with service.watched():
        code, said = roll(service, tmp_path, RULE, {"rollout_veto_wait": 4})
    assert code == 2, said
    # db3 may go, because those that are needed are there; without it db2 may not.
    assert [one.name for one in service.history] == ["db3"]
    assert all(service.is_up(name) for name in ("db1", "db2", "db3"))
    objection = r"\(rollout_veto_wait\): postgresql: db3 does not stream from the primary\); "
    lasted = re.search(rf"db2 was left unchanged because of an objection that lasted (\d+) s {objection}", said)
    assert lasted, said
    assert int(lasted[1]) >= 4
    assert "Run the same command again once there is no objection." in said
    assert "Still drained" not in said
    _run(service_pg, "mend", "db3")
    code, said = roll(service, tmp_path, RULE, {})
    assert code == 0, said
    assert [one.name for one in service.history] == ["db3", "db2", "db1"]
    assert service.history[-1].role == "replica"


def _run(program: str, *words: str) -> None:
    subprocess.run([program, *words], check=True, stdin=subprocess.DEVNULL, timeout=30)
