# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""restore_timer: arms, renews and disarms the timer of a run on a balancer's host, and marks who is being changed."""

from __future__ import annotations

import dataclasses
import os
import sys
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import claims, durations
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.claims import Claim
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer import program, record, rules, schedule
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer.rules import Standing, Timer
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer.schedule import Schedule

LEAST = 30.0
"""Seconds; the heartbeat comes every five, and one that is late must not count as none."""
NOTHING: dict[str, t.Any] = {"changed": False, "armed": False, "why_not": "", "needs_program": False, "reports": []}


def core(call: Call) -> dict[str, t.Any]:
    claim = Claim.from_params(call.params["claim"])
    if claim is None:
        raise InputError("claim: empty; a timer belongs to the run that has claimed the service.")
    return {**NOTHING, **STATES[call.params["state"]](call, claim)}


def arm(call: Call, claim: Claim) -> dict[str, t.Any]:
    """Has the host restore what the run drains from now on, once the run is silent for so long."""
    after = durations.seconds("after", call.params["after"], least=LEAST)
    looks = _schedule(call, claim)
    why_not = _hindrance(looks)
    if why_not:
        return {"why_not": why_not}
    if call.check_mode:
        return {"changed": True}
    place = program.stored(claim.service, call.params.get("digest") or "", call.params.get("program"))
    if place is None:
        return {"needs_program": True}
    with claims.held(claim):
        before = record.read(looks.record)
        timer = rules.armed(
            before, claim.service, Standing(claim.ledger, claim.token), _previous(call), after, record.now()
        )
        record.write(looks.record, timer)
        try:
            looks.start(_argv(place, looks.record), after)
        except (RolloutError, OSError) as error:
            record.remove(looks.record)
            return {"changed": True, "why_not": str(error), "reports": _reports(timer.reports)}
    return {"changed": True, "armed": True, "reports": _reports(timer.reports)}


def renew(call: Call, claim: Claim) -> dict[str, t.Any]:
    """The heartbeat of the run. A timer that had run out counts from now on again."""
    looks = _schedule(call, claim)
    with claims.held(claim):
        timer = _own(claim, looks)
        if timer is None or call.check_mode:
            return {"armed": timer is not None}
        if not timer.is_scheduled:
            place = program.stored(claim.service, call.params.get("digest") or "", None)
            if place is None:
                return {"needs_program": True}
            looks.start(_argv(place, looks.record), timer.after)
        # A run that gives heartbeats has planned, and the ledger has what was done before.
        renewed = dataclasses.replace(timer, renewed=record.now(), is_scheduled=True, reports=timer.own_reports)
        record.write(looks.record, renewed)
    return {"armed": True}


def mark_changing(call: Call, claim: Claim) -> dict[str, t.Any]:
    """From here on the timer leaves the members out. Fails where it has put one back already."""
    looks, members = _schedule(call, claim), call.params["members"] or []
    with claims.held(claim):
        timer = _own(claim, looks)
        if timer is None:
            return {}
        restored = timer.restored_meanwhile(members)
        if restored:
            raise RolloutError(
                f"The restore timer has put {', '.join(restored)} back in service, because no heartbeat from this run had "
                f"arrived for {timer.after:g} s (rollout_restore_after). Its host is unchanged; check the connection to the "
                "balancer's host, then run the same playbook again."
            )
        marked = timer.with_changing(members)
        if marked != timer and not call.check_mode:
            record.write(looks.record, marked)
    return {"changed": marked != timer, "armed": True}


def disarm(call: Call, claim: Claim) -> dict[str, t.Any]:
    """Nothing is restored from here on; what the timer did meanwhile is returned.

    A run that was refused before it began has drained nothing: it leaves the timer to what a run before it has drained.
    """
    looks = _schedule(call, claim)
    if call.check_mode:
        return {"changed": record.read(looks.record) is not None}
    with claims.held(claim):
        before = record.read(looks.record)
        left = rules.given_up(before) if before and call.params["refused"] else None
        if left is None or not left.is_scheduled:
            looks.stop()
        if left is None:
            record.remove(looks.record)
        else:
            record.write(looks.record, left)
    done = before.own_reports if before and left is None else ()
    return {"changed": before is not None, "reports": _reports(done)}


STATES: dict[str, t.Callable[[Call, Claim], dict[str, t.Any]]] = {
    "armed": arm,
    "renewed": renew,
    "changing": mark_changing,
    "disarmed": disarm,
}


def _schedule(call: Call, claim: Claim) -> Schedule:
    return Schedule(record.path_of(claim), claim.service, call.run_command, schedule.ROOT)


def _hindrance(looks: Schedule) -> str:
    """Why the host cannot look after a timer; empty where it can."""
    if os.geteuid() != 0:
        return "it needs root there (become)"
    return "" if looks.kind() else "neither systemd nor cron runs there"


def _own(claim: Claim, looks: Schedule) -> Timer | None:
    timer = record.read(looks.record)
    return timer if timer and timer.is_of(claim.ledger, claim.token) else None


def _previous(call: Call) -> Standing | None:
    found = call.params.get("claim_before")
    return Standing(str(found["ledger"]), int(found["token"])) if found else None


def _argv(place: str, path: str) -> list[str]:
    return [sys.executable, "-I", place, path]


def _reports(done: t.Sequence[rules.Report]) -> list[dict[str, t.Any]]:
    return [dataclasses.asdict(one) for one in done]
