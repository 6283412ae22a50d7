# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The core of metric_gate: reads its options, builds the gate, and returns its verdict."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import NOT_JUDGED, PASS
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Clock, Controller, Ledger
from ansible_collections.steady.rollout.plugins.module_utils.metrics import balancers, report
from ansible_collections.steady.rollout.plugins.module_utils.metrics import plan as plans
from ansible_collections.steady.rollout.plugins.module_utils.metrics.balancers import Reading
from ansible_collections.steady.rollout.plugins.module_utils.metrics.gate import Gate
from ansible_collections.steady.rollout.plugins.module_utils.metrics.gate_store import (
    GateStore,
    LedgerGateStore,
    LocalGateStore,
)
from ansible_collections.steady.rollout.plugins.module_utils.metrics.report import Outcome
from ansible_collections.steady.rollout.plugins.module_utils.pools.members.change import read_members
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock as MonotonicClock

OF_A_ROLLOUT = ("service", "run", "token")


def core(call: Call) -> dict[str, t.Any]:
    """metric_gate."""
    params = call.params
    with _store(params, call.check_mode) as store:
        if params["groups"] is None and isinstance(store, LedgerGateStore):
            params = {**params, "groups": store.groups()}
        plan = plans.from_params(params, call.run_command)
        _refuse_contradictions(params, plan)
        gate = Gate(plan, store, lambda: _read(call))
        outcome = _run(gate, call)
    result = report.result(outcome, plan)
    fails = params["fail"] if params["fail"] is not None else not params["once"]
    if fails and not call.check_mode and outcome.decision.verdict not in (PASS, NOT_JUDGED):
        message = result.pop("msg")
        raise RolloutError(message, **result)
    return result


def _run(gate: Gate, call: Call) -> Outcome:
    if call.check_mode:
        return gate.glimpse()
    return gate.once() if call.params["once"] else gate.until_decided()


def _refuse_contradictions(params: dict[str, t.Any], plan: plans.Plan) -> None:
    given = [name for name in OF_A_ROLLOUT if params.get(name) is not None]
    if given and len(given) < len(OF_A_ROLLOUT):
        missing = [name for name in OF_A_ROLLOUT if name not in given]
        raise InputError(f"{missing[0]}: needed beside {given[0]}; a rollout is named by {', '.join(OF_A_ROLLOUT)}.")
    if params["once"] and not given:
        raise InputError("once: a single poll is remembered in the ledger until the next; give service, run and token.")
    if plan.needs_balancers and params.get("counters") is None and not params.get("balancers"):
        raise InputError(
            "balancers: the source balancer needs to be read; give balancers, or counters as returned by "
            "steady.rollout.lb_member_info with counters=true, or name another source for every metric."
        )
    if plan.needs_balancers and params.get("counters") is not None and not params["once"]:
        raise InputError("counters: these are of one moment, so they go with once=true; else give balancers.")


@contextlib.contextmanager
def _store(params: dict[str, t.Any], check_mode: bool) -> t.Iterator[GateStore]:
    if check_mode or any(params.get(name) is None for name in OF_A_ROLLOUT):
        yield LocalGateStore(params["step"], Clock(), Controller().is_alive)
        return
    ledger = Ledger.opened(params.get("ledger"), check_mode=False, creates=False)
    try:
        yield LedgerGateStore(ledger, params)
    finally:
        ledger.store.close()


def _read(call: Call) -> Reading:
    """The balancers' counters, read here or already read by others."""
    if call.params.get("counters") is not None:
        return balancers.reading_of(call.params["counters"])
    results = [_read_one(call, settings) for settings in call.params["balancers"]]
    return balancers.reading_of(results)


def _read_one(call: Call, settings: dict[str, t.Any]) -> dict[str, t.Any]:
    params = {"balancer": settings, "members": [], "require_admin": False, "counters": True}
    asked = Call(params, call.check_mode, False, call.warn, call.run_command)
    try:
        balancer = registry.open_balancer(settings, call.run_command)
        return read_members(asked, balancer, MonotonicClock())
    except InputError:
        raise
    except RolloutError as error:
        return {"failed": True, "msg": error.message, "host": settings.get("host") or settings.get("socket") or ""}
