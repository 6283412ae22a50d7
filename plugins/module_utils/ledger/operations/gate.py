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
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Desk, Session, required, session

CLAIM_LOST = "gate_claim_lost"
"""The kind of a refusal that says nothing about the stage: somebody else runs its gate by now."""
VERDICTS = ("pass", "fail", "inconclusive", "no_data")


def ask(desk: Desk, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Claims the last stage's gate where every place is proven and nobody is left to be told by admission."""
    with session(desk, params) as held:
        upkeep.sweep(held)
        stage = len(held.limits.stages)
        gate = held.records.gates(held.rollout.id).get(stage)
        is_due = gate is not None and held.rollout.status == model.OPEN and not gate.has_passed
        if gate is None or not is_due or gate.is_claimed(held.now):
            return {"changed": False, "verdict": "none", "gate": None, "msg": ""}
        return {"changed": True, "verdict": "gate", "gate": claimed(held, gate, "the end of the run"), "msg": ""}


def claimed(held: Session, gate: Gate, by: str) -> dict[str, t.Any]:
    """Hands the gate out; whoever got it must judge it within the limit, or it is handed out again."""
    claim, seconds = str(uuid.uuid4()), held.limits.gate_limit
    held.records.save_gate(
        dataclasses.replace(gate, status="claimed", claim=claim, claimed_by=by, until=held.now + seconds)
    )
    held.event("gate_claimed", by, stage=gate.stage)
    return {"stage": gate.stage, "claim": claim, "limit": seconds}


def judge(desk: Desk, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Records the verdict on a stage; needs the claim that admission handed out, if one is in force."""
    required(params, "stage", "verdict")
    with session(desk, params) as held:
        upkeep.sweep(held)
        gate = _open_gate(held, params["stage"], params.get("claim"))
        meaning = meaning_of(held, params["verdict"])
        judged = dataclasses.replace(
            gate,
            status="passed" if meaning == "pass" else "closed",
            verdict=params["verdict"],
            reason=params.get("reason") or "",
            evidence=json.dumps(params.get("evidence") or {}, sort_keys=True, default=str),
            at=held.now,
            until=None,
        )
        held.records.save_gate(judged)
        held.event("gate", stage=gate.stage, verdict=judged.verdict, reason=judged.reason, meaning=meaning)
        held.change_rollout(progress_at=held.now)
        why = (judged.reason or "").rstrip(".")
        said = f"the gate of stage {gate.stage} said {judged.verdict}" + (f": {why}" if why else "")
        if meaning != "pass":
            upkeep.stop(held, said, "gate" if meaning == "fail" else upkeep.UNCLEAR)
        return {
            "changed": True,
            "stage": gate.stage,
            "verdict": judged.verdict,
            "passed": judged.has_passed,
            "stop": held.rollout.status != model.OPEN,
            "reason": held.rollout.reason or "",
            "msg": said,
            "diff": {"before": {"status": gate.status}, "after": {"status": judged.status}},
        }


def meaning_of(held: Session, verdict: str) -> str:
    """pass, fail or stop: measured bad, could not be measured and inconclusive are three things."""
    if verdict not in VERDICTS:
        raise InputError(f"verdict: '{verdict}' is not one of {', '.join(VERDICTS)}.")
    if verdict == "inconclusive":
        return held.limits.gate_inconclusive
    if verdict == "no_data":
        return held.limits.gate_no_data
    return verdict


def _open_gate(held: Session, stage: int, claim: str | None) -> Gate:
    gate = held.records.gates(held.rollout.id).get(stage)
    if gate is None:
        raise RolloutError(f"stage {stage}: not complete yet, so its gate has nothing to judge.")
    if gate.status in ("passed", "closed"):
        message = f"stage {stage}: its gate has its verdict already, {gate.verdict}; one verdict per stage."
        # Whoever judges with another claim than the one that counted had lost its own before.
        lost = {"kind": CLAIM_LOST} if claim is not None and gate.claim != claim else {}
        raise RolloutError(message, **lost)
    if gate.claim != claim and gate.is_claimed(held.now):
        message = f"stage {stage}: its gate is being run by {gate.claimed_by}; only that claim may judge it."
        raise RolloutError(message, kind=CLAIM_LOST)
    if claim is not None and gate.claim != claim:
        message = f"stage {stage}: the claim on its gate ran out and was given away; ask for admission again."
        raise RolloutError(message, kind=CLAIM_LOST)
    return gate
