# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The end of a run: every host and balancer is looked at once more, the lease is released, and one line says it all."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger import fleet, lease, model, texts, upkeep
from ansible_collections.steady.rollout.plugins.module_utils.ledger.desk import Desk, Session, required, session
from ansible_collections.steady.rollout.plugins.module_utils.ledger.fleet import Seen
from ansible_collections.steady.rollout.plugins.module_utils.ledger.model import Host

DONE = "done"
REVERTED = "reverted"
INCOMPLETE = model.INCOMPLETE
FAILED = model.STOPPED
ABORTED = "aborted"
REFUSED = "refused"


def conclude(desk: Desk, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Success only if every host in scope is on its target version and in service on every balancer node."""
    required(params, "service")
    with session(desk, params) as held:
        if params.get("refused") or held.rollout.limits is None:
            return _give_up_before_the_start(held, params.get("refused") or "it was never planned")
        before = held.rollout.shown_status
        _count_vanished(held)
        look = _look_now(held, params)
        _note_who_is_back(held, look)
        hosts = [host for host in held.records.hosts(held.rollout.id) if host.in_scope]
        endings = [Ending.of(held, host, look) for host in hosts]
        outcome = _outcome(held, endings)
        message = _message(held, outcome, endings)
        report = [ending.row(held) for ending in endings]
        _close(held, outcome, message)
        return {
            "changed": True,
            "succeeded": outcome == DONE or (outcome == REVERTED and _is_as_asked(held, endings)),
            "outcome": outcome,
            "message": message,
            "msg": message,
            "status": held.rollout.status,
            "report": report,
            "touched": [ending.host.name for ending in endings if ending.host.admitted_at is not None],
            "left_out": sorted(held.records.left_out(held.service)),
            "text": [*texts.report(report), message],
            "diff": {"before": {"status": before}, "after": {"status": held.rollout.status}},
        }


def _give_up_before_the_start(held: Session, why: str) -> dict[str, t.Any]:
    """Gives the lease back and leaves the rollout as it is: new, or as an earlier run left it."""
    before = held.rollout.shown_status
    if held.rollout.limits is None:
        held.change_rollout(status=model.ABORTED, outcome=REFUSED, concluded_at=held.now, reason=why, message=why)
    held.event("refused", None, why=why)
    held.lease = lease.released(held.lease)
    message = f"{held.service}: nothing was started, {why}"
    return {
        "changed": True,
        "succeeded": False,
        "outcome": REFUSED,
        "message": message,
        "msg": message,
        "status": held.rollout.status,
        "report": [],
        "touched": [],
        "left_out": sorted(held.records.left_out(held.service)),
        "text": [message],
        "diff": {"before": {"status": before}, "after": {"status": held.rollout.status}},
    }


@dataclasses.dataclass(frozen=True)
class Look:
    """What was seen at the end; *seen* is None when nobody looked, *silent* names the nodes that did not answer."""

    seen: dict[str, Seen] | None
    silent: list[str]


@dataclasses.dataclass(frozen=True)
class Ending:
    """A host's last word: what the ledger has, against what was seen."""

    host: Host
    fault: str
    """What is wrong with it as seen now, in words; empty when it is healthy and in service on its target."""
    version: str | None = None
    """What it was seen on."""

    @classmethod
    def of(cls, held: Session, host: Host, look: Look) -> Ending:
        if look.seen is None:
            return cls(host, "could not be looked at")
        seen = look.seen.get(host.name)
        fault = _fault(held, host, seen)
        if not fault and look.silent:
            fault = f"not verified on {', '.join(look.silent)}, which did not answer"
        return cls(host, fault, seen.version if seen else None)

    @property
    def is_there(self) -> bool:
        return self.host.phase in model.ON_TARGET and not self.fault

    @property
    def is_back(self) -> bool:
        """After a revert: gone back, or never touched and still fine."""
        if self.host.phase == model.EXCLUDED:
            return True
        return self.host.phase in (model.REVERTED, model.WAITING, model.SKIPPED, model.FAILED) and not self.fault

    def row(self, held: Session) -> dict[str, t.Any]:
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
            return f"taken back ({host.kind})" if host.kind else "taken back"
        return self.said()

    def said(self) -> str:
        host = self.host
        if host.phase == model.EXCLUDED:
            return f"left alone: {host.error}"
        if host.phase in (model.FAILED, model.STUCK):
            return f"{host.phase} ({host.kind + ': ' if host.kind else ''}{(host.error or '').rstrip('.')})"
        if host.phase == model.REVERTED:
            why = f" after {host.kind}: {host.error}" if host.kind else ""
            return f"back{why}" + (f", but {self.fault}" if self.fault else "")
        words = {model.PROVEN: "updated", model.SKIPPED: "there already", model.BACK_WAITING: "still to go back"}
        word = words.get(host.phase, "not started")
        return f"{word}, but {self.fault}" if self.fault and host.phase in model.ON_TARGET else word


def _fault(held: Session, host: Host, seen: Seen | None) -> str:
    if seen is None:
        return "not seen any more"
    if seen.live != model.IN_SERVICE:
        return f"not in service ({seen.note or seen.live})"
    if seen.healthy is not True:
        return "not healthy" if seen.healthy is False else "its health is unknown"
    if seen.version is None:
        # A health check that tells no version cannot contradict what the run verified.
        return ""
    is_back = held.rollout.status == model.REVERTING
    wrong = _is_not_back(held, host, seen) if is_back else seen.version != host.target_version
    return f"on {seen.version}" if wrong else ""


def _is_not_back(held: Session, host: Host, seen: Seen) -> bool:
    """What the rollout never touched stays on whatever it is on."""
    if host.phase == model.REVERTED:
        return seen.version != host.target_version
    return host.phase == model.FAILED and seen.version == held.rollout.version != host.home_version


def _count_vanished(held: Session) -> None:
    upkeep.sweep(held)
    for host in held.records.hosts(held.rollout.id, *model.IN_FLIGHT):
        if host.in_scope:
            upkeep.vanish(held, host, "still in flight when the run ended")


def _look_now(held: Session, params: dict[str, t.Any]) -> Look:
    silent = fleet.silent(params.get("balancers"))
    if params.get("hosts") is None:
        return Look(None, silent)
    left_out = held.records.left_out(held.service)
    found = fleet.read_fleet(params["hosts"], fleet.answered(params.get("balancers")), left_out, strict=False)
    return Look({seen.name: seen for seen in found}, silent)


def _note_who_is_back(held: Session, look: Look) -> None:
    """A host that is verified in service on a version proven there is not left out any more."""
    if look.silent:
        return
    for name in held.records.left_out(held.service):
        found = (look.seen or {}).get(name)
        if found is None or found.live != model.IN_SERVICE or not found.healthy:
            continue
        if found.version in held.records.proofs(held.service, name):
            held.records.note_back(held.service, name)


def _outcome(held: Session, endings: t.Sequence[Ending]) -> str:
    rollout = held.rollout
    if rollout.status == model.REVERTING:
        return REVERTED if all(ending.is_back for ending in endings) else FAILED
    if rollout.status == model.ABORTED:
        return ABORTED
    if rollout.status == model.FAILING:
        return FAILED
    if rollout.direction == model.RECOVER:
        return DONE if all(_is_recovered(ending) for ending in endings) else INCOMPLETE
    if not all(ending.is_there for ending in endings) or _missing_gate(held):
        return INCOMPLETE
    return DONE


def _is_recovered(ending: Ending) -> bool:
    if ending.host.phase == model.EXCLUDED:
        return not ending.host.ours
    return ending.host.phase == model.SKIPPED or ending.is_there


def _missing_gate(held: Session) -> int:
    """The last stage's number while its gate has not passed, else 0."""
    if not held.limits.gate or held.rollout.direction != model.FORWARD:
        return 0
    last = len(held.limits.stages)
    gate = held.records.gates(held.rollout.id).get(last)
    return 0 if gate is not None and gate.has_passed else last


def _message(held: Session, outcome: str, endings: t.Sequence[Ending]) -> str:
    rollout = held.rollout
    service, what = held.service, rollout.what
    if outcome == DONE:
        return _done(held, endings)
    if outcome == REVERTED:
        return _reverted(held, endings)
    reason = f" ({rollout.reason})" if rollout.reason else ""
    word = {ABORTED: "was aborted", INCOMPLETE: "is not complete"}.get(outcome, "failed")
    return f"{service}: {what} {word}{reason}; {_state(held, endings)}. {_next_step(held, outcome, endings)}"


def _done(held: Session, endings: t.Sequence[Ending]) -> str:
    if held.rollout.direction == model.RECOVER:
        back = [ending.host.name for ending in endings if ending.host.phase == model.PROVEN]
        none = "" if held.records.left_out(held.service) else "; none is left out of service by us"
        return f"{held.service}: {len(back)} hosts put back in service{none}." + _still_out(held)
    skipped = sum(1 for ending in endings if ending.host.phase == model.SKIPPED)
    already = f" ({skipped} of them were before)" if skipped else ""
    return f"{held.service}: all {len(endings)} hosts are in service on {held.rollout.what}{already}." + _still_out(
        held
    )


def _reverted(held: Session, endings: t.Sequence[Ending]) -> str:
    rollout = held.rollout
    bad = rollout.version in held.records.bad_versions(held.service)
    marked = f" and {rollout.version} is marked bad" if bad else ""
    todo = "Roll out a corrected version" if bad else "Remove the cause, then run it again"
    because = f", because {rollout.reason}" if rollout.reason else ""
    still = ", ".join(_still_on(held, endings))
    named = f" Still on {rollout.version}: {still}; to leave it, run rollback.yml." if still else ""
    return (
        f"{held.service}: {rollout.what} was taken back{because}. {_who_serves(endings)}{marked}.{named}"
        f"{_still_out(held)} {todo}."
    )


def _who_serves(endings: t.Sequence[Ending]) -> str:
    back = [ending.host for ending in endings if ending.host.phase == model.REVERTED]
    versions = ", ".join(sorted({host.target_version or "" for host in back}))
    if not back:
        return "No host had to go back"
    if len(back) == 1:
        return f"The one host it touched, {back[0].name}, serves {versions} again"
    return f"The {len(back)} hosts it touched serve {versions} again"


def _is_as_asked(held: Session, endings: t.Sequence[Ending]) -> bool:
    return bool(held.rollout.asked_back) and not _still_on(held, endings)


def _still_on(held: Session, endings: t.Sequence[Ending]) -> list[str]:
    """The hosts seen on the version left, except where going back ends on that very version."""
    left = held.rollout.version
    return [
        ending.host.name
        for ending in endings
        if ending.version is not None
        and ending.version == left
        and not (ending.host.phase == model.REVERTED and ending.host.target_version == left)
    ]


def _still_out(held: Session) -> str:
    """Whoever is out of service by our doing is named, also outside of this run's scope."""
    names = sorted(held.records.left_out(held.service))
    return f" Left out of service by us: {', '.join(names)}." if names else ""


def _state(held: Session, endings: t.Sequence[Ending]) -> str:
    there = sum(1 for ending in endings if ending.is_there)
    troubled = [ending for ending in endings if _is_in_trouble(ending)]
    # Whoever is out of service by our doing is named, even where this run never came to it.
    named = "; ".join([*(f"{ending.host.name} {ending.said()}" for ending in troubled[:5]), *_left_out(held, troubled)])
    more = f" and {len(troubled) - 5} more" if len(troubled) > 5 else ""
    return f"{there} of {len(endings)} hosts are in service on {held.rollout.what}" + (
        f", {named}{more}" if named else ""
    )


def _left_out(held: Session, named: t.Sequence[Ending]) -> list[str]:
    others = sorted(set(held.records.left_out(held.service)) - {ending.host.name for ending in named})
    return [f"left out of service by us: {', '.join(others)}"] if others else []


def _is_in_trouble(ending: Ending) -> bool:
    if ending.host.phase in (model.FAILED, model.STUCK, model.EXCLUDED):
        return True
    return bool(ending.fault) and ending.host.phase in (*model.ON_TARGET, model.REVERTED, model.BACK_WAITING)


def _next_step(held: Session, outcome: str, endings: t.Sequence[Ending]) -> str:
    last = _missing_gate(held)
    if last and all(ending.is_there for ending in endings):
        return f"The gate of the last stage ({last}) has not passed; run again to run it."
    if any(_was_out_already(ending.host) for ending in endings) and outcome == INCOMPLETE:
        return "Put the hosts left alone back into service, or leave them out with --limit, then run again."
    if held.rollout.version in held.records.bad_versions(held.service):
        return "Go back with -e rollout_resume=revert, or roll out a corrected version."
    return "Remove the cause and run again to go on, or go back with -e rollout_resume=revert."


def _was_out_already(host: Host) -> bool:
    """Left alone because somebody else had it out of service, not because floor or window kept it in."""
    return host.phase == model.EXCLUDED and not host.is_serving


def _close(held: Session, outcome: str, message: str) -> None:
    status = {DONE: model.DONE, ABORTED: model.ABORTED}.get(outcome, model.FAILED)
    held.change_rollout(status=status, outcome=outcome, concluded_at=held.now, paused_at=None, message=message)
    held.event("concluded", outcome=outcome, message=message)
    held.lease = lease.released(held.lease)
