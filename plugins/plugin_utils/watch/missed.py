# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened between two observations: a service that crashes and is restarted may be down for a second only."""

from __future__ import annotations

import typing as t

Row = t.Dict[str, t.Any]

DOWN = "down"


def with_missed_failures(balancers: t.Sequence[Row], before: t.Sequence[Row], members: t.Collection[str]) -> list[Row]:
    """*balancers* with every one of these *members* down that was down since *before*, by a node's own count.

    Only members that nobody has worked on meanwhile: an update takes a service down, too.
    """
    counted = {node["host"]: _counts(node) for node in before}
    return [_with_missed(node, counted.get(node["host"], {}), members) for node in balancers]


def _counts(node: Row) -> dict[str, int]:
    found = {name: state.get("went_down") for name, state in (node.get("members") or {}).items()}
    return {name: count for name, count in found.items() if isinstance(count, int)}


def _with_missed(node: Row, before: t.Mapping[str, int], members: t.Collection[str]) -> Row:
    missed = [name for name, count in _counts(node).items() if name in members and before.get(name, count) < count]
    if not missed:
        return node
    return {**node, "members": {**node["members"], **{name: _as_down(node["members"][name]) for name in missed}}}


def _as_down(state: Row) -> Row:
    if state.get("operational") == DOWN:
        return state
    return {**state, "operational": DOWN, "check": "for a moment, between two observations"}
