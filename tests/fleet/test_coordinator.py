# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger on a host that is reached by ssh: many hosts wait there, it can be lost, and it has one owner at a time."""

from __future__ import annotations

import getpass
import json
import pathlib
import re
import socket
import typing as t

import pytest
from fleet.world import many_waiting
from fleet.world.coordinator import Coordinator
from fleet.world.held_step import HeldStep
from fleet.world.rolling import Ended, Rolling, Run
from fleet.world.shop import Shop
from support.background import Background

CLAIM = "/var/lib/steady-rollout-claims/shop.claim"


@pytest.fixture
def step(shop: Shop, tmp_path: pathlib.Path) -> HeldStep:
    return HeldStep(shop, tmp_path)


@pytest.mark.long
def test_a_rollout_whose_coordinator_is_reached_by_ssh(
    shop: Shop, rolling: Rolling, coordinator: Coordinator, users: Background
) -> None:
    shop.lab.add_release("2.0.0")
    ended = rolling.run("2.0.0", *coordinator.words, **coordinator.settings)
    assert ended.exit_code == 0, ended.output
    assert shop.all_on("2.0.0"), ended.output
    assert [event["kind"] for event in coordinator.events()].count("proven") == len(shop.apps)
    assert not shop.ledger.exists()
    assert users.stop()["failed"] == 0


def test_fifty_hosts_wait_at_a_coordinator_whose_sshd_takes_ten_sessions(
    shop: Shop, rolling: Rolling, coordinator: Coordinator, tmp_path: pathlib.Path
) -> None:
    playbook, inventory = many_waiting.write(tmp_path, count=50, window=10)
    assert "maxsessions 10\n" in coordinator.run("sshd", "-T")
    words = (*coordinator.words, "-i", inventory, "--forks", "50")
    ended = rolling.start("", *words, playbook=playbook, **coordinator.settings).wait(silent=True)
    assert ended.exit_code == 0, ended.output
    assert ended.last_line == "many: all 50 hosts are in service on 2.0.0.", ended.output
    assert "no more sessions" not in coordinator.run("journalctl", "--unit=ssh", "--no-pager")


@pytest.mark.long
def test_the_coordinator_lost_before_anything_was_changed(
    shop: Shop, rolling: Rolling, coordinator: Coordinator, users: Background, step: HeldStep
) -> None:
    """Those in flight are drained and as they were: they return. No other host is touched."""
    before = shop.starts()
    ended = lose_coordinator(shop, rolling, coordinator, step, "rollout_after_drain_tasks")
    assert_nothing_is_reported_as_verified(ended)
    shop.await_all_in_rotation()
    assert shop.starts() == before, ended.output
    assert_one_more_run_finishes(shop, rolling, coordinator, users)


@pytest.mark.long
def test_the_coordinator_lost_while_hosts_are_changed(
    shop: Shop, rolling: Rolling, coordinator: Coordinator, users: Background, step: HeldStep
) -> None:
    """Those in flight are healthy on what they were changed to: they finish. No other host is touched."""
    ended = lose_coordinator(shop, rolling, coordinator, step, "rollout_after_update_tasks")
    assert_nothing_is_reported_as_verified(ended)
    shop.await_all_in_rotation()
    assert sorted(map(str, shop.versions().values())) == ["1.0.0"] * 4 + ["2.0.0"] * 2, ended.output
    assert_one_more_run_finishes(shop, rolling, coordinator, users)


@pytest.mark.long
def test_the_coordinator_lost_while_hosts_are_changed_to_a_bad_release(
    shop: Shop, rolling: Rolling, coordinator: Coordinator, users: Background, step: HeldStep
) -> None:
    """Those in flight stay out of service and are named; once the coordinator is back, they are restored."""
    bad = {"health": "unhealthy"}
    ended = lose_coordinator(shop, rolling, coordinator, step, "rollout_after_update_tasks", "6.6.6", bad)
    assert_nothing_is_reported_as_verified(ended)
    left_out = shop.drained()
    assert len(left_out) == 2, ended.output
    assert all(app in ended.last_line for app in left_out), ended.output
    coordinator.appear()
    ended = rolling.run("6.6.6", *coordinator.words, rollout_resume="revert", **coordinator.settings)
    assert ended.exit_code == 0, ended.output
    shop.await_all_in_rotation()
    assert shop.all_on("1.0.0"), ended.output
    assert users.stop()["failed"] == 0


