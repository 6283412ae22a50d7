# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own process rests while hosts are rolled out, and only then."""

from __future__ import annotations

import pytest
from ansible import constants as C

from ansible_collections.steady.rollout.plugins.plugin_utils.main_loop import PATIENT, ROLL, MainLoop

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
    loop.play_started()
    assert interval() == USUAL
    loop.task_started("app1", "steady.rollout.rollout")
    loop.play_started()
    loop.task_started("app2", ROLL)
    assert interval() == PATIENT, "where a host ended its play does not count in the next one"


def test_a_longer_interval_of_the_users_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(C, "DEFAULT_INTERNAL_POLL_INTERVAL", 1.0)
    MainLoop().task_started("app1", ROLL)
    assert interval() == 1.0
