# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The verbs of a shift: what to do next, and waiting out a bake."""

from __future__ import annotations

import dataclasses
import json
import math
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations import endings, upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.admit import (
    POLL_EVERY,
    pause,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.revert import (
    must_go_back,
    reverts_automatically,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import (
    fleet,
    lease,
    model,
    traffic_model,
    traffic_rules,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.fleet import Seen
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Shift, in_words
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_nodes import (
    Node,
    read_nodes,
    with_idle_in_rotation,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_rules import (
    Act,
    HostSeen,
    Inputs,
    Stop,
    Transition,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Ledger, Session, open_session

MOST_MOVES = 30
"""A shift has some ten phases; whoever moves more often goes round in circles."""
KINDS = {"fail": "gate", "inconclusive": upkeep.UNCLEAR, "no_data": upkeep.UNCLEAR}
STRUCTURED = ("goal", "shown")

Answer = t.Dict[str, t.Any]


def next_act(ledger: Ledger, params: dict[str, t.Any]) -> Answer:
    """Records what came of the last act and says the next one. A pause is waited out here, without bound."""
    seen = ledger.store.changes()
    answer = _decide_and_record(ledger, params)
    waited = answer
    while answer["act"] == traffic_rules.WAIT and not ledger.check_mode:
        pause(ledger, seen)
        _leave_if_alone(ledger, params)
        seen = ledger.store.changes()
        # What the last act achieved is on record; asking again must not count it twice.
        answer = _decide_and_record(
            ledger, {**params, "verdict": None, "balancers": None, "nodes": None, "checked": None}
        )
    return answer if answer is waited else {**answer, "messages": [*waited["messages"], *answer["messages"]]}


def bake(ledger: Ledger, params: dict[str, t.Any]) -> Answer:
    """Blocks until the step has baked, the operator or a failure has ended it, or *timeout* seconds are over."""
    timeout = durations.optional("timeout", params.get("timeout"))
    leave_at = None if timeout is None else ledger.clock.monotonic() + timeout
    while True:
        with open_session(ledger, params) as session:
            shift = shift_of(session)
            ends = (shift.baked_from or session.now) + shift.at_step.bake
            is_ended = (
                bool(shift.promoted) or session.rollout.status != model.OPEN or shift.phase != traffic_model.BAKING
            )
            is_late = leave_at is not None and ledger.clock.monotonic() >= leave_at
            if is_ended or session.now >= ends or is_late or ledger.check_mode:
                return _baked(session, shift, session.now >= ends and not is_ended)
        nap = min(lease.BEAT_EVERY, ends - session.now, (leave_at or math.inf) - ledger.clock.monotonic())
        until, seen = ledger.clock.monotonic() + nap, ledger.store.changes()
        while ledger.clock.monotonic() < until and ledger.store.changes() == seen:
            _leave_if_alone(ledger, params)
            ledger.clock.sleep(min(POLL_EVERY, max(until - ledger.clock.monotonic(), 0.01)))


def _baked(session: Session, shift: Shift, is_over: bool) -> Answer:
    share = shift.at_step.share if shift.all_steps else 0.0
    return {
        "changed": False,
        "act": traffic_rules.BAKE,
        "baked": is_over,
        "step": shift.step,
        "share": share,
        "phase": shift.phase,
        "status": session.rollout.shown_status,
        "messages": [],
        "msg": f"{session.service}: the step of {share:g} % {'has baked' if is_over else 'bakes'}",
    }


def _leave_if_alone(ledger: Ledger, params: dict[str, t.Any]) -> None:
    if not ledger.is_alive():
        raise RolloutError(f"{params['service']}: the controller that asked is gone; left without changing anything.")


def shift_of(session: Session) -> Shift:
    shift = session.records.shift(session.rollout.id)
    if shift is None:
        raise RolloutError(
            f"{session.service}: the rollout of {session.rollout.what} shifts no traffic; plan it with a shift."
        )
    return shift


def _decide_and_record(ledger: Ledger, params: dict[str, t.Any]) -> Answer:
    with open_session(ledger, params) as session:
        upkeep.expire_overdue(session)
        if params.get("exhausted"):
            upkeep.stop(session, "the shift did not finish in this run", "progress")
        course = _Course(session, params)
        for dummy in range(MOST_MOVES):
            act = course.step()
            if act is not None:
                return course.answer(act)
        raise RolloutError(
            f"{session.service}: the traffic shift of {session.rollout.what} does not settle; read its events with rollout_info."
        )


class _Course:
    """One call's way through the phases, up to the next act that the run has to carry out."""

    def __init__(self, session: Session, params: dict[str, t.Any]) -> None:
        self._held = session
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
        if self._held.rollout.status == model.FAILING and reverts_automatically(self._held):
            self._held.change_rollout(status=model.REVERTING)

    def _inputs(self) -> Inputs:
        rollout = self._held.rollout
        return Inputs(
            shift=self._shift,
            status=rollout.status,
            is_paused=rollout.paused_at is not None,
            holds=rollout.status in (model.FAILING, model.ABORTED),
            hosts=_hosts(self._held, self._shift, self._params),
            nodes=self._nodes,
            played=self._params.get("played") or "",
            verdict=self._verdict,
            reason=self._params.get("reason") or "",
            now=self._held.now,
            checked=self._checked,
            judges=rollout.direction != model.BACK,
        )

    def _intend(self, act: Act) -> None:
        """Intent first: what the nodes are to show is on record before one of them is told."""
        if act.kind != traffic_rules.SET:
            return
        tries = self._shift.tries + 1 if self._shift.goal_split == act.split else 1
        self._save(goal=act.split, tries=tries)
        self._held.event("shares_intended", None, split=act.split, phase=self._shift.phase, number=tries)

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
        self._held.event(
            "shift_gate", None, step=self._shift.step, share=share, verdict=verdict, reason=reason,
            evidence=self._params.get("evidence") or {},
        )  # fmt: skip
        self._messages.append(f"gate at {share:g} %: {verdict}" + (f", {reason}" if reason else ""))
        self._verdict = ""

    def _stop(self, decision: Stop) -> None:
        upkeep.stop(self._held, decision.reason, KINDS.get(decision.kind, decision.kind))
        is_told = decision.kind in traffic_rules.NOT_GOOD and any(
            line.startswith("gate at ") for line in self._messages
        )
        self._messages.append("stopped" if is_told else f"stopped: {decision.reason}")

    def _move(self, decision: Transition) -> None:
        if "phase" in decision.changes:
            # What was judged was the phase that ends here.
            self._verdict = ""
        if "shown" in decision.changes:
            self._note_shown(decision.changes["shown"])
        self._save(**decision.changes)
        self._held.change_rollout(progress_at=self._held.now)
        if decision.word:
            self._held.event(decision.word, None, phase=self._shift.phase, **decision.data)

    def _note_shown(self, split: traffic_model.Shares) -> None:
        self._held.event("shares_shown", None, split=split, nodes=[node.name for node in self._nodes or ()])
        entry = {"at": self._held.now, "split": split, "verdict": "", "reason": ""}
        self._save(verdicts=json.dumps([*self._shift.judged, entry][-200:]))
        self._messages.append(f"traffic: {in_words(split)}, on {_every(self._nodes or ())}")

    def _save(self, **changes: t.Any) -> None:
        tables = {name: json.dumps(changes[name]) for name in STRUCTURED if changes.get(name) is not None}
        self._shift = dataclasses.replace(self._shift, **{**changes, **tables})
        self._held.records.save_shift(self._shift)

    def answer(self, act: Act) -> Answer:
        shift = self._shift
        is_forward = self._held.rollout.status == model.OPEN
        return {
            "changed": act.kind == traffic_rules.SET,
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
            "status": self._held.rollout.shown_status,
            "messages": self._messages,
            "msg": f"{self._held.service}: {act.kind}" + (f", {act.reason}" if act.reason else ""),
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
    found = fleet.read_fleet(params["hosts"], nodes, session.records.left_out(session.service), strict=False)
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
