# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""feature_flag as a playbook runs it: in the worker and as a module, with no key in anything that is shown."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from support.flag_systems import FLAG, SECRET, RedisServer
from support.playbooks import played


@pytest.fixture
def redis(tmp_path: pathlib.Path) -> t.Iterator[RedisServer]:
    if RedisServer.missing():
        pytest.skip(RedisServer.missing())
    server = RedisServer(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def play(redis: RedisServer, way: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    task = {"steady.rollout.feature_flag": {"name": FLAG, "system": redis.settings(), **options}}
    return {**way, "tasks": [{**task, "register": "done"}, {"ansible.builtin.debug": {"var": "done"}}]}


def test_no_key_is_shown(redis: RedisServer, way: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    exit_code, printed = played(tmp_path, play(redis, way, state="on", percent=10), "-vvv", "--diff")
    assert exit_code == 0, printed
    assert redis.cli("GET", f"rollout_percentage:{FLAG}") == "10"
    wrong = {**redis.settings(), "password": "another-secret"}
    task = {"steady.rollout.feature_flag": {"name": FLAG, "system": wrong, "state": "off"}}
    exit_code, more = played(tmp_path, {**way, "tasks": [task]}, "-vvv")
    assert exit_code == 2
    assert "user or password is wrong" in more
    assert SECRET not in printed
    assert "another-secret" not in more


def test_a_coordinator_that_is_down_delays_no_kill(redis: RedisServer, tmp_path: pathlib.Path) -> None:
    redis.overwrite(True)
    content = play(redis, {}, state="killed", reason="orders twice", service="shop", ledger=f"{tmp_path}/no/such")
    nowhere = {"name": "nowhere", "ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    content["tasks"].insert(0, {"ansible.builtin.add_host": nowhere})
    content["vars"] = {"rollout_coordinator": "nowhere"}
    exit_code, printed = played(tmp_path, content)
    assert exit_code == 0, printed
    assert f"{FLAG} is killed (orders twice): sent after" in printed
    assert "The rollout of shop could not be paused" in printed
    assert redis.cli("GET", f"kill_switch:{FLAG}:reason") == "orders twice"


def test_cron_sees_by_the_exit_code_that_there_is_something_to_clean_up(
    redis: RedisServer, tmp_path: pathlib.Path
) -> None:
    redis.cli("SET", "feature:old", "on")
    redis.cli("SET", "feature:old:about", json.dumps({"created": 1.0, "kind": "release", "description": "SHOP-1"}))
    task = {"steady.rollout.feature_flag_info": {"system": redis.settings(), "audit": {}, "fail_on": "findings"}}
    exit_code, printed = played(tmp_path, {"tasks": [task]})
    assert exit_code == 2
    assert "1 flag, 1 on, 1 to clean up: old. Remove these flags, or name their reason." in printed
    redis.cli("DEL", "feature:old", "feature:old:about")
    assert played(tmp_path, {"tasks": [task]})[0] == 0
