# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A release of several services under way: which service is next, and its end."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import drill
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import tiers as messages
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.tier_notes import state_of_run
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import lease, tiers, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Lease
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.tiers import State, Tier
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Ledger, required
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.records import Records

Params = t.Dict[str, t.Any]
Answer = t.Dict[str, t.Any]


def next_turn(ledger: Ledger, params: Params) -> Answer:
    """The service that is next. In check mode nothing was recorded, so that is one service after another."""
    required(params, "number")
    if ledger.check_mode:
        return _rehearsed(params)
    required(params, "run")
    with ledger.writing() as records:
        state = _at_work(records, params["run"], ledger.clock.now())
        tier = tiers.turn(state)
        text = messages.turn(state, tier) if tier else ""
        return _turn(params, tier, "continue" if state[0].goes_forward else "revert", text)


def _rehearsed(params: Params) -> Answer:
    given = params.get("tiers") or []
    number = params["number"]
    if number > len(given) or params.get("resume") == "revert":
        return _turn(params, None, "continue", "")
    one = given[number - 1]
    tier = Tier(0, one["name"], one["service"], versions.of_target(one) or "", number, one["fleet"])
    text = f"{tier.name}: {tier.version}, service {number} of {len(given)}"
    return _turn(params, tier, params.get("resume") or "continue", text)


def _turn(params: Params, tier: Tier | None, resume: str, text: str) -> Answer:
    return {
        "changed": False,
        "number": params["number"],
        "over": tier is None,
        "name": tier.name if tier else "",
        "service": tier.service if tier else "",
        "fleet": tier.fleet if tier else "",
        "version": (versions.plain(tier.version) or "") if tier else "",
        "revision": versions.split(tier.version)[1] if tier else "",
        "resume": resume,
        "release_run": params.get("run") or "",
        "text": [text] if text else [],
        "msg": text or "no service is left",
    }


def stop(ledger: Ledger, params: Params) -> Answer:
    """The service cannot continue, for a reason that its own rollout has not recorded."""
    required(params, "run", "service", "error")
    with ledger.writing() as records:
        now = ledger.clock.now()
        state = _at_work(records, params["run"], now)
        error = params["error"].strip()
        service = params["service"]
        why = error if error.startswith(f"{service}:") else f"{service}: {error}"
        if not state[0].stopped and not _is_on_record(state, service):
            state = tiers.stopped(state, service, why, params.get("kind") or "")
            records.save_release(state)
        records.add_event(now, service, "release_stopped", None, params["run"], None, {"error": error[:500]})
        return {"changed": True, "msg": why}


def _is_on_record(state: State, service: str) -> bool:
    """Its rollback failed its own run; the release continues by rolling back the services before it."""
    return any(tier.service == service and tier.state == tiers.REVERTED for tier in state[1])


def conclude(ledger: Ledger, params: Params) -> Answer:
    """The end of the run: releases every lease, and says in one line how it ended."""
    required(params, "run")
    with ledger.writing() as records:
        now = ledger.clock.now()
        state = _at_work(records, params["run"], now)
        outcome = tiers.outcome_of(state)
        passed_drill = drill.release_message(records, state, now) if outcome == tiers.REVERTED else ""
        message = passed_drill or messages.ending(state, outcome)
        release = dataclasses.replace(state[0], concluded_at=now, outcome=outcome, message=message)
        state = release, state[1]
        records.save_release(state)
        for tier in state[1]:
            _release_lease(records, tier.service, params["run"])
            records.add_event(
                now, tier.service, "release_concluded", tier.rollout, params["run"], None,
                {"outcome": outcome, "state": tier.state, "message": message},
            )  # fmt: skip
        return {
            "changed": True,
            "succeeded": outcome == tiers.DONE
            or bool(passed_drill)
            or (outcome == tiers.REVERTED and bool(release.revert_requested)),
            "outcome": outcome,
            "reason_kind": release.stopped_kind,
            "message": message,
            "msg": message,
            "text": [message],
            "states": {tier.name: tier.state for tier in state[1]},
        }


def _at_work(records: Records, run: str, now: float) -> State:
    """The run's release, with a heartbeat. Raises LeaseLost where another run has one of its services."""
    state = state_of_run(records, run)
    if state is None:
        raise RolloutError(f"run {run} has no release of several services; open one first.")
    for tier in state[1]:
        held = records.lease(tier.service)
        lease.refuse_unreserved(held or Lease(tier.service), run)
        if held is not None and held.run == run:
            records.save_lease(dataclasses.replace(held, heartbeat_at=now))
    return state


def _release_lease(records: Records, service: str, run: str) -> None:
    held = records.lease(service)
    if held is not None and held.reserved_for == run:
        records.save_lease(dataclasses.replace(held, run=None, reserved_for=None, held_until=0.0))
