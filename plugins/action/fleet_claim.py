# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaves or releases the claim of a rollout on several hosts at the same time, in one task of one worker."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.plugin_utils import background, controller
from ansible_collections.steady.rollout.plugins.plugin_utils.output import show
from ansible_collections.steady.rollout.plugins.plugin_utils.restore_timers import calls as timers
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import (
    Executors,
    Invocation,
    Outcome,
    prepare,
)
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated
from ansible_collections.steady.rollout.plugins.plugin_utils.taken_over import claims_taken_over

Result = t.Dict[str, t.Any]

prepare("fleet_claim", "rollout_claim", "restore_timer")

WORDS = {"present": "leaving", "absent": "releasing"}
OF_TIMERS = ("balancers", "restore_after", "restore_timers", "refused")


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        controller.leave_if_ended()
        result: Result = super().run(tmp, task_vars)
        arguments = validated("fleet_claim", source_of("fleet_claim").SPEC, self._task.args)
        own = ("hosts", *OF_TIMERS)
        claim = {name: value for name, value in arguments.items() if name not in own and value is not None}
        check_mode = bool(self._task.check_mode)
        calls = [Invocation(host, "rollout_claim", claim, check_mode=check_mode) for host in arguments["hosts"]]
        doing = f"{WORDS[arguments['state']]} the claims on {', '.join(arguments['hosts'])}"
        if arguments["refused"]:
            # What refused the rollout may be a host that does not answer, and here it does not answer again.
            show(f"nothing is started; {doing}")
        with Executors(self, task_vars or {}) as executors:
            found = background.with_signs_of_life(
                lambda: _carried_out(executors, arguments, calls, check_mode),
                lambda: show(f"still {doing}"),
                controller.SHOW_EVERY,
            )
        return {**result, "armed": [], **found}


def _carried_out(executors: Executors, arguments: Result, calls: t.Sequence[Invocation], check_mode: bool) -> Result:
    reports = [] if check_mode else _disarmed(executors, arguments)
    outcomes = executors.together(calls)
    summary = _summed_up(outcomes, arguments["ledger_id"])
    armed = {} if check_mode or summary.get("failed") else _armed(executors, arguments, outcomes)
    return {"reports": reports, **summary, **armed}


def _armed(executors: Executors, arguments: Result, outcomes: t.Sequence[Outcome]) -> Result:
    """Where no timer can be armed the operator reads why: a controller that disappears leaves hosts drained there."""
    after = durations.seconds("restore_after", arguments["restore_after"])
    if arguments["state"] != "present" or not after:
        return {}
    hosts, why_not = timers.places(arguments["balancers"] or [])
    before = {one.invocation.host: one.result.get("claim_before") for one in outcomes}
    found = timers.arm(executors, hosts, _claim_of(arguments), before, arguments["restore_after"])
    for host, why in {**why_not, **found.pop("why_not")}.items():
        show(f"restore timer not armed on {host}: {why}")
    return found


def _disarmed(executors: Executors, arguments: Result) -> list[Result]:
    if arguments["state"] != "absent" or not arguments["restore_timers"]:
        return []
    reports = timers.disarm(executors, arguments["restore_timers"], _claim_of(arguments), arguments["refused"])
    for one in reports:
        show(timers.sentence(one))
    return reports


def _claim_of(arguments: Result) -> Result:
    options = {name: arguments[name] for name in ("service", "token", "coordinator", "directory")}
    return {"ledger": arguments["ledger_id"], **{name: one for name, one in options.items() if one is not None}}


def _summed_up(outcomes: t.Sequence[Outcome], ledger: str) -> Result:
    before = {one.invocation.host: one.result.get("claim_before") for one in outcomes}
    errors = [str(one.result.get("msg")) for one in outcomes if one.failed]
    done: Result = {
        "changed": any(one.result.get("changed") for one in outcomes),
        "taken_over": claims_taken_over(before, ledger),
    }
    return {**done, "failed": True, "msg": " ".join(errors)} if errors else done
