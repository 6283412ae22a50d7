# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The end of a run: every host and balancer is looked at once more, the lease is released, and one line says it all."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import tables as texts
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import traffic as shift_words
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages.outcome import last_line
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.endings import (
    ABORTED,
    DONE,
    REFUSED,
    REVERTED,
    Ending,
    Look,
    is_as_asked,
    outcome_of,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import fleet, lease, model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import traffic_nodes as shift_nodes
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Shift
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Desk, Session, required, session


def conclude(desk: Desk, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Success only if every host in scope is on its target version and in service on every balancer node."""
    required(params, "service")
    with session(desk, params) as held:
        if params.get("refused") or held.rollout.limits is None:
            return _give_up_before_the_start(held, params.get("refused") or "it was never planned")
        before = held.rollout.shown_status
        _count_vanished(held)
        look = _look_now(held, params)
        _note_who_is_back(held, look)
        hosts = [host for host in held.records.hosts(held.rollout.id) if host.in_scope]
        endings = [Ending.of(held, host, look) for host in hosts]
        outcome = outcome_of(held, endings, look.split_fault)
        message = last_line(held, outcome, endings, look.split_fault)
        report = [ending.row(held) for ending in endings]
        _close(held, outcome, message)
        return {
            "changed": True,
            "succeeded": outcome == DONE or (outcome == REVERTED and is_as_asked(held, endings)),
            "outcome": outcome,
            "message": message,
            "msg": message,
            "status": held.rollout.status,
            "report": report,
            "touched": [ending.host.name for ending in endings if ending.host.admitted_at is not None],
            "left_out": sorted(held.records.left_out(held.service)),
            "text": [*texts.report(report), *shift_words.report(held.records.shift(held.rollout.id)), message],
            "diff": {"before": {"status": before}, "after": {"status": held.rollout.status}},
        }


def _give_up_before_the_start(held: Session, why: str) -> dict[str, t.Any]:
    """Gives the lease back and leaves the rollout as it is: new, or as an earlier run left it."""
    before = held.rollout.shown_status
    if held.rollout.limits is None:
        held.change_rollout(status=model.ABORTED, outcome=REFUSED, concluded_at=held.now, reason=why, message=why)
    held.event("refused", None, why=why)
    held.lease = lease.released(held.lease)
    message = f"{held.service}: nothing was started, {why}"
    return {
        "changed": True,
        "succeeded": False,
        "outcome": REFUSED,
        "message": message,
        "msg": message,
        "status": held.rollout.status,
        "report": [],
        "touched": [],
        "left_out": sorted(held.records.left_out(held.service)),
        "text": [message],
        "diff": {"before": {"status": before}, "after": {"status": held.rollout.status}},
    }


def _count_vanished(held: Session) -> None:
    upkeep.sweep(held)
    for host in held.records.hosts(held.rollout.id, *model.IN_FLIGHT):
        if host.in_scope:
            upkeep.vanish(held, host, "still in flight when the run ended")


def _look_now(held: Session, params: dict[str, t.Any]) -> Look:
    silent = fleet.silent(params.get("balancers"))
    if params.get("hosts") is None:
        return Look(None, silent)
    left_out = held.records.left_out(held.service)
    balancers, shift = params.get("balancers"), held.records.shift(held.rollout.id)
    if shift is not None:
        balancers = shift_nodes.with_idle_in_rotation(balancers)
    found = fleet.read_fleet(params["hosts"], fleet.answered(balancers), left_out, strict=False)
    return Look({seen.name: seen for seen in found}, silent, _split_fault(held, params, shift))


def _split_fault(held: Session, params: dict[str, t.Any], shift: Shift | None) -> str:
    if shift is None:
        return ""
    return shift_words.fault(shift, held.rollout.status, params.get("nodes") or params.get("balancers"))


def _note_who_is_back(held: Session, look: Look) -> None:
    """A host that is verified in service on a version proven there is not left out any more."""
    if look.silent:
        return
    for name in held.records.left_out(held.service):
        found = (look.seen or {}).get(name)
        if found is None or found.live != model.IN_SERVICE or not found.healthy:
            continue
        if found.version in held.records.proofs(held.service, name):
            held.records.note_back(held.service, name)


def _close(held: Session, outcome: str, message: str) -> None:
    status = {DONE: model.DONE, ABORTED: model.ABORTED}.get(outcome, model.FAILED)
    held.change_rollout(status=status, outcome=outcome, concluded_at=held.now, paused_at=None, message=message)
    held.event("concluded", outcome=outcome, message=message)
    held.lease = lease.released(held.lease)
