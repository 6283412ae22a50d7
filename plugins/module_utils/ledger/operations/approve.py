# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Approvals: asked for by a plan that lacks them, given by others, used by one rollout."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import approval, block
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.approval import (
    Approval,
    Count,
    Request,
    Settings,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.lease import moment
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Ledger, Session, required
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.records import Records

LEAST_DIGITS = 8


class NotApproved(RolloutError):
    """Ends the planning; the request is then written down, which the planning itself cannot do any more."""

    def __init__(self, refusal: RolloutError, request: Request) -> None:
        super().__init__(refusal.message, **refusal.result)
        self.request = request


def hash_of(session: Session, settings: Settings, params: t.Mapping[str, t.Any]) -> str:
    """What is approved: this version, on these hosts, by this policy, with this content. Not how far it has come."""
    plan = {
        "service": session.service,
        "version": session.rollout.version,
        "direction": session.rollout.direction,
        "operation": session.rollout.kind,
        "policy": params.get("policy") or {},
        "shift": params.get("shift") or {},
        "hosts": sorted(host["name"] for host in params["hosts"] if host.get("in_scope") is not False),
        "content": settings.content,
    }
    return hashlib.sha256(json.dumps(plan, sort_keys=True, default=str).encode()).hexdigest()


def use_approvals(
    session: Session, settings: Settings, plan: str, summary: t.Sequence[str], is_rehearsal: bool
) -> tuple[str, bool]:
    """Marks the approvals as used by this rollout, or raises NotApproved; a sentence for the plan, and whether they suffice."""
    runner = json.loads(session.lease.owner)
    request = session.records.request(session.service, plan) or Request(
        session.service, plan, json.dumps(runner, sort_keys=True), settings.required, json.dumps(settings.approvers),
        settings.valid_for, session.now, json.dumps(list(summary)),
    )  # fmt: skip
    requesters = {str(json.loads(request.requester).get("user") or ""), str(runner.get("user") or "")}
    given = session.records.approvals(session.service, plan)
    counted = approval.count(
        settings, given, requesters, recorded(session.records, given), session.rollout.id, session.now
    )
    if not counted.suffices:
        return _refused(session, plan, counted, request, is_rehearsal), False
    for one in given:
        if one.user in counted.valid and one.used_by is None:
            session.records.save_approval(dataclasses.replace(one, used_by=session.rollout.id))
    session.event("approvals_used", plan=plan, users=list(counted.valid))
    return f"plan {plan[: approval.SHOWN]} is approved by {', '.join(counted.valid)}", True


def _refused(session: Session, plan: str, counted: Count, request: Request, is_rehearsal: bool) -> str:
    others = session.records.approvals(session.service)
    changed = any(one.plan != plan and one.used_by is None and session.now < one.until for one in others)
    refusal = approval.refusal(session.service, session.rollout.what, plan, counted, changed and not counted.valid)
    if is_rehearsal:
        return refusal.message
    raise NotApproved(refusal, request)


def note_request(ledger: Ledger, request: Request) -> None:
    """After the planning was thrown away; the first who asks stays the one who asked."""
    with ledger.writing() as records:
        if records.request(request.service, request.plan) is None:
            records.save_request(request)
            records.add_event(
                ledger.clock.now(), request.service, "approval_requested",
                data={"plan": request.plan, "by": json.loads(request.requester), "required": request.required},
            )  # fmt: skip


def recorded(records: Records, given: t.Sequence[Approval]) -> set[Approval]:
    """Those that the intact history has; a row that somebody wrote past the collection is not in it."""
    if not given or records.broken_at() is not None:
        return set()
    events = {one.event: records.event(one.event) for one in given}
    return {
        one
        for one in given
        if (event := events[one.event]) is not None
        and (event.kind, event.service) == ("approved", one.service)
        and json.loads(event.data) == _as_data(one)
    }


def _as_data(one: Approval) -> dict[str, t.Any]:
    return {"plan": one.plan, "user": one.user, "by": json.loads(one.by), "until": one.until}


def give(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Approves a plan that was asked for, in the name of the one who calls."""
    required(params, "service", "plan")
    owner = params.get("owner") or {}
    with ledger.writing() as records:
        now = ledger.clock.now()
        request = _requested(records, params["service"], params["plan"])
        user = str(owner.get("user") or "")
        approval.refuse_giving(request, user)
        before = next((one for one in records.approvals(request.service, request.plan) if one.user == user), None)
        if before is not None and before.used_by is None and now < before.until:
            return _answer(records, request, False, f"{_said(request)} was approved by {user} before")
        wanted = Approval(
            request.service, request.plan, user, json.dumps(owner, sort_keys=True), now, now + request.valid_for, 0
        )
        event = records.add_event(now, request.service, "approved", data=_as_data(wanted))
        records.save_approval(dataclasses.replace(wanted, event=event))
        return _answer(
            records, request, True,
            f"{_said(request)} is approved by {block.person(owner)} until {moment(wanted.until)}",
        )  # fmt: skip


def show_requests(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The plans that somebody asked for and that are not used yet, newest first."""
    with ledger.store.reading() as records:
        found = [one for one in records.requests(params["service"]) if not _is_used(records, one)]
        text = [line for one in found for line in _lines(records, one)]
        text = text or [f"{params['service']}: no plan waits for approvals"]
        return {"changed": False, "requests": [_shown(records, one) for one in found], "text": text, "msg": text[0]}


def _is_used(records: Records, request: Request) -> bool:
    return any(one.used_by is not None for one in records.approvals(request.service, request.plan))


def _requested(records: Records, service: str, plan: str) -> Request:
    name = str(plan).strip().lower()
    found = [one for one in records.requests(service) if one.plan.startswith(name)] if len(name) >= LEAST_DIGITS else []
    if len(found) != 1:
        raise RolloutError(
            f"{service}: no plan '{name:.80}' was asked for; expected the first {approval.SHOWN} digits of one that "
            "approve.yml shows without rollout_plan, or that the refused run has named.",
            kind=approval.NOT_APPROVED,
        )
    return found[0]


def _said(request: Request) -> str:
    return f"{request.service}: plan {request.plan[: approval.SHOWN]}"


def _lines(records: Records, request: Request) -> list[str]:
    shown = _shown(records, request)
    head = (
        f"{_said(request)} was asked for by {block.person(shown['requester'])} at {shown['at']}; {request.required} approvals "
        f"needed, given by {', '.join(shown['approved_by']) or 'nobody yet'}"
    )
    return [head, *(f"  {line}" for line in shown["summary"])]


def _shown(records: Records, request: Request) -> dict[str, t.Any]:
    given = records.approvals(request.service, request.plan)
    valid = recorded(records, given)
    return {
        "plan": request.plan,
        "requester": json.loads(request.requester),
        "required": request.required,
        "approvers": json.loads(request.approvers),
        "at": moment(request.at),
        "approved_by": [one.user for one in given if one in valid],
        "summary": json.loads(request.summary),
    }


def _answer(records: Records, request: Request, changed: bool, msg: str) -> dict[str, t.Any]:
    return {
        "changed": changed,
        "requests": [_shown(records, request)],
        "text": [msg, *_lines(records, request)],
        "msg": msg,
    }
