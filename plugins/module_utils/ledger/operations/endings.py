# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""How each host and the run as a whole ended: what the ledger has, against what was seen."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.fleet import Seen
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Session

DONE = "done"
REVERTED = "reverted"
INCOMPLETE = model.INCOMPLETE
FAILED = model.STOPPED
ABORTED = "aborted"
REFUSED = "refused"


@dataclasses.dataclass(frozen=True)
class View:
    """What was seen at the end; *seen* is None when nobody looked, *silent* names the nodes that did not answer."""

    seen: dict[str, Seen] | None
    unreachable: list[str]
    split_fault: str = ""
    """Where traffic was shifted: what is wrong with the split, in words."""


@dataclasses.dataclass(frozen=True)
class Ending:
    """A host's last word: what the ledger has, against what was seen."""

    host: Host
    fault: str
    """What is wrong with it as seen now, in words; empty when it is healthy and in service on its target."""
    version: str | None = None
    """What it was seen on."""

    @classmethod
    def of(cls, session: Session, host: Host, view: View) -> Ending:
        if view.seen is None:
            return cls(host, "could not be read")
        seen = view.seen.get(host.name)
        fault = fault_of(session, host, seen)
        if not fault and view.unreachable:
            fault = f"not verified on {', '.join(view.unreachable)}, which did not answer"
        return cls(host, fault, seen.version if seen else None)

    @property
    def is_there(self) -> bool:
        return self.host.phase in model.ON_TARGET and not self.fault

    @property
    def is_back(self) -> bool:
        """After a revert: gone back, or never touched and still fine."""
        if self.host.phase == model.EXCLUDED:
            return True
        return self.host.phase in (model.REVERTED, model.WAITING, model.UP_TO_DATE, model.FAILED) and not self.fault

    def row(self, session: Session) -> dict[str, t.Any]:
        host = self.host
        return {
            "host": host.name,
            "zone": host.zone,
            "from": host.from_version,
            "to": host.target_version,
            "drained_for": host.drained_for,
            "out_for": host.out_for,
            "outcome": self.in_short(),
        }

    def in_short(self) -> str:
        """For a column of a table; the reasons are in the ledger's events and in the message."""
        host = self.host
        if host.phase in (model.FAILED, model.STUCK):
            return f"{host.phase} ({host.kind})" if host.kind else host.phase
        if host.phase == model.REVERTED:
            return f"rolled back ({host.kind})" if host.kind else "rolled back"
        return self.said()

    def said(self) -> str:
        host = self.host
        if host.phase == model.EXCLUDED:
            return f"skipped: {host.error}"
        if host.phase in (model.FAILED, model.STUCK):
            return f"{host.phase} ({host.kind + ': ' if host.kind else ''}{(host.error or '').rstrip('.')})"
        if host.phase == model.REVERTED:
            why = f" after {host.kind}: {host.error}" if host.kind else ""
            return f"rolled back{why}" + (f", but {self.fault}" if self.fault else "")
        words = {
            model.PROVEN: "updated",
            model.UP_TO_DATE: "already on it",
            model.BACK_WAITING: "still to be rolled back",
        }
        word = words.get(host.phase, "not started")
        return f"{word}, but {self.fault}" if self.fault and host.phase in model.ON_TARGET else word


def fault_of(session: Session, host: Host, seen: Seen | None) -> str:
    """What is wrong with a host that should be in service and in the rollout's target state; empty where nothing is."""
    if seen is None:
        return "no longer seen"
    if seen.lb_state != model.IN_SERVICE:
        return f"not in service ({seen.note or seen.lb_state})"
    if seen.healthy is not True:
        return "not healthy" if seen.healthy is False else "its health is unknown"
    if seen.version is None:
        # A health check that reports no version cannot contradict what the run verified.
        return ""
    is_back = session.rollout.status == model.REVERTING
    wrong = _is_not_back(session, host, seen) if is_back else seen.version != host.target_version
    return f"on {seen.version}" if wrong else ""


def _is_not_back(session: Session, host: Host, seen: Seen) -> bool:
    """What the rollout never touched stays on whatever it is on."""
    if host.phase == model.REVERTED:
        return seen.version != host.target_version
    is_left = versions.covers(session.rollout.version, seen.version) and seen.version != host.last_good_version
    return host.phase == model.FAILED and is_left


def outcome_of(session: Session, endings: t.Sequence[Ending], split_fault: str = "") -> str:
    rollout = session.rollout
    if rollout.status == model.REVERTING:
        return REVERTED if all(ending.is_back for ending in endings) and not split_fault else FAILED
    if rollout.status == model.ABORTED:
        return ABORTED
    if rollout.status == model.FAILING:
        return FAILED
    if rollout.direction == model.RECOVER:
        return DONE if all(_is_recovered(ending) for ending in endings) else INCOMPLETE
    if not all(ending.is_there for ending in endings) or missing_gate(session) or split_fault:
        return INCOMPLETE
    return DONE


def _is_recovered(ending: Ending) -> bool:
    if ending.host.phase == model.EXCLUDED:
        return not ending.host.drained_by_us
    return ending.host.phase == model.UP_TO_DATE or ending.is_there


def missing_gate(session: Session) -> int:
    """The last stage's number while its gate has not passed, else 0."""
    if not session.limits.gate or session.rollout.direction != model.FORWARD:
        return 0
    last = len(session.limits.stages)
    gate = session.records.gates(session.rollout.id).get(last)
    return 0 if gate is not None and gate.has_passed else last


def is_as_asked(session: Session, endings: t.Sequence[Ending]) -> bool:
    return bool(session.rollout.revert_requested) and not still_on(session, endings)


def still_on(session: Session, endings: t.Sequence[Ending]) -> list[str]:
    """The hosts seen on the version left, except where the rollback ends on that very version."""
    left = session.rollout.version
    return [
        ending.host.name
        for ending in endings
        if ending.version is not None
        and versions.covers(left, ending.version)
        and not (ending.host.phase == model.REVERTED and ending.host.target_version == ending.version)
    ]
