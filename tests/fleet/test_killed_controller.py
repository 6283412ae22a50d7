# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook killed at any moment of a rollout: users notice nothing, and one more run brings it to an end."""

from __future__ import annotations

import pathlib
import random
import typing as t

import pytest
from fleet.world.held_step import HeldStep
from fleet.world.moments import AWAITED, Moment, spread
from fleet.world.rolling import Ended, Rolling, Run
from fleet.world.shop import Shop
from fleet.world.unnoticed import assert_unnoticed
from support.background import Background

SEED = 20_000
MOMENTS = 25
EVENTS = 22
"""What an undisturbed rollout of six hosts writes: opened, planned, three a host, stage complete, concluded."""
LATER = 3.0
FLOOR = 4
WINDOW = 2
ALONE_AND_GROUP = pytest.mark.parametrize("group", [pytest.param(False, id="alone"), pytest.param(True, id="group")])


def kills() -> list[t.Any]:
    """Every moment in both ways; a late one of the group is no part of the long series."""
    chance = random.Random(SEED)
    params = []
    late = chance.randrange(MOMENTS // 2, MOMENTS - 2)
    for group in (False, True):
        for number, moment in enumerate(spread(EVENTS, MOMENTS, LATER, SEED)):
            name = f"{'group' if group else 'alone'}, {moment}"
            marks = () if group and number == late else (pytest.mark.long,)
            params.append(pytest.param(moment, group, id=name, marks=marks))
    return params


@pytest.mark.parametrize(("moment", "group"), kills())
def test_one_more_run_finishes_what_a_killed_one_began(
    shop: Shop, rolling: Rolling, users: Background, eyes: Background, moment: Moment, group: bool
) -> None:
    killed = start_and_kill(shop, rolling, moment, group)
    ended = rolling.run("2.0.0")
    assert ended.exit_code == 0, story_of(killed, ended, shop)
    assert shop.all_on("2.0.0"), story_of(killed, ended, shop)
    assert_nobody_noticed(shop, rolling, users, eyes)


@pytest.mark.long
@ALONE_AND_GROUP
def test_a_run_that_repairs_may_be_killed_too(
    shop: Shop, rolling: Rolling, users: Background, eyes: Background, group: bool
) -> None:
    for events in (6, 13, 20, 27):
        killed = start_and_kill(shop, rolling, Moment(events, 0.5), group)
    ended = rolling.run("2.0.0")
    assert ended.exit_code == 0, story_of(killed, ended, shop)
    assert shop.all_on("2.0.0"), story_of(killed, ended, shop)
    assert_nobody_noticed(shop, rolling, users, eyes)


@pytest.mark.long
def test_after_a_kill_everything_is_rolled_back_if_the_operator_requests_it(
    shop: Shop, rolling: Rolling, users: Background, eyes: Background
) -> None:
    killed = start_and_kill(shop, rolling, Moment(11, 1.0), group=True)
    ended = rolling.run("2.0.0", rollout_resume="revert")
    assert ended.exit_code == 0, story_of(killed, ended, shop)
    assert shop.all_on("1.0.0"), story_of(killed, ended, shop)
    assert_nobody_noticed(shop, rolling, users, eyes)


def test_recover_returns_what_a_killed_run_left_out_and_nothing_else(
    shop: Shop, rolling: Rolling, users: Background, eyes: Background, tmp_path: pathlib.Path
) -> None:
    theirs = shop.apps[0]
    shop.drain(theirs)
    shop.lab.add_release("2.0.0")
    step = HeldStep(shop, tmp_path)
    # The other host of that zone may go too.
    killed = rolling.start("2.0.0", rollout_after_drain_tasks=step.tasks, rollout_zone_min_available=0)
    step.await_hosts(killed, 1)
    killed.kill(group=True)
    assert shop.drained() == {theirs} | step.hosts()
    step.let_go()
    ended = rolling.run("", playbook="recover")
    assert ended.exit_code == 0, story_of(killed, ended, shop)
    assert shop.drained() == {theirs}, story_of(killed, ended, shop)
    assert shop.all_on("1.0.0"), story_of(killed, ended, shop)
    shop.undrain(theirs)
    ended = rolling.run("2.0.0")
    assert ended.exit_code == 0, story_of(killed, ended, shop)
    assert shop.all_on("2.0.0"), story_of(killed, ended, shop)
    assert_nobody_noticed(shop, rolling, users, eyes, zone_floor=0)


@pytest.mark.parametrize(
    "group", [pytest.param(False, id="alone", marks=pytest.mark.long), pytest.param(True, id="group")]
)
def test_the_next_run_waits_for_a_step_that_outlived_the_killed_one(
    shop: Shop, rolling: Rolling, tmp_path: pathlib.Path, group: bool
) -> None:
    """The step records when it begins and ends; no two of them overlap on any host."""
    shop.lab.add_release("2.0.0")
    step = tmp_path / "step.yml"
    step.write_text(SLOW_STEP, encoding="utf-8")
    killed = rolling.start("2.0.0", rollout_after_update_tasks=str(step))
    shop.await_that(lambda: killed.is_over or any(shop.read(app, DIARY) for app in shop.apps), AWAITED)
    killed.kill(group)
    ended = rolling.run("2.0.0", rollout_after_update_tasks=str(step))
    assert ended.exit_code == 0, story_of(killed, ended, shop)
    assert ended.said("waiting until what it had started is over"), ended.output
    diaries = [shop.read(app, DIARY).split() for app in shop.apps]
    for words in diaries:
        assert words == ["begin", "end"] * (len(words) // 2), story_of(killed, ended, shop)
    assert max(map(len, diaries)) == 4, story_of(killed, ended, shop)


DIARY = "/var/lib/steady-rollout/diary"
SLOW_STEP = f"""\
- name: Take some time
  ansible.builtin.shell: mkdir -p $(dirname {DIARY}); echo begin >> {DIARY}; sleep 4; echo end >> {DIARY}
"""


def start_and_kill(shop: Shop, rolling: Rolling, moment: Moment, group: bool) -> Run:
    shop.lab.add_release("2.0.0")
    run = rolling.start("2.0.0")
    moment.await_in(run, shop)
    run.kill(group)
    return run


def assert_nobody_noticed(
    shop: Shop, rolling: Rolling, users: Background, eyes: Background, zone_floor: int = 1
) -> None:
    """No request failed, floor and window held, nothing is left out, and the ledger's chain is whole."""
    shop.await_all_in_rotation()
    assert_unnoticed(shop, users, eyes, FLOOR, WINDOW, zone_floor)
    info = rolling.info()
    assert info["chain"]["intact"]
    assert info["left_out"] == []
    assert info["holder"] is None


def story_of(killed: Run, ended: Ended, shop: Shop) -> str:
    """All that helps to understand a failure."""
    return f"{shop.versions()}\nkilled run:\n{killed.output}\nnext run:\n{ended.output}\nevents:\n{shop.story()}"
