# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""One call's way through the phases of a shift: reads what is seen, asks the rules, and records what they decide."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import endings, upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.admit import blocked_by
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.read_fleet import read_fleet
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.revert import (
    must_go_back,
    reverts_automatically,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import (
    fleet,
    model,
    traffic_acts,
    traffic_model,
    traffic_rules,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.fleet import Seen
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_acts import (
    Act,
    HostSeen,
    Inputs,
    Stop,
    Transition,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Shift, in_words
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_nodes import (
    Node,
    read_nodes,
    with_idle_in_rotation,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Session

KINDS = {"fail": "gate", "inconclusive": upkeep.UNCLEAR, "no_data": upkeep.UNCLEAR}
STRUCTURED = ("goal", "shown")

Answer = t.Dict[str, t.Any]


def paused(session: Session) -> str:
    """Why the traffic stays where it is at present; empty where it may move on."""
    if session.rollout.paused_at is not None:
        return "paused"
    blocked = blocked_by(session)
    return f"held back ({blocked})" if blocked else ""


def shift_of(session: Session) -> Shift:
    shift = session.records.shift(session.rollout.id)
    if shift is None:
        raise RolloutError(
            f"{session.service}: the rollout of {session.rollout.what} shifts no traffic; plan it with a shift."
        )
    return shift


class Course:
    """One call's way through the phases, up to the next act that the run has to carry out."""

    def __init__(self, session: Session, params: dict[str, t.Any]) -> None:
        self._session = session
        self._params = params
        self._shift = shift_of(session)
        self._verdict = params.get("verdict") or ""
        self._nodes = _nodes(self._shift, params)
        self._checked: traffic_model.Shares | None = params.get("checked")
        self._messages: list[str] = []

    def step(self) -> Act | None:
        """The act to carry out; None where there is more to decide first."""
        self._go_back_if_failed()
        decision = traffic_rules.decide(self._inputs())
        if isinstance(decision, Act):
            self._intend(decision)
            return decision
        # What the nodes were asked was for the decision that ends here.
        self._checked = None
        self._note_verdict()
        if isinstance(decision, Stop):
            self._stop(decision)
        else:
            self._move(decision)
        return None

    def _go_back_if_failed(self) -> None:
        if self._session.rollout.status == model.FAILING and reverts_automatically(self._session):
            self._session.change_rollout(status=model.REVERTING)

    def _inputs(self) -> Inputs:
        rollout = self._session.rollout
        return Inputs(
            shift=self._shift,
            status=rollout.status,
            paused=paused(self._session),
            holds=rollout.status in (model.FAILING, model.ABORTED),
            hosts=_hosts(self._session, self._shift, self._params),
            nodes=self._nodes,
            played=self._params.get("played") or "",
            verdict=self._verdict,
            reason=self._params.get("reason") or "",
            now=self._session.now,
            checked=self._checked,
            judges=rollout.direction != model.BACK,
        )

    def _intend(self, act: Act) -> None:
        """Intent first: what the nodes are to show is on record before the first of them is changed."""
        if act.kind != traffic_acts.SET:
            return
        tries = self._shift.tries + 1 if self._shift.goal_split == act.split else 1
        self._save(goal=act.split, tries=tries)
        self._session.event("shares_intended", None, split=act.split, phase=self._shift.phase, number=tries)

    def _note_verdict(self) -> None:
        """A verdict counts once, for the step it was given on."""
        if self._shift.phase != traffic_model.BAKING or not (self._verdict or self._shift.promoted):
            return
        verdict = self._verdict or "promoted"
        reason = self._params.get("reason") or ("by the operator" if not self._verdict else "")
        share = self._shift.at_step.share
        entries = self._shift.judged
        entries[-1:] = [{**entries[-1], "verdict": verdict, "reason": reason}] if entries else []
        self._save(verdicts=json.dumps(entries))
        self._session.event(
            "shift_gate", None, step=self._shift.step, share=share, verdict=verdict, reason=reason,
            evidence=self._params.get("evidence") or {},
        )  # fmt: skip
        self._messages.append(f"gate at {share:g} %: {verdict}" + (f", {reason}" if reason else ""))
        self._verdict = ""

    def _stop(self, decision: Stop) -> None:
        upkeep.stop(self._session, decision.reason, KINDS.get(decision.kind, decision.kind))
        is_shown = decision.kind in traffic_acts.NOT_GOOD and any(
            line.startswith("gate at ") for line in self._messages
        )
        self._messages.append("stopped" if is_shown else f"stopped: {decision.reason}")

    def _move(self, decision: Transition) -> None:
        if "phase" in decision.changes:
            # What was judged was the phase that ends here.
            self._verdict = ""
        if "shown" in decision.changes:
            self._note_shown(decision.changes["shown"])
        self._save(**decision.changes)
        self._session.change_rollout(progress_at=self._session.now)
        if decision.word:
            self._session.event(decision.word, None, phase=self._shift.phase, **decision.data)

    def _note_shown(self, split: traffic_model.Shares) -> None:
        self._session.event("shares_shown", None, split=split, nodes=[node.name for node in self._nodes or ()])
        entry = {"at": self._session.now, "split": split, "verdict": "", "reason": ""}
        self._save(verdicts=json.dumps([*self._shift.judged, entry][-200:]))
        self._messages.append(f"traffic: {in_words(split)}, on {_every(self._nodes or ())}")

    def _save(self, **changes: t.Any) -> None:
        tables = {name: json.dumps(changes[name]) for name in STRUCTURED if changes.get(name) is not None}
        self._shift = dataclasses.replace(self._shift, **{**changes, **tables})
        self._session.records.save_shift(self._shift)

    def answer(self, act: Act) -> Answer:
        shift = self._shift
        is_forward = self._session.rollout.status == model.OPEN
        return {
            "changed": act.kind == traffic_acts.SET,
            "act": act.kind,
            "reason": act.reason,
            "split": act.split,
            "urgent": act.is_urgent,
            "hosts": list(act.hosts),
            "seconds": act.seconds,
            "step": shift.step,
            "number": len(shift.judged),
            "share": shift.at_step.share if is_forward else 0.0,
            "phase": shift.phase,
            "status": self._session.rollout.shown_status,
            "messages": self._messages,
            "msg": f"{self._session.service}: {act.kind}" + (f", {act.reason}" if act.reason else ""),
            "diff": {"before": {"split": shift.shown_split}, "after": {"split": act.split or shift.shown_split}},
        }


def _every(nodes: t.Sequence[Node]) -> str:
    return ", ".join(node.name for node in nodes[:6]) + (f" and {len(nodes) - 6} more" if len(nodes) > 6 else "")


def _nodes(shift: Shift, params: dict[str, t.Any]) -> tuple[Node, ...] | None:
    given = params.get("nodes") or params.get("balancers")
    if given is None:
        return None
    return tuple(read_nodes(given, {name: list(hosts.values()) for name, hosts in shift.groups.items()}))


def _hosts(session: Session, shift: Shift, params: dict[str, t.Any]) -> tuple[HostSeen, ...]:
    looked = _seen(session, params)
    return tuple(
        HostSeen(
            name=host.name,
            group=shift.group_of(host.name) or "",
            phase=host.phase,
            must_go_back=must_go_back(session, host),
            fault=_fault(session, host, looked),
            version=_version(host.name, looked),
        )
        for host in session.records.hosts(session.rollout.id)
        if host.in_scope and shift.group_of(host.name)
    )


def _seen(session: Session, params: dict[str, t.Any]) -> dict[str, Seen] | None:
    if params.get("hosts") is None:
        return None
    nodes = fleet.answered(with_idle_in_rotation(params.get("balancers")))
    found = read_fleet(session, params["hosts"], nodes, strict=False)
    return {seen.name: seen for seen in found}


def _version(name: str, looked: dict[str, Seen] | None) -> str | None:
    found = (looked or {}).get(name)
    return found.version if found else None


def _fault(session: Session, host: model.Host, looked: dict[str, Seen] | None) -> str:
    if looked is None:
        return "not looked at"
    if host.phase in (model.EXCLUDED, model.STUCK):
        return f"{host.phase}: {host.error}"
    return endings.fault_of(session, host, looked.get(host.name))
