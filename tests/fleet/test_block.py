# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A block that is set while a rollout runs, lifted by the wrong person, and run out."""

from __future__ import annotations

import time

import pytest
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import Background

from ansible_collections.steady.rollout.plugins.plugin_utils import controller

ME = controller.owner()["user"]
SLOW = {"rollout_max_unavailable": 1, "rollout_stages": [1, "100%"], "rollout_bake_time": 30}


@pytest.mark.long
def test_a_block_stops_a_rollout_at_the_next_host_and_every_playbook_until_its_time_is_over(
    shop: Shop, rolling: Rolling, users: Background
) -> None:
    shop.lab.add_release("2.0.0")
    running = rolling.start("2.0.0", **SLOW)
    shop.await_that(lambda: "2.0.0" in shop.versions().values(), within=120)
    said = rolling.run("", playbook="block", rollout_block_reason="the database moves", rollout_block_until="100s")
    over = time.monotonic() + 100
    assert said.exit_code == 0, said.output
    assert said.said(f"shop is blocked by {ME} since")

    ended = running.wait()
    assert ended.exit_code == 2
    assert ended.said(
        ": the database moves); 1 of 6 hosts are in service on 2.0.0. Run the same command again when the"
    )
    shop.await_all_in_rotation()
    for playbook in ("rolling", "rollback", "recover"):
        refused = rolling.run("2.0.0" if playbook == "rolling" else "", playbook=playbook)
        assert refused.exit_code == 2
        assert refused.said(
            f": the database moves. Nothing was started. {ME} may lift it before that with unblock.yml."
        )
    assert list(shop.versions().values()).count("2.0.0") == 1

    time.sleep(max(over - time.monotonic(), 0) + 1)
    ended = rolling.run("2.0.0", **{**SLOW, "rollout_bake_time": 0})
    assert ended.exit_code == 0, ended.output
    assert shop.all_on("2.0.0"), shop.versions()
    served = users.stop()
    assert served["failed"] == 0, served["failures"]
