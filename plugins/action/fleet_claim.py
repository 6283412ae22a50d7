# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaves or releases the claim of a rollout on several hosts at the same time, in one task of one worker."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import (
    Executors,
    Invocation,
    Outcome,
    prepare,
)
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated
from ansible_collections.steady.rollout.plugins.plugin_utils.taken_over import claims_taken_over

Result = t.Dict[str, t.Any]

prepare("fleet_claim", "rollout_claim")


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        controller.leave_if_ended()
        result: Result = super().run(tmp, task_vars)
        arguments = validated("fleet_claim", source_of("fleet_claim").SPEC, self._task.args)
        claim = {name: value for name, value in arguments.items() if name != "hosts" and value is not None}
        check_mode = bool(self._task.check_mode)
        calls = [Invocation(host, "rollout_claim", claim, check_mode=check_mode) for host in arguments["hosts"]]
        with Executors(self, task_vars or {}) as executors:
            outcomes = executors.together(calls)
        return {**result, **_summed_up(outcomes, arguments["ledger_id"])}


def _summed_up(outcomes: t.Sequence[Outcome], ledger: str) -> Result:
    before = {one.invocation.host: one.result.get("claim_before") for one in outcomes}
    errors = [str(one.result.get("msg")) for one in outcomes if one.failed]
    done: Result = {
        "changed": any(one.result.get("changed") for one in outcomes),
        "taken_over": claims_taken_over(before, ledger),
    }
    return {**done, "failed": True, "msg": " ".join(errors)} if errors else done
