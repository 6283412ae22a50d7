# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users see no failure while a step of the user's does more than the ready one that it includes."""

from __future__ import annotations

import pathlib

import pytest
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import Background

DONE = "/var/lib/steady-rollout/more"
TASKS = f"""\
- name: Do what a rollout does
  ansible.builtin.include_tasks: updates/archive.yml

- name: Do more
  ansible.builtin.copy:
    content: "{{{{ rollout_target.version }}}}"
    dest: {DONE}
    mode: "0644"
"""


@pytest.mark.long
def test_an_archive_goes_forward_and_a_bad_one_is_rolled_back(
    shop: Shop, rolling: Rolling, users: Background, tmp_path: pathlib.Path
) -> None:
    step = tmp_path / "update.yml"
    step.write_text(TASKS, encoding="utf-8")
    shop.lab.add_release("2.0.0")
    shop.lab.add_release("3.0.0", {"health": "broken"})
    ended = rolling.run("2.0.0", rollout_update_tasks=str(step))
    assert (ended.exit_code, ended.last_line) == (0, "shop: all 6 hosts are in service on 2.0.0."), ended.output
    assert {shop.read(app, DONE) for app in shop.apps} == {"2.0.0"}
    bad = rolling.run("3.0.0", rollout_update_tasks=str(step))
    assert bad.exit_code == 2, bad.output
    assert bad.said("shop: 3.0.0 rolled back: "), bad.output
    assert shop.all_on("2.0.0")
    assert {shop.read(app, DONE) for app in shop.apps} == {"2.0.0"}
    shop.await_all_in_rotation()
    assert users.stop()["failed"] == 0
