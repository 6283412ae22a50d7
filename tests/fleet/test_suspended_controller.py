# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invariant 8 from the outside: SIGSTOP, another run takes over and finishes, SIGCONT. The first run changes nothing more.

Before the claims and the fence, the resumed run switched a serving host to its old version and restarted it.
"""

from __future__ import annotations

import os
import pathlib
import signal

import pytest
from fleet.world.held_step import HeldStep
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import Background

MARK = "/var/lib/steady-rollout/resumed"
AFTERWARDS = f"""\
- name: Change the host after the step that was suspended
  ansible.builtin.command: touch {MARK}
"""


@pytest.mark.parametrize("moment", ["after_update", pytest.param("after_drain", marks=pytest.mark.long)])
def test_a_controller_that_was_suspended_changes_nothing_after_another_run_took_over(
    shop: Shop, rolling: Rolling, users: Background, tmp_path: pathlib.Path, moment: str
) -> None:
    shop.lab.add_release("2.0.0")
    held = HeldStep(shop, tmp_path)
    with open(held.tasks, "a", encoding="utf-8") as stream:
        stream.write(AFTERWARDS)
    first = rolling.start("2.0.0", **{f"rollout_{moment}_tasks": held.tasks})
    held.await_hosts(first, 1)
    os.kill(first.pid, signal.SIGSTOP)
    try:
        held.let_go()
        second = rolling.run("2.0.0", rollout_take_over=True)
        assert second.exit_code == 0, second.output
        assert shop.all_on("2.0.0"), shop.versions()
        before = shop.starts()
        for app in shop.apps:
            shop.lab.run(app, ["rm", "-f", MARK])
    finally:
        os.kill(first.pid, signal.SIGCONT)
    ended = first.wait(silent=True)
    assert ended.exit_code != 0, ended.output
    assert shop.having(MARK) == set(), ended.output
    assert shop.starts() == before
    shop.await_all_in_rotation()
    assert users.stop()["failed"] == 0
