# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/flag.yml on a real Redis and on real files: its steps, what stops it, and a controller killed at each of them."""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import time
import typing as t

import pytest
from support.flag_shop import SLOW, Shop
from support.flag_systems import FLAG, SECRET, Flagd, RedisServer
from support.haproxy import wait_until
from support.playbooks import played

BROKEN = "- name: Look\n  ansible.builtin.fail:\n    msg: orders are down\n  when: rollout_share | int == 10\n"


@pytest.fixture
def redis(tmp_path: pathlib.Path) -> t.Iterator[RedisServer]:
    if RedisServer.missing():
        pytest.skip(RedisServer.missing())
    server = RedisServer(tmp_path)
    try:
        server.start()
        server.overwrite(False)
        yield server
    finally:
        server.stop()


@pytest.fixture
def shop(tmp_path: pathlib.Path, redis: RedisServer) -> t.Iterator[Shop]:
    made = Shop(tmp_path, redis.settings())
    yield made
    made.close()


def share(redis: RedisServer) -> int:
    """As the application reads it."""
    if redis.cli("GET", f"feature:{FLAG}") != "on" or redis.cli("GET", f"kill_switch:{FLAG}"):
        return 0
    return int(redis.cli("GET", f"rollout_percentage:{FLAG}") or 100)


def test_a_release_goes_to_all_users_step_by_step(shop: Shop, redis: RedisServer) -> None:
    exit_code, printed = shop.run("-vvv")
    assert exit_code == 0, printed
    assert shop.shares() == [1, 10, 100]
    assert f"shop: {FLAG} is on for 100 % of the users." in printed
    assert f"{FLAG} is on for 10 % of the users, bakes for 1 s" in printed
    assert share(redis) == 100
    assert SECRET not in printed
    assert SECRET.encode() not in (shop.folder / "ledger" / "ledger.db").read_bytes()
    exit_code, printed = shop.run()
    assert exit_code == 0, printed
    assert "there is nothing to do" in printed
    assert shop.shares() == [1, 10, 100]


def test_check_mode_shows_the_steps_and_changes_nothing(shop: Shop, redis: RedisServer) -> None:
    exit_code, printed = shop.run("--check")
    assert exit_code == 0, printed
    assert "1 % for 1 s, 10 % for 1 s, 100 % for 1 s" in printed
    assert (share(redis), shop.shares()) == (0, [])


def test_a_gate_that_fails_turns_it_off(shop: Shop, redis: RedisServer) -> None:
    gate = shop.folder / "gate.yml"
    gate.write_text(BROKEN, encoding="utf-8")
    exit_code, printed = shop.run(rollout_gate_tasks=str(gate))
    assert exit_code == 2
    assert share(redis) == 0
    assert shop.shares() == [1, 10]
    assert f"shop: {FLAG} is off; the gate at 10 %: fail: 'Look' ({gate}:1): orders are down." in printed


def test_a_metric_beyond_its_limit_turns_it_off(shop: Shop, redis: RedisServer) -> None:
    errors = shop.folder / "errors"
    errors.write_text("0", encoding="utf-8")
    run = shop.start(
        rollout_metric_sources={"errors": {"type": "command", "command": f"cat {errors}"}},
        rollout_flag_metrics=[{"name": "errors", "source": "errors", "query": "@", "limit": "< 1", "critical": True}],
        rollout_flag_steps=[{"percent": 1, "bake": 2}, {"percent": 10, "bake": 30}, {"percent": 100}],
    )
    shop.await_share(10, run)
    errors.write_text("7", encoding="utf-8")
    assert run.wait(timeout=60) == 2, shop.log()
    assert share(redis) == 0
    assert f"shop: {FLAG} is off; the gate at 10 %: fail" in shop.log()


def test_hosts_are_refused_as_a_baseline(shop: Shop, redis: RedisServer) -> None:
    exit_code, printed = shop.run(rollout_flag_metrics=[{"name": "errors", "judge": True}])
    assert exit_code == 2
    assert (
        "rollout_flag_metrics: 'errors' compares hosts, and with a flag every host serves users with and without the feature"
        in printed
    )
    assert (share(redis), shop.shares()) == (0, [])