def test_a_second_run_reports_who_holds_the_lease_and_how_to_take_over(
    shop: Shop, rolling: Rolling, step: HeldStep
) -> None:
    first = start_and_hold(shop, rolling, step)
    before = shop.starts()
    shop.lab.add_release("3.0.0")
    second = rolling.run("3.0.0")
    assert second.exit_code != 0
    assert re.fullmatch(
        rf"shop: a rollout of 2\.0\.0 is being run by {getpass.getuser()} on {socket.gethostname()} \(pid {first.pid}\) "
        r"since [-0-9]+ [:0-9]+ UTC; last heartbeat [0-9]+ s ago, the lease expires at [-0-9]+ [:0-9]+ UTC unless "
        r"renewed\. Wait for it, or, if that run is dead for good, take over with -e rollout_take_over=true\.",
        second.last_line,
    ), second.output
    assert shop.starts() == before
    step.let_go()
    ended = first.wait()
    assert ended.exit_code == 0, ended.output
    assert shop.all_on("2.0.0"), ended.output


@pytest.mark.long
def test_another_coordinator_is_refused_while_the_service_is_claimed(
    shop: Shop, rolling: Rolling, coordinator: Coordinator, step: HeldStep
) -> None:
    """Two ledgers do not know of each other; they meet at the balancers."""
    first = start_and_hold(shop, rolling, step)
    before = shop.starts()
    shop.lab.add_release("3.0.0")
    second = rolling.run("3.0.0", *coordinator.words, **coordinator.settings)
    assert second.exit_code != 0
    claim = json.loads(shop.read("lb1", CLAIM))
    assert (
        f"{CLAIM}: 'shop' is claimed by another coordinator, {socket.gethostname()} (ledger {claim['ledger']}, token 1). "
        "Finish its rollout there, or, if it is gone for good, run with -e rollout_take_over=true."
    ) in second.last_line, second.output
    assert shop.starts() == before
    step.let_go()
    ended = first.wait()
    assert ended.exit_code == 0, ended.output
    assert shop.all_on("2.0.0"), ended.output
    assert rolling.run("2.0.0", *coordinator.words, **coordinator.settings).exit_code == 0


def lose_coordinator(
    shop: Shop,
    rolling: Rolling,
    coordinator: Coordinator,
    step: HeldStep,
    hook: str,
    version: str = "2.0.0",
    behaviour: dict[str, t.Any] | None = None,
) -> Ended:
    """A run whose coordinator goes while two hosts are in the step *hook*."""
    shop.lab.add_release(version, behaviour)
    run = rolling.start(version, *coordinator.words, **{hook: step.tasks}, **coordinator.settings)
    step.await_hosts(run, 2)
    coordinator.vanish()
    step.let_go()
    return run.wait()


def start_and_hold(shop: Shop, rolling: Rolling, step: HeldStep) -> Run:
    """A run to 2.0.0 of which two hosts are in the step after the update."""
    shop.lab.add_release("2.0.0")
    run = rolling.start("2.0.0", rollout_after_update_tasks=step.tasks)
    step.await_hosts(run, 2)
    return run


def assert_nothing_is_reported_as_verified(ended: Ended) -> None:
    assert ended.exit_code != 0
    assert ended.last_line.startswith(
        "Nothing is verified: The coordinator does not answer: keeper cannot be reached over ssh"
    ), ended.output
    assert ended.last_line.endswith("Fix this, then run the same playbook again to resume."), ended.output


def assert_one_more_run_finishes(shop: Shop, rolling: Rolling, coordinator: Coordinator, users: Background) -> None:
    coordinator.appear()
    ended = rolling.run("2.0.0", *coordinator.words, **coordinator.settings)
    assert ended.exit_code == 0, ended.output
    assert shop.all_on("2.0.0"), ended.output
    shop.await_all_in_rotation()
    assert users.stop()["failed"] == 0
