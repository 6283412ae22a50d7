# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout that is interrupted says which hosts it leaves drained or half-updated, and what a rerun does."""

from __future__ import annotations

import pathlib
import signal
import typing as t

import pytest
from fleet.world.coordinator import Coordinator
from fleet.world.held_step import HeldStep
from fleet.world.rolling import Ended, Rolling
from fleet.world.shop import Shop
from support.background import Background

HOOKS = {
    "after_drain": "not changed yet, still on 1.0.0 at the step 'after_drain'",
    "after_update": "may be half-updated to 2.0.0 at the step 'after_update'",
}
RERUN = (
    "Run the same command again to repair these hosts first and then resume the rollout of 2.0.0; to roll back, add "
    "-e rollout_resume=revert; to only put drained hosts back in service, run recover.yml."
)


@pytest.mark.parametrize(
    ("number", "group", "hook"),
    [
        pytest.param(signal.SIGINT, True, "after_update", id="Ctrl-C"),
        pytest.param(signal.SIGINT, True, "after_drain", id="Ctrl-C after the drain", marks=pytest.mark.long),
        pytest.param(signal.SIGTERM, False, "after_update", id="SIGTERM", marks=pytest.mark.long),
        pytest.param(signal.SIGTERM, True, "after_drain", id="SIGTERM to the group", marks=pytest.mark.long),
    ],
)
def test_who_interrupts_a_rollout_reads_what_it_leaves(
    shop: Shop,
    rolling: Rolling,
    users: Background,
    tmp_path: pathlib.Path,
    number: signal.Signals,
    group: bool,
    hook: str,
) -> None:
    ended, held = interrupted(shop, rolling, tmp_path, number, group, hook)
    assert_shown(ended, held, hook)
    assert shop.drained() == held
    assert_one_more_run_finishes(shop, rolling, users)


@pytest.mark.long
def test_what_it_leaves_is_known_of_a_ledger_elsewhere_too(
    shop: Shop, rolling: Rolling, users: Background, tmp_path: pathlib.Path
) -> None:
    coordinator = Coordinator(shop.lab, tmp_path)
    coordinator.remove()
    coordinator.appear()
    try:
        words, settings = coordinator.words, coordinator.settings
        ended, held = interrupted(shop, rolling, tmp_path, signal.SIGINT, True, "after_update", *words, **settings)
        assert_shown(ended, held, "after_update")
        assert_one_more_run_finishes(shop, rolling, users, *words, **settings)
    finally:
        coordinator.remove()


@pytest.mark.long
def test_a_run_that_is_interrupted_before_it_took_the_lease_says_nothing(shop: Shop, rolling: Rolling) -> None:
    shop.lab.add_release("2.0.0")
    run = rolling.start("2.0.0")
    run.wait_at_most(1.0)
    assert not shop.events()
    run.interrupt(signal.SIGINT, group=True)
    ended = run.wait()
    assert ended.exit_code != 0
    assert not ended.said("The rollout was interrupted."), ended.output
    assert not shop.events(), ended.output


def interrupted(
    shop: Shop,
    rolling: Rolling,
    folder: pathlib.Path,
    number: signal.Signals,
    group: bool,
    hook: str,
    *words: str,
    **settings: t.Any,
) -> tuple[Ended, set[str]]:
    """A run that was interrupted while two hosts are in a step of the user's; and these hosts."""
    shop.lab.add_release("2.0.0")
    step = HeldStep(shop, folder)
    run = rolling.start("2.0.0", *words, **{f"rollout_{hook}_tasks": step.tasks}, **settings)
    step.await_hosts(run, 2)
    run.interrupt(number, group)
    ended = run.wait()
    held = step.hosts()
    step.let_go()
    return ended, held


def assert_shown(ended: Ended, held: set[str], hook: str) -> None:
    assert ended.exit_code == 99, ended.output
    after = ended.output.partition("The rollout was interrupted.\n")[2].splitlines()
    lines = [line for line in after if line.strip()]
    assert lines[: len(held)] == [f"{app}: drained on lb1, lb2; {HOOKS[hook]}" for app in sorted(held)], ended.output
    assert lines[len(held) :] == [RERUN], ended.output


def assert_one_more_run_finishes(
    shop: Shop, rolling: Rolling, users: Background, *words: str, **settings: t.Any
) -> None:
    ended = rolling.run("2.0.0", *words, **settings)
    assert ended.exit_code == 0, ended.output
    assert shop.all_on("2.0.0"), ended.output
    assert not ended.said("The rollout was interrupted."), ended.output
    shop.await_all_in_rotation()
    assert users.stop()["failed"] == 0
