# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What is said of a shift: its plan, the table of its moves, its end, and what is wrong with the split."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import tables
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import lease, model, traffic_model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Shift, Step, in_words
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_nodes import read_nodes
from ansible_collections.steady.rollout.plugins.module_utils.plurals import counted


def plan(shift: Shift) -> str:
    if shift.phase == traffic_model.OVER:
        return f"traffic: {in_words(shift.shown_split)}; there is nothing to shift"
    steps = ", ".join(_step(step) for step in shift.all_steps)
    after = f"then {shift.live} is brought there and the split is {in_words(shift.usual_split)} again"
    kept = f"then {shift.live} is kept for {shift.ready_for:g} s" if shift.ready_for else ""
    last = after if shift.strategy == traffic_model.CANARY else kept
    return f"traffic goes from {shift.live} to {shift.candidate}: {steps}" + (f"; {last}" if last else "")


def status(shift: Shift) -> str:
    at = f" at {shift.at_step.share:g} %" if shift.phase in (traffic_model.SHIFTING, traffic_model.BAKING) else ""
    kept = f"; {shift.live} is kept ready until {lease.moment(shift.ready_until)}" if shift.ready_until else ""
    return f"traffic: {in_words(shift.shown_split)}; the shift to {shift.candidate} is {shift.phase}{at}{kept}"


def _step(step: Step) -> str:
    return f"{step.share:g} %" + (f" for {step.bake:g} s" if step.bake else "")


def report(shift: Shift | None) -> list[str]:
    """The shares as they moved, each with its verdict."""
    if shift is None or not shift.judged:
        return []
    rows = [
        (
            time.strftime("%H:%M:%S", time.localtime(move["at"])),
            in_words(move["split"]),
            move["verdict"],
            move["reason"],
        )
        for move in shift.judged
    ]
    return tables.table(("since", "traffic", "verdict", "why"), rows)


def switched(service: str, shift: Shift, versions: t.Collection[str], is_rolled_back: bool) -> str:
    """The last line of a switch between two colours."""
    word = "serves again" if is_rolled_back else "serves"
    return f"{service}: {shift.candidate} {word}, {counted(len(shift.groups[shift.candidate]), 'host')} on {', '.join(sorted(versions))}."


def ending(shift: Shift | None) -> str:
    """What a shift that came to its end adds to the last line."""
    if shift is None:
        return ""
    kept = (
        f" {shift.live} is kept ready until {lease.moment(shift.ready_until)}: rollback.yml switches back."
        if shift.ready_until and shift.ready_for
        else ""
    )
    return f" Traffic: {in_words(shift.settled_split)}.{kept}"


def fault(shift: Shift, status: str, nodes: t.Sequence[dict[str, t.Any]] | None) -> str:
    """What is wrong with the split as it was seen at the end; empty where it is as it should be."""
    seen = read_nodes(nodes, {name: list(hosts.values()) for name, hosts in shift.groups.items()})
    wanted = _wanted(shift, status)
    shown = "; ".join(f"{node.name} {in_words(node.split) if node.answers else 'did not answer'}" for node in seen)
    if shift.phase != traffic_model.OVER:
        return f"the traffic shift is incomplete ({shift.phase}; {shown})"
    others = [node.name for node in seen if not node.shows(wanted)]
    return f"the traffic is not {in_words(wanted)} on {', '.join(others)} ({shown})" if others else ""


def _wanted(shift: Shift, status: str) -> traffic_model.Shares:
    if status == model.OPEN:
        return shift.settled_split
    return shift.split(0.0) if shift.strategy == traffic_model.BLUE_GREEN else shift.usual_split
