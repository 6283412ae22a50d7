# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""From a module's call to the verb that was asked for."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import admit as admitting
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import claim as claiming
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import conclude as concluding
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import control as steering
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import gate as gates
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import open as opening
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import plan as plans
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import quiesce as quiet
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import report as reports
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import revert as reverting
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import shift as shifting
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import show as showing
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Clock, Desk

Verb = t.Callable[[Desk, t.Dict[str, t.Any]], t.Dict[str, t.Any]]

OF_ROLLOUT: dict[str, Verb] = {
    "opened": opening.open_rollout,
    "planned": plans.plan,
    "reverting": reverting.revert,
    "concluded": concluding.conclude,
    "paused": steering.pause,
    "resumed": steering.resume,
    "promoted": steering.promote,
    "aborted": steering.abort,
}
OF_HOST: dict[str, Verb] = {
    "admitted": admitting.admit,
    "changing": reports.change,
    "proven": reports.prove,
    "failed": reports.fail,
    "reverted": reports.revert,
    "stuck": reports.stick,
}


def rollout(call: Call) -> dict[str, t.Any]:
    state = call.params["state"]
    if state == "claimed":
        return claiming.take(call.params, call.check_mode)
    if state == "unclaimed":
        return claiming.give_back(call.params, call.check_mode)
    return at_desk(call, OF_ROLLOUT[state], creates=state == "opened")


def rollout_host(call: Call) -> dict[str, t.Any]:
    if call.params["state"] == "quiet":
        return quiet.wait_until_quiet(call.params, Clock(), call.check_mode)
    return at_desk(call, OF_HOST[call.params["state"]])


def rollout_gate(call: Call) -> dict[str, t.Any]:
    return at_desk(call, gates.ask if call.params["verdict"] == "ask" else gates.judge)


def rollout_shift(call: Call) -> dict[str, t.Any]:
    return at_desk(call, shifting.bake if call.params["state"] == "baked" else shifting.next_act)


def rollout_info(call: Call) -> dict[str, t.Any]:
    return at_desk(call, showing.show)


def at_desk(call: Call, verb: Verb, creates: bool = False) -> dict[str, t.Any]:
    desk = Desk.opened(call.params.get("ledger"), call.check_mode, creates)
    try:
        return verb(desk, call.params)
    finally:
        desk.store.close()
