# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One report before a rollout: all passes, or what does not is named, and nothing is changed."""

from __future__ import annotations

from fleet.world.rolling import Rolling
from fleet.world.shop import Shop


def test_the_report_passes_on_a_healthy_fleet_and_names_all_that_does_not(shop: Shop, rolling: Rolling) -> None:
    shop.lab.add_release("2.0.0")
    before = shop.starts()
    passed = rolling.run("2.0.0", playbook="preflight", rollout_preflight_disk="1M")
    assert passed.exit_code == 0, passed.output
    for check in ("settings", "block", "lease", "health", "balancers", "disk", "plan", "approvals"):
        assert passed.said(f"{check} ok"), passed.output
    assert passed.said("window not checked rollout_window is not set")
    assert passed.said("migrations not checked rollout_migrations is not set")

    rolling.run("", playbook="block", rollout_block_reason="the audit", rollout_block_until="10m")
    failed = rolling.run(
        "2.0.0", playbook="preflight", rollout_preflight_disk="900T", rollout_approvals_required=1,
        rollout_window={"blackouts": ["2026-01-01/2099-12-31"]},
    )  # fmt: skip
    rolling.run("", playbook="unblock")
    assert failed.exit_code == 2
    for words in (
        "block FAILED shop is blocked by",
        "freeze FAILED closed by 'blackout of 2026-01-01'",
        "disk FAILED app1:",
    ):
        assert failed.said(words), failed.output
    assert failed.said("checks failed: block, freeze, disk, plan.")
    assert shop.starts() == before
