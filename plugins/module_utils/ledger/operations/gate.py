# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A gate's verdict, and what the policy makes of it."""

from __future__ import annotations

import dataclasses
import json
import typing as t
import uuid

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Gate
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import (
    Ledger,
    Session,
    open_session,
    required,
)

CLAIM_LOST = "gate_claim_lost"
"""The kind of a refusal that says nothing about the stage: somebody else runs its gate by now."""
VERDICTS = ("pass", "fail", "inconclusive", "no_data", "not_judged")


def claim_last_gate(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Claims the last stage's gate where every place is proven and no host is left that would claim it on admission."""
    with open_session(ledger, params) as session:
        upkeep.expire_overdue(session)
        stage = len(session.limits.stages)
        gate = session.records.gates(session.rollout.id).get(stage)
        is_due = gate is not None and session.rollout.status == model.OPEN and not gate.has_passed
        if gate is None or not is_due or gate.is_claimed(session.now):
            return {"changed": False, "verdict": "none", "gate": None, "msg": ""}
        return {"changed": True, "verdict": "gate", "gate": hand_out(session, gate, "the end of the run"), "msg": ""}


def hand_out(session: Session, gate: Gate, by: str) -> dict[str, t.Any]:
    """Hands the gate out; whoever got it must judge it within the limit, or it is handed out again."""
    claim, seconds = str(uuid.uuid4()), session.limits.gate_limit
    session.records.save_gate(
        dataclasses.replace(gate, status="claimed", claim=claim, claimed_by=by, until=session.now + seconds)
    )
    session.event("gate_claimed", by, stage=gate.stage)
    return {"stage": gate.stage, "claim": claim, "limit": seconds}


def judge_gate(ledger: Ledger, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Records the verdict on a stage; needs the claim that admission handed out, if one is in force."""
    required(params, "stage", "verdict")
    with open_session(ledger, params) as session:
        upkeep.expire_overdue(session)
        gate = _open_gate(session, params["stage"], params.get("claim"))
        meaning = meaning_of(session, params["verdict"])
        judged = dataclasses.replace(
            gate,
            status="passed" if meaning == "pass" else "closed",
            verdict=params["verdict"],
            reason=params.get("reason") or "",
            evidence=json.dumps(params.get("evidence") or {}, sort_keys=True, default=str),
            at=session.now,
            until=None,
        )
        session.records.save_gate(judged)
        session.event("gate", stage=gate.stage, verdict=judged.verdict, reason=judged.reason, meaning=meaning)
        session.change_rollout(progress_at=session.now)
        why = (judged.reason or "").rstrip(".")
        said = f"the gate of stage {gate.stage}: {judged.verdict}" + (f": {why}" if why else "")
        if meaning != "pass":
            upkeep.stop(session, said, "gate" if meaning == "fail" else upkeep.UNCLEAR)
        return {
            "changed": True,
            "stage": gate.stage,
            "verdict": judged.verdict,
            "passed": judged.has_passed,
            "stop": session.rollout.status != model.OPEN,
            "reason": session.rollout.reason or "",
            "msg": said,
            "diff": {"before": {"status": gate.status}, "after": {"status": judged.status}},
        }


def meaning_of(session: Session, verdict: str) -> str:
    """pass, fail or stop: measured bad, could not be measured and inconclusive are three things."""
    if verdict not in VERDICTS:
        raise InputError(f"verdict: '{verdict}' is not one of {', '.join(VERDICTS)}.")
    if verdict == "inconclusive":
        return session.limits.gate_inconclusive
    if verdict == "no_data":
        return session.limits.gate_no_data
    if verdict == "not_judged":
        # metric_gate's own policy has let it through; it stays on record as what it is.
        return "pass"
    return verdict


def _open_gate(session: Session, stage: int, claim: str | None) -> Gate:
    gate = session.records.gates(session.rollout.id).get(stage)
    if gate is None:
        raise RolloutError(f"stage {stage}: not complete yet, so its gate has nothing to judge.")
    if gate.status in ("passed", "closed"):
        message = f"stage {stage}: its gate has its verdict already, {gate.verdict}; one verdict per stage."
        # Whoever judges with another claim than the one that counted had lost its own before.
        lost = {"kind": CLAIM_LOST} if claim is not None and gate.claim != claim else {}
        raise RolloutError(message, **lost)
    if gate.claim != claim and gate.is_claimed(session.now):
        message = f"stage {stage}: its gate is being run by {gate.claimed_by}; only that claim may judge it."
        raise RolloutError(message, kind=CLAIM_LOST)
    if claim is not None and gate.claim != claim:
        message = (
            f"stage {stage}: the claim on its gate expired and was given to another host; request admission again."
        )
        raise RolloutError(message, kind=CLAIM_LOST)
    return gate