@pytest.mark.parametrize("percent", [1, 10, 100])
def test_a_controller_that_is_killed_at_a_step_is_followed_by_one_that_resumes(
    shop: Shop, redis: RedisServer, percent: int
) -> None:
    shop.killed_at(percent)
    assert share(redis) == percent
    exit_code, printed = shop.run(rollout_flag_steps=SLOW)
    assert exit_code == 0, printed
    assert f"this run resumes: on for {percent} %" in printed
    assert shop.shares() == [1, 10, 100]
    assert share(redis) == 100


def test_or_that_turns_it_off(shop: Shop, redis: RedisServer) -> None:
    shop.killed_at(10)
    exit_code, printed = shop.run(rollout_resume="revert", rollout_flag_steps=SLOW)
    assert exit_code == 0, printed
    assert share(redis) == 0
    assert f"shop: {FLAG} is off; the operator asked for a rollback." in printed


def test_an_abort_turns_it_off(shop: Shop, redis: RedisServer) -> None:
    run = shop.start(rollout_flag_steps=[{"percent": 1, "bake": 60}, {"percent": 100}])
    shop.await_share(1, run)
    shop.control("aborted")
    assert run.wait(timeout=60) == 2
    assert share(redis) == 0
    assert f"shop: {FLAG} is off; the operator aborted it." in shop.log()


def test_a_kill_by_hand_ends_it_and_keeps_its_reason(shop: Shop, redis: RedisServer, tmp_path: pathlib.Path) -> None:
    run = shop.start(rollout_flag_steps=[{"percent": 1, "bake": 60}, {"percent": 100}])
    shop.await_share(1, run)
    kill = {"name": FLAG, "system": redis.settings(), "state": "killed", "reason": "orders twice", "service": "shop"}
    task = {"steady.rollout.feature_flag": {**kill, "ledger": str(tmp_path / "ledger")}, "register": "killed"}
    (tmp_path / "by_hand").mkdir()
    shown = {"ansible.builtin.debug": {"var": "killed.held"}}
    exit_code, printed = played(tmp_path / "by_hand", {"tasks": [task, shown]})
    assert exit_code == 0, printed
    # The release may have seen the kill and be over before the command has come to it.
    held = ("the flag stays killed, and the release ends", "no rollout is under way that could be stopped")
    assert any(text in " ".join(printed.split()) for text in held), printed
    assert run.wait(timeout=60) == 2
    assert re.search(rf"shop: {FLAG} is off; .*killed.*: orders twice\.", shop.log())
    assert redis.cli("GET", f"kill_switch:{FLAG}:reason") == "orders twice"


def test_a_pause_holds_the_next_share_and_a_promotion_ends_it(shop: Shop, redis: RedisServer) -> None:
    run = shop.start(rollout_flag_steps=[{"percent": 1, "bake": 60}, {"percent": 10, "bake": 60}, {"percent": 100}])
    shop.await_share(1, run)
    shop.control("paused")
    shop.control("promoted to=end")
    assert run.wait(timeout=60) == 0, shop.log()
    assert (share(redis), shop.shares()) == (100, [1, 100])


def test_an_interrupted_run_says_where_the_flag_is(shop: Shop, redis: RedisServer) -> None:
    run = shop.start(rollout_flag_steps=[{"percent": 1, "bake": 60}, {"percent": 100}])
    shop.await_share(1, run)
    time.sleep(3)  # The watch reports every two seconds.
    os.kill(run.pid, signal.SIGINT)
    assert run.wait(timeout=60) != 0
    assert f"{FLAG}: on for 1 %" in shop.log()
    assert (
        "Run the same command again to resume its release, or with -e rollout_resume=revert to turn the flag off."
        in shop.log()
    )
    exit_code, printed = shop.run(
        rollout_resume="revert", rollout_flag_steps=[{"percent": 1, "bake": 60}, {"percent": 100}]
    )
    assert exit_code == 0, printed
    assert share(redis) == 0


def test_somebody_else_who_changes_it_stops_it(shop: Shop, redis: RedisServer) -> None:
    run = shop.start(rollout_flag_steps=[{"percent": 1, "bake": 60}, {"percent": 100}])
    shop.await_share(1, run)
    redis.cli("SET", f"rollout_percentage:{FLAG}", "60")
    assert run.wait(timeout=60) == 2
    assert share(redis) == 0
    assert f"somebody else has changed {FLAG}: it is on for 60 % at localhost, expected 1 %" in shop.log()


