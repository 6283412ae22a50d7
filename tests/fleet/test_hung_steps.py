# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A step of the user's that hangs is ended on the host, an unchanged host returns, and the next run goes on."""

from __future__ import annotations

import pathlib
import re

import pytest
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import Background

SLEEPS = "86399"
HANGS = f"""\
- name: Migrate
  ansible.builtin.shell: sleep {SLEEPS} & sleep {SLEEPS}; wait
"""
TIME = 6


@pytest.mark.parametrize("hook", ["before_update", pytest.param("after_drain", marks=pytest.mark.long)])
def test_a_step_that_hangs_kept_an_unchanged_host_drained(
    shop: Shop, rolling: Rolling, users: Background, tmp_path: pathlib.Path, hook: str
) -> None:
    shop.lab.add_release("2.0.0")
    before = shop.starts()
    ended = rolling.run("2.0.0", rollout_step_timeout=TIME, **{f"rollout_{hook}_tasks": hanging(tmp_path)})
    assert ended.exit_code != 0
    failed = shop.subjects("failed")
    assert failed, ended.output
    assert "Module failed" not in ended.output
    assert re.search(rf"app\d failed \(step: .*{TIME}.* second", ended.last_line), ended.output
    assert asleep(shop) == set(), ended.output
    shop.await_all_in_rotation()
    assert shop.starts() == before, ended.output
    again = rolling.run("2.0.0")
    assert again.exit_code == 0, again.output
    assert shop.all_on("2.0.0"), again.output
    assert not [event for event in shop.events() if "Module failed" in event["data"]]
    assert users.stop()["failed"] == 0


def hanging(folder: pathlib.Path) -> str:
    path = folder / "hangs.yml"
    path.write_text(HANGS, encoding="utf-8")
    return str(path)


def asleep(shop: Shop) -> set[str]:
    """The app hosts on which a process of the step is alive."""
    return {
        app for app in shop.apps if shop.lab.run(app, ["pgrep", "-f", f"^sleep {SLEEPS}"], check=False).stdout.strip()
    }
