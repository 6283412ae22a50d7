# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run is killed elsewhere and continued from another ledger: who drained what is said, and those hosts return."""

from __future__ import annotations

import json
import pathlib

from fleet.world.coordinator import LIVES_ON, Coordinator
from fleet.world.held_step import HeldStep
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import Background

CLAIM = "/var/lib/steady-rollout-claims/shop.claim"


def test_take_over_from_another_ledger_advised_to_lower_the_minimum(
    shop: Shop, rolling: Rolling, users: Background, tmp_path: pathlib.Path
) -> None:
    coordinator = Coordinator(shop.lab, tmp_path)
    coordinator.remove()
    coordinator.appear()
    try:
        shop.lab.add_release("2.0.0")
        step = HeldStep(shop, tmp_path)
        settings = {"rollout_after_drain_tasks": step.tasks, **coordinator.settings}
        killed = rolling.start("2.0.0", *coordinator.words, **settings)
        step.await_hosts(killed, 2)
        killed.kill(group=True)
        step.let_go()
        out = step.hosts()
        assert shop.drained() == out
        claim = json.loads(shop.read("lb1", CLAIM))

        refused = rolling.run("2.0.0")
        assert refused.exit_code != 0
        assert f"claimed by another coordinator, {LIVES_ON} (ledger {claim['ledger']}" in refused.last_line
        assert "run with -e rollout_take_over=true." in refused.last_line
        assert shop.drained() == out

        ended = rolling.run("2.0.0", rollout_take_over=True)
        assert ended.exit_code == 0, ended.output
        for app in sorted(out):
            assert ended.said(
                f"{app} was drained by another coordinator, {LIVES_ON} (ledger {claim['ledger']}); this run has "
                "taken over and returns it to service"
            ), ended.output
        assert shop.subjects("adopted") == out
        assert shop.all_on("2.0.0"), ended.output
        shop.await_all_in_rotation()
        assert rolling.info()["left_out"] == []
        assert users.stop()["failed"] == 0
    finally:
        coordinator.remove()
