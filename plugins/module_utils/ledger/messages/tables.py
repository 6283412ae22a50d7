# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Lines and tables for people to read."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.plurals import are, counted

if t.TYPE_CHECKING:
    from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Rollout
    from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.window import Window


def table(head: t.Sequence[str], rows: t.Sequence[t.Sequence[t.Any]]) -> list[str]:
    """Aligned columns; nothing in a cell shows as '-'."""
    cells = [list(head)] + [["-" if cell in (None, "") else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]


def seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def plan(service: str, rollout: Rollout, answer: dict[str, t.Any], at_rest: bool = False) -> list[str]:
    """*at_rest*: hosts are changed while they have no traffic, so that no capacity is taken."""
    lines = [_headline(service, rollout, answer, "install" if at_rest else "do")]
    if answer["plan"]:
        columns = ("stage", "host", "zone", "from", "to", "condition", "why")
        lines += table(columns, [[row[column] for column in columns] for row in answer["plan"]])
        lines += [] if at_rest else [_capacity(answer)]
    lines += [f"skipped: {host['host']} ({host['why']})" for host in answer["excluded"]]
    return lines + [f"note: {note}" for note in answer["notes"]]


def _headline(service: str, rollout: Rollout, answer: dict[str, t.Any], operation: str) -> str:
    if rollout.status == "reverting":
        return f"{service}: the rollout of {rollout.what} is being rolled back ({rollout.reason})"
    there = len(answer["up_to_date"])
    if answer["nothing_to_do"] and rollout.keeps_release:
        return f"{service}: nothing to do for {rollout.what}, {counted(there, 'host')} {are(there)} done already"
    if answer["nothing_to_do"]:
        return (
            f"{service}: nothing to {operation} for {rollout.what}, {counted(there, 'host')} {are(there)} already on it"
        )
    hosts = f"{len(answer['order'])} of {counted(answer['fleet'], 'host')}"
    if rollout.direction == "back":
        return f"{service}: {hosts} back from {rollout.source_version or 'their version'} to {versions(answer['targets'].values())}"
    return f"{service}: {hosts} to {rollout.what}, stages {_stages(answer)}"


def versions(names: t.Iterable[str | None]) -> str:
    return ", ".join(sorted({name for name in names if name})) or "the version before"


def _stages(answer: dict[str, t.Any]) -> str:
    return ", ".join(str(slots) for slots in answer["stages"])


def _capacity(answer: dict[str, t.Any]) -> str:
    took = answer["predicted_seconds"]
    time = f"about {took} s" if took is not None else "time unknown (no history yet)"
    return (
        f"max unavailable {answer['max_unavailable']}, min available {answer['min_available']} of {answer['fleet']}; "
        f"lowest capacity {answer['lowest_capacity']}; {time}"
    )


def window(opened: Window, now: float, predicted: int | None) -> str:
    """Both figures: what is left of the maintenance window, and what the work takes."""
    left = max(opened.last_closes_at - now, 0.0)
    host = "" if opened.host_seconds is None else f"; a host takes at most about {opened.host_seconds:.0f} s"
    line = f"the maintenance window closes in {left:.0f} s{host}"
    if predicted is not None and predicted > left:
        line += f", all of them about {predicted} s: what does not fit is left for the next window"
    return line


def report(rows: t.Sequence[dict[str, t.Any]]) -> list[str]:
    head = ("host", "from", "to", "drained for", "out of service for", "outcome")
    return table(
        head,
        [
            (row["host"], row["from"], row["to"], seconds(row["drained_for"]), seconds(row["out_for"]), row["outcome"])
            for row in rows
        ],
    )