def test_a_flag_system_that_is_gone_is_named_with_the_command(shop: Shop, redis: RedisServer) -> None:
    run = shop.start(rollout_flag_steps=[{"percent": 1, "bake": 60}, {"percent": 100}])
    shop.await_share(1, run)
    redis.break_down()
    shop.control("aborted")
    assert run.wait(timeout=90) == 2
    assert f"shop: {FLAG} may still be on: it could not be turned off (localhost: " in shop.log()
    assert (
        f'or run: ansible \'localhost\' -m steady.rollout.feature_flag -a \'{{"name": "{FLAG}", "state": "off"'
        in shop.log()
    )
    assert SECRET not in shop.log()


def test_a_file_on_every_host_is_turned_on_everywhere(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "features.json"
    path.write_text(json.dumps({"features": {FLAG: False}}), encoding="utf-8")
    shop = Shop(tmp_path, {"type": "file", "path": str(path), "section": "features"})
    exit_code, printed = shop.run()
    assert exit_code == 2
    assert "cannot turn" in printed
    exit_code, printed = shop.run(rollout_flag_steps=[{"percent": 100, "bake": 1}])
    assert exit_code == 0, printed
    assert json.loads(path.read_text(encoding="utf-8"))["features"][FLAG] is True


BY_SEGMENT = [{"segment": "internal", "bake": 1}, {"segment": "beta", "bake": 4}, {"percent": 10}, {"percent": 100}]


@pytest.fixture
def segmented(tmp_path: pathlib.Path) -> t.Iterator[Flagd]:
    if Flagd.missing():
        pytest.skip(Flagd.missing())
    system = Flagd(tmp_path)
    try:
        system.start()
        system.make_segments()
        system.overwrite(False)
        yield system
    finally:
        system.stop()


def segments(shop: Shop) -> list[list[str]]:
    return [event.get("segments", []) for event in shop.events("flag_share")]


def test_a_release_goes_from_segment_to_segment_and_then_to_all(segmented: Flagd, tmp_path: pathlib.Path) -> None:
    shop = Shop(tmp_path, segmented.settings())
    run = shop.start(rollout_flag_steps=BY_SEGMENT)
    wait_until(lambda: segments(shop)[1:] == [["beta", "internal"]], "both segments have it", 60)
    wait_until(lambda: segmented.users(100) == set(range(30)), "their users have the feature and nobody else", 3)
    assert run.wait(timeout=60) == 0, shop.log()
    assert segments(shop) == [["internal"], ["beta", "internal"], ["beta", "internal"], []]
    assert len(segmented.users(100)) == 100
    assert "segment internal for 1 s, segment beta for 4 s, 10 %, 100 %" in shop.log()
    assert f"{FLAG} is on for the segments beta, internal, bakes for 4 s" in shop.log()


def test_a_controller_that_is_killed_at_a_segment_is_followed_by_one_that_resumes(
    segmented: Flagd, tmp_path: pathlib.Path
) -> None:
    shop = Shop(tmp_path, segmented.settings())
    run = shop.start(rollout_flag_steps=BY_SEGMENT)
    wait_until(lambda: len(segments(shop)) == 2, "the second segment has it", 60)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait(timeout=20)
    exit_code, printed = shop.run(rollout_flag_steps=BY_SEGMENT)
    assert exit_code == 0, printed
    assert "this run resumes: on for segments beta, internal" in printed
    assert segments(shop) == [["internal"], ["beta", "internal"], ["beta", "internal"], []]


def test_a_segment_that_is_not_there_is_refused_before_anything_is_changed(
    segmented: Flagd, tmp_path: pathlib.Path
) -> None:
    before = segmented.path.read_text()
    shop = Shop(tmp_path, segmented.settings())
    exit_code, printed = shop.run(rollout_flag_steps=[{"segment": "internal"}, {"segment": "insiders"}])
    assert exit_code == 2
    assert (
        "cannot turn 'checkout_v2' on for the segment 'insiders', which does not exist; there are beta, internal."
        in printed
    )
    assert (segmented.path.read_text(), shop.events("flag_intended")) == (before, [])


def test_segments_are_refused_where_the_system_has_none(shop: Shop, redis: RedisServer) -> None:
    exit_code, printed = shop.run(rollout_flag_steps=BY_SEGMENT)
    assert exit_code == 2
    assert (
        "cannot turn 'checkout_v2' on for the segment internal: the keys hold a share of the users, not segments"
        in printed
    )
    assert (share(redis), shop.shares()) == (0, [])
