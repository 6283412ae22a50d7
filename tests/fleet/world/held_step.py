# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A step of the user's in which hosts stay until the test lets them go: a rollout stopped at a known point."""

from __future__ import annotations

import json
import pathlib
import typing as t

from fleet.world.rolling import Run
from fleet.world.shop import Shop

FOLDER = "/var/lib/steady-rollout"
INSIDE = f"{FOLDER}/inside"
GO_ON = f"{FOLDER}/go-on"
TASKS = f"""\
- name: Announce that the step has begun and wait until it may continue
  ansible.builtin.shell: mkdir -p {FOLDER}; touch {INSIDE}; until test -e {GO_ON}; do sleep 0.1; done
"""
REACHED_WITHIN = 120.0


class HeldStep:
    """A task file to be given as rollout_*_tasks; hosts of *not_on* pass through it.

    The shop's reset() takes back what it leaves on the hosts.
    """

    def __init__(self, shop: Shop, folder: pathlib.Path, not_on: t.Sequence[str] = ()) -> None:
        self._shop = shop
        self._file = folder / "held_step.yml"
        condition = f"  when: inventory_hostname not in {json.dumps(list(not_on))}\n" if not_on else ""
        self._file.write_text(TASKS + condition, encoding="utf-8")

    @property
    def tasks(self) -> str:
        return str(self._file)

    def hosts(self) -> set[str]:
        """Those that have come to the step."""
        return self._shop.having(INSIDE)

    def await_hosts(self, run: Run, count: int) -> None:
        self._shop.await_that(lambda: run.is_over or len(self.hosts()) >= count, REACHED_WITHIN)
        assert not run.is_over, run.output

    def let_go(self) -> None:
        for app in self._shop.apps:
            self._shop.lab.run(app, ["sh", "-c", f"mkdir -p {FOLDER}; touch {GO_ON}"])
