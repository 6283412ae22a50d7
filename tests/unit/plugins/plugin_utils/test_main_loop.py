# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own process rests while hosts are rolled out, and only then; hosts that have ended cost the others nothing."""

from __future__ import annotations

import pytest
from ansible import constants as C
from ansible.playbook.play import Play
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.plugin_utils.main_loop import (
    HEAD_START,
    PATIENT,
    ROLL,
    EndedHosts,
    MainLoop,
)

USUAL = 0.03


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> MainLoop:
    monkeypatch.setattr(C, "DEFAULT_INTERNAL_POLL_INTERVAL", USUAL)
    return MainLoop()


def interval() -> float:
    return float(C.DEFAULT_INTERNAL_POLL_INTERVAL)


def test_it_rests_while_nothing_but_the_rollouts_of_hosts_is_under_way(loop: MainLoop) -> None:
    loop.task_started("app1", ROLL)
    loop.task_started("app2", ROLL)
    assert interval() == PATIENT


def test_a_host_that_is_at_a_task_file_of_the_users_does_not_wait_between_its_tasks(loop: MainLoop) -> None:
    loop.task_started("app1", ROLL)
    loop.task_started("app2", ROLL)
    loop.task_started("app1", "ansible.builtin.command")
    assert interval() == USUAL
    loop.task_started("app1", ROLL)
    assert interval() == PATIENT


def test_the_next_play_begins_as_usual(loop: MainLoop) -> None:
    loop.task_started("app1", ROLL)
    loop.play_started(Play())
    assert interval() == USUAL
    loop.task_started("app1", "steady.rollout.rollout")
    loop.play_started(Play())
    loop.task_started("app2", ROLL)
    assert interval() == PATIENT, "where a host ended its play does not count in the next one"


def test_at_the_end_of_the_last_rollout_ansible_rested_three_times(loop: MainLoop) -> None:
    loop.task_started("app1", ROLL)
    loop.task_started("app2", ROLL)
    loop.task_ended("app1")
    assert interval() == PATIENT
    loop.task_ended("app2")
    assert interval() == USUAL


def test_the_workers_of_hosts_that_only_wait_kept_the_first_hosts_from_their_admission() -> None:
    clock, rests = [100.0], list[float]()
    loop = MainLoop(now=lambda: clock[0], sleep=rests.append)
    loop.play_started(Play())
    loop.window = 2
    for dummy in range(5):
        loop.about_to_start(ROLL)
        loop.about_to_start("ansible.builtin.command")
        clock[0] += 0.1
    assert rests == [pytest.approx(HEAD_START - 0.2)]
    loop.play_started(Play())
    for dummy in range(3):
        loop.about_to_start(ROLL)
        clock[0] += HEAD_START
    assert rests[1:] == [0.0], "they had it already"


def test_nobody_has_a_head_start_where_all_forks_fit_into_the_window() -> None:
    rests = list[float]()
    loop = MainLoop(sleep=rests.append)
    for window in (None, 3):
        loop.play_started(Play())
        loop.window = window
        for dummy in range(3):
            loop.about_to_start(ROLL)
    assert rests == []


def test_a_longer_interval_of_the_users_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(C, "DEFAULT_INTERNAL_POLL_INTERVAL", 1.0)
    MainLoop().task_started("app1", ROLL)
    assert interval() == 1.0


def test_ansible_took_longer_to_start_a_host_with_each_one_that_had_ended(loop: MainLoop) -> None:
    play = Play()
    play._removed_hosts.append("app1")
    loop.play_started(play)
    assert isinstance(play._removed_hosts, EndedHosts)
    assert ([name in play._removed_hosts for name in ("app1", "app2")], play._removed_hosts) == (
        [True, False],
        ["app1"],
    )


@pytest.mark.parametrize("play", [None, object()])
def test_an_ansible_without_the_list_is_left_as_it_is(loop: MainLoop, play: object) -> None:
    loop.play_started(play)
    assert not hasattr(play, "_removed_hosts")


@given(
    st.lists(st.tuples(st.sampled_from(["append", "remove"]), st.sampled_from(["app1", "app2", "app3"])), max_size=20)
)
def test_the_hosts_that_have_ended_are_those_of_a_plain_list(changes: list[tuple[str, str]]) -> None:
    ended, plain = EndedHosts(), list[str]()
    for change, name in changes:
        if change == "append" or name in plain:
            getattr(ended, change)(name)
            getattr(plain, change)(name)
        assert [one in ended for one in ("app1", "app2", "app3")] == [one in plain for one in ("app1", "app2", "app3")]
    assert ended == plain
