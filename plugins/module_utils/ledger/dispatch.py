# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""From a module's call to the verb that was asked for."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import (
    approve,
    block,
    claim,
    control,
    flag_release,
    flags,
    migrate,
    open_flag_release,
    open_tiers,
    recreate,
    refused,
    report,
    tiers,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.admit import admit
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.conclude import (
    conclude,
    find_restorable,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.defer import defer
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.due import wait_until_due
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.gate import (
    claim_last_gate,
    judge_gate,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.observe import observe
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.open import open_rollout
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.plan import plan
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.quiesce import wait_until_quiesced
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.revert import revert
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.shift import (
    bake,
    next_act,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.show import show
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import LeaseLost
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Clock, Ledger

Operation = t.Callable[[Ledger, t.Dict[str, t.Any]], t.Dict[str, t.Any]]

OF_ROLLOUT: dict[str, Operation] = {
    "opened": open_rollout,
    "planned": plan,
    "reverting": revert,
    "restorable": find_restorable,
    "concluded": conclude,
}
OF_CONTROL: dict[str, Operation] = {
    "paused": control.pause,
    "resumed": control.resume,
    "promoted": control.promote,
    "aborted": control.abort,
    "blocked": block.set_block,
    "unblocked": block.lift_block,
}
OF_APPROVAL: dict[str, Operation] = {
    "given": approve.give,
    "shown": approve.show_requests,
}
OF_CLAIM: dict[str, t.Callable[[dict[str, t.Any], bool], dict[str, t.Any]]] = {
    "present": claim.acquire,
    "fenced": claim.fence,
    "absent": claim.release,
}
OF_HOST: dict[str, Operation] = {
    "due": wait_until_due,
    "admitted": admit,
    "deferred": defer,
    "changing": report.change,
    "proven": report.prove,
    "failed": report.fail,
    "reverted": report.revert,
    "stuck": report.mark_stuck,
}

OF_MIGRATION: dict[str, Operation] = {
    "begun": migrate.begin,
    "done": migrate.end,
    "failed": migrate.fail,
}

OF_FLAG: dict[str, Operation] = {
    "begun": flags.begin,
    "done": flags.end,
    "failed": flags.fail,
    "killed": flags.kill,
}

OF_FLAG_RELEASE: dict[str, Operation] = {
    "opened": open_flag_release.open_release,
    "next": flag_release.next_act,
    "baked": flag_release.bake,
    "concluded": flag_release.conclude,
}

OF_TIERS: dict[str, Operation] = {
    "opened": open_tiers.open_release,
    "next": tiers.next_turn,
    "stopped": tiers.stop,
    "concluded": tiers.conclude,
}

OF_RECREATE: dict[str, Operation] = {
    "begun": recreate.begin,
    "noted": recreate.note,
    "done": recreate.finish,
    "failed": recreate.fail,
    "restored": recreate.restore,
    "stuck": recreate.mark_stuck,
}


def rollout(call: Call) -> dict[str, t.Any]:
    return at_ledger(call, OF_ROLLOUT[call.params["state"]], creates=call.params["state"] == "opened")


def rollout_control(call: Call) -> dict[str, t.Any]:
    return at_ledger(call, OF_CONTROL[call.params["state"]], creates=call.params["state"] == "blocked")


def rollout_approval(call: Call) -> dict[str, t.Any]:
    return at_ledger(call, OF_APPROVAL[call.params["state"]])


def rollout_claim(call: Call) -> dict[str, t.Any]:
    return OF_CLAIM[call.params["state"]](call.params, call.check_mode)


def rollout_host(call: Call) -> dict[str, t.Any]:
    if call.params["state"] == "quiesced":
        return wait_until_quiesced(call.params, Clock(), call.check_mode)
    return at_ledger(call, OF_HOST[call.params["state"]])


def rollout_gate(call: Call) -> dict[str, t.Any]:
    return at_ledger(call, claim_last_gate if call.params["verdict"] == "ask" else judge_gate)


def rollout_shift(call: Call) -> dict[str, t.Any]:
    return at_ledger(call, bake if call.params["state"] == "baked" else next_act)


def rollout_migration(call: Call) -> dict[str, t.Any]:
    return at_ledger(call, OF_MIGRATION[call.params["state"]])


def rollout_recreate(call: Call) -> dict[str, t.Any]:
    return at_ledger(call, OF_RECREATE[call.params["state"]])


def rollout_flag(call: Call) -> dict[str, t.Any]:
    return at_ledger(call, OF_FLAG[call.params["state"]])


def rollout_flag_release(call: Call) -> dict[str, t.Any]:
    return at_ledger(call, OF_FLAG_RELEASE[call.params["state"]], creates=call.params["state"] == "opened")


def rollout_tiers(call: Call) -> dict[str, t.Any]:
    return at_ledger(call, OF_TIERS[call.params["state"]], creates=call.params["state"] == "opened")


def rollout_watch(call: Call) -> dict[str, t.Any]:
    return at_ledger(call, observe)


def rollout_info(call: Call) -> dict[str, t.Any]:
    return at_ledger(call, show)


def at_ledger(call: Call, operation: Operation, creates: bool = False) -> dict[str, t.Any]:
    ledger = Ledger.opened(call.params.get("ledger"), call.check_mode, creates)
    try:
        return performed(ledger, operation, call.params)
    finally:
        ledger.store.close()


def performed(ledger: Ledger, operation: Operation, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The operation's answer; what a run tries after it was replaced is refused, and recorded."""
    try:
        return operation(ledger, params)
    except LeaseLost:
        with ledger.writing() as records:
            refused.record(records, params, ledger.clock.now(), params.get("state") or operation.__name__)
        raise
