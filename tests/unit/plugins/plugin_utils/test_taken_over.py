# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.steady.rollout.plugins.plugin_utils.taken_over import claims_taken_over

DRAINED = {"ledger": "other", "coordinator": "laptop7", "drained": ["app1"], "token": 3, "active": True}


def test_only_what_another_ledger_has_drained_is_taken_over() -> None:
    before = {"lb1": DRAINED, "lb2": {**DRAINED, "ledger": "own"}, "lb3": {**DRAINED, "drained": []}, "lb4": None}
    assert claims_taken_over(before, "own") == [
        {"host": "lb1", "ledger": "other", "coordinator": "laptop7", "drained": ["app1"]}
    ]
