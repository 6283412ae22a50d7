# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.steady.rollout.plugins.plugin_utils.taken_over import claims_taken_over

DRAINED = {"ledger": "other", "coordinator": "laptop7", "drained": ["app1"], "token": 3, "active": True}


def test_only_what_another_ledger_has_drained_is_taken_over() -> None:
    claims = {
        "results": [
            {"item": "lb1", "claim_before": DRAINED},
            {"item": "lb2", "claim_before": {**DRAINED, "ledger": "own"}},
            {"item": "lb3", "claim_before": {**DRAINED, "drained": []}},
            {"item": "lb4", "claim_before": None},
        ]
    }
    assert claims_taken_over(claims, "own") == [
        {"host": "lb1", "ledger": "other", "coordinator": "laptop7", "drained": ["app1"]}
    ]


def test_in_check_mode_nothing_is_claimed_and_nothing_taken_over() -> None:
    assert claims_taken_over({"skipped": True}, "own") == []
