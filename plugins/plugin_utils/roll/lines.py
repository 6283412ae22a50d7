# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator sees of a step: a line with host, step, seconds and result."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import versions
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import Entry
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.unit_watch import JOURNAL

Result = t.Mapping[str, t.Any]

WITHOUT_LINE = ("check unit", "consent", "fence", "mark changing", "record intent", "probe version", "last gate")
"""Bookkeeping: what follows from it has a line of its own."""
WAIT = "wait"
"""For the host's turn. Who has it at once has not waited."""
SHORTEST_WAIT = 1.0
REPORT = "report "
"""Reports to the ledger: its answer says what they mean."""


def of_entry(host: str, entry: Entry) -> str:
    """The line of a step that is over; empty where there is nothing to say."""
    if entry.failure:
        return "\n".join([f"{host}  {_timed(entry)}  failed: {entry.failure['error']}", *_logged(entry)])
    if entry.step in WITHOUT_LINE or entry.result.get("verdict") == "stop":
        return ""
    if entry.step == WAIT and entry.seconds < SHORTEST_WAIT:
        return ""
    if entry.step.startswith(REPORT):
        return entry.summary
    return f"{host}  {_timed(entry)}  {entry.summary or 'ok'}"


def _logged(entry: Entry) -> list[str]:
    """What the service logged last, set off from the collection's own lines."""
    return [f"    | {line}" for line in entry.result.get(JOURNAL) or []]


def _timed(entry: Entry) -> str:
    return f"{entry.step:<9} {entry.seconds:>6.1f} s"


def admitted(answer: Result) -> str:
    if answer["verdict"] == "gate":
        return f"judges stage {answer['gate']['stage']}"
    previous = versions.of_target(answer.get("previous") or {}) or "unknown version"
    target = str(versions.of_target(answer["target"]))
    if answer.get("direction") == "recover":
        return f"return to service on {target}"
    return f"{'back to ' + target if answer.get('direction') == 'back' else f'{previous} -> {target}'}, slot {answer.get('slot')}"


def waited(_answer: Result) -> str:
    return "for its turn"


def message(result: Result) -> str:
    return str(result.get("msg") or "")


def verdict(result: Result) -> str:
    return f"{result['verdict']}: {result['reason']}"


def actions(result: Result) -> str:
    return ", ".join(result.get("actions") or []) or "nothing to do"


def added(result: Result) -> str:
    if not result["added"]:
        return "already in every pool"
    return " ".join([f"added to the pool on {', '.join(result['added'])}.", *result["to_configure"]])


def drained(result: Result) -> str:
    return f"no session left after {result['drained_for']:.1f} s"


def restored(result: Result) -> str:
    return f"in rotation after {result['restored_after']:.1f} s"
