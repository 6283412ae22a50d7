# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The acts of a shift, what they are decided from, and how a split or a group is brought to where it is to be."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, traffic_model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Shares, Shift, in_words
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_nodes import Node

CHECK = "check"
"""See whether every node can have a split; then ask again. What takes time comes before the decision, not after it."""
SET = "set"
"""Set a split on every node; then read it back and ask again."""
PREPARE = "prepare"
PROMOTE = "promote"
DEMOTE = "demote"
REVERT = "revert"
"""Bring the named hosts to their targets; they have no traffic."""
BAKE = "bake"
WAIT = "wait"
OVER = "over"

GOOD = ("pass", "not_judged")
NOT_GOOD = ("fail", "inconclusive", "no_data")
MOST_TRIES = 2
"""How often a split is set before it is given up."""

UNVERIFIED = "unverified"
"""The kind of a stop because a group could not be verified; it says nothing against the version."""


@dataclasses.dataclass(frozen=True)
class HostSeen:
    """A host of one of the groups, as the ledger has it and as it was seen last."""

    name: str
    group: str
    phase: str
    must_go_back: bool = False
    fault: str = ""
    """What keeps it from being verified on the version meant for it now; empty when it is."""
    version: str | None = None
    """What it was seen on."""


@dataclasses.dataclass(frozen=True)
class Inputs:
    """All that one decision looks at. *now* in seconds of the coordinator's clock."""

    shift: Shift
    status: str
    paused: str
    """Why nothing moves forward at present; empty where it may."""
    holds: bool
    """The rollout has stopped and is left as it stands: nothing is installed any more."""
    hosts: tuple[HostSeen, ...]
    nodes: tuple[Node, ...] | None
    """None where nobody has looked for this decision."""
    played: str
    """The act that the run at work has just carried out; so that what it did not achieve is not asked for again."""
    verdict: str
    reason: str
    now: float
    checked: Shares | None = None
    """The split that every node was asked about just now; those that refuse it say why."""
    judges: bool = True
    """Whether steps bake and are judged; a way back waits for nobody."""

    def of(self, group: str) -> list[HostSeen]:
        return [host for host in self.hosts if host.group == group]


@dataclasses.dataclass(frozen=True)
class Act:
    """What the run is to do now."""

    kind: str
    reason: str = ""
    split: Shares = dataclasses.field(default_factory=dict)
    is_urgent: bool = False
    """Every second counts: users meet the candidate's errors."""
    hosts: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Transition:
    """A step of the shift itself: what is to be written, and then decided again."""

    changes: dict[str, t.Any]
    word: str = ""
    """The event, if it is worth one."""
    data: dict[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Stop:
    """The rollout cannot go on."""

    reason: str
    kind: str


Decision = t.Union[Act, Transition, Stop]


def reach(inputs: Inputs, wanted: Shares, is_urgent: bool = False) -> Decision | None:
    """None once every node shows the split. A split that cannot be had on every node is undone on all."""
    shift = inputs.shift
    if inputs.nodes is not None and all(node.shows(wanted) for node in inputs.nodes):
        return None if shift.shown_split == wanted else Transition({"shown": wanted, "tries": 0})
    tries = shift.tries if shift.goal_split == wanted else 0
    if tries < MOST_TRIES:
        return _set(inputs, wanted, tries, is_urgent)
    others = "; ".join(_without(node, wanted) for node in inputs.nodes or () if not node.shows(wanted))
    reason = f"{in_words(wanted)} could not be set on every balancer ({others})"
    return end(reason) if shift.phase in traffic_model.ROLLING_BACK else Stop(reason, "balancer")


def _set(inputs: Inputs, wanted: Shares, tries: int, is_urgent: bool) -> Decision:
    """All or none: what one node would refuse is not begun on the others. Where every second counts no node is asked first."""
    reason = f"{inputs.shift.phase}: {in_words(wanted)}"
    if is_urgent:
        return Act(SET, reason, split=wanted, is_urgent=True)
    if inputs.checked != wanted:
        return Act(CHECK, reason, split=wanted)
    if any(node.why for node in inputs.nodes or ()):
        return Transition({"goal": wanted, "tries": tries + 1})
    return Act(SET, reason, split=wanted)


def _without(node: Node, wanted: Shares) -> str:
    if not node.answers:
        return f"{node.name}: {node.why or 'no answer'}"
    return f"{node.name} shows {in_words(node.split)}" + (f": {node.why}" if node.why else "")


def bring(inputs: Inputs, group: str, act: str) -> Decision | None:
    """None once every host of the group is verified where it is meant to be."""
    hosts = inputs.of(group)
    rolls_back = act in (REVERT, DEMOTE)
    pending = [host.name for host in hosts if _is_pending(host, rolls_back)]
    if pending and inputs.played != act:
        return Act(act, f"{len(pending)} hosts of {group}", hosts=tuple(pending))
    versions = sorted({host.version for host in hosts if host.version is not None})
    faults = [f"it is on {' and '.join(versions)}"] if len(versions) > 1 else []
    faults += [
        f"{host.name}: {host.fault or 'not brought there'}" for host in hosts if host.fault or host.name in pending
    ]
    if not faults:
        return None
    reason = f"{group} is not verified ({_some(faults)}), so it gets no traffic"
    return end(reason) if rolls_back else Stop(reason, UNVERIFIED)


def _is_pending(host: HostSeen, rolls_back: bool) -> bool:
    return host.must_go_back if rolls_back else host.phase not in (*model.ON_TARGET, model.EXCLUDED)


def _some(words: t.Sequence[str]) -> str:
    return "; ".join(words[:3]) + (f"; and {len(words) - 3} more" if len(words) > 3 else "")


def to(phase: str, **changes: t.Any) -> Transition:
    return Transition({"phase": phase, **changes})


def end(reason: str) -> Transition:
    return Transition({"phase": traffic_model.OVER}, "shift_over", {"reason": reason})
