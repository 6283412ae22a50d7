# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The last line of a run: what happened, who is in which trouble, and what to do next."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import drill, traffic_messages
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages.tables import versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.endings import (
    ABORTED,
    DONE,
    INCOMPLETE,
    REVERTED,
    Ending,
    missing_gate,
    still_on,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import (
    block,
    model,
    traffic_model,
    veto,
    window,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Shift
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Session
from ansible_collections.steady.rollout.plugins.module_utils.plurals import all_of, are, counted

NAMED = 5
"""Different problems that are listed; hosts with the same one are listed together."""


def outcome_message(session: Session, outcome: str, endings: t.Sequence[Ending], split_fault: str = "") -> str:
    rollout = session.rollout
    service, what = session.service, rollout.what
    shift = session.records.shift(rollout.id)
    if outcome == DONE:
        return _shifted(session, endings, shift) + traffic_messages.ending(shift)
    if outcome == REVERTED and drill.has_passed(session):
        return drill.message(session, endings) + _still_out(session)
    if outcome == REVERTED:
        return _reverted(session, endings)
    reason = f" ({rollout.reason})" if rollout.reason else ""
    word = {ABORTED: "was aborted", INCOMPLETE: "is not complete"}.get(outcome, "failed")
    return f"{service}: {what} {word}{reason}; {_state(session, endings)}{f', {split_fault}' if split_fault else ''}. {_next_step(session, outcome, endings)}"


def _shifted(session: Session, endings: t.Sequence[Ending], shift: Shift | None) -> str:
    if shift is None or shift.strategy != traffic_model.BLUE_GREEN:
        return _done(session, endings)
    versions = {ending.host.target_version or "" for ending in endings}
    back = session.rollout.direction == model.BACK
    return traffic_messages.switched(session.service, shift, versions, back) + _still_out(session)


def _done(session: Session, endings: t.Sequence[Ending]) -> str:
    if session.rollout.direction == model.RECOVER:
        back = [ending.host.name for ending in endings if ending.host.phase == model.PROVEN]
        none = "" if session.records.left_out(session.service) else "; no host is still drained by this rollout"
        return f"{session.service}: {counted(len(back), 'host')} put back in service{none}." + _still_out(session)
    skipped = sum(1 for ending in endings if ending.host.phase == model.UP_TO_DATE)
    already = f" ({skipped} of them were before)" if skipped else ""
    there = f"{all_of(len(endings), 'host')} in service on"
    if session.rollout.direction == model.BACK:
        on = versions(ending.host.target_version for ending in endings)
        left = f"rolled back from {session.rollout.source_version}" if session.rollout.source_version else "rolled back"
        return f"{session.service}: {left}; {there} {on}{already}." + _still_out(session)
    if session.rollout.keeps_release:
        on = versions(ending.host.target_version for ending in endings)
        return f"{session.service}: {session.rollout.what} done; {there} {on}{already}." + _still_out(session)
    return f"{session.service}: {there} {session.rollout.what}{already}." + _still_out(session)


def _reverted(session: Session, endings: t.Sequence[Ending]) -> str:
    rollout = session.rollout
    bad = rollout.version in session.records.bad_versions(session.service)
    marked = f" and {rollout.version} is marked bad" if bad else ""
    todo = "Roll out a corrected version" if bad else "Fix the cause, then run again"
    because = f": {rollout.reason}" if rollout.reason else ""
    still = ", ".join(still_on(session, endings))
    named = f" Still on {rollout.version}: {still}; to roll these back, run rollback.yml." if still else ""
    return (
        f"{session.service}: {rollout.what} rolled back{because}. {_serving(endings)}{marked}.{named}"
        f"{_still_out(session)} {todo}."
    )


def _serving(endings: t.Sequence[Ending]) -> str:
    back = [ending.host for ending in endings if ending.host.phase == model.REVERTED]
    versions = ", ".join(sorted({host.target_version or "" for host in back}))
    if not back:
        return "No host had to be rolled back"
    if len(back) == 1:
        return f"The one changed host, {back[0].name}, serves {versions} again"
    return f"The {len(back)} changed hosts serve {versions} again"


def _still_out(session: Session) -> str:
    """Whoever is out of service by our doing is named, also outside of this run's scope."""
    names = sorted(session.records.left_out(session.service))
    return f" Still drained by this rollout: {', '.join(names)}." if names else ""


def _state(session: Session, endings: t.Sequence[Ending]) -> str:
    there = sum(1 for ending in endings if ending.is_there)
    troubled = [ending for ending in endings if _is_in_trouble(ending)]
    # Whoever is out of service by our doing is named, even where this run never came to it.
    alike: dict[str, list[str]] = {}
    for ending in troubled:
        alike.setdefault(ending.said(), []).append(ending.host.name)
    said = [f"{', '.join(names)} {what}" for what, names in list(alike.items())[:NAMED]]
    named = "; ".join([*said, *_left_out(session, troubled)])
    unsaid = sum(len(names) for names in list(alike.values())[NAMED:])
    more = f" and {unsaid} more" if unsaid else ""
    return f"{there} of {counted(len(endings), 'host')} {are(len(endings))} in service on {_goal(session, endings)}" + (
        f", {named}{more}" if named else ""
    )


def _goal(session: Session, endings: t.Sequence[Ending]) -> str:
    """The version meant; of a rollback that of its hosts."""
    if session.rollout.direction == model.BACK or session.rollout.keeps_release:
        return versions(ending.host.target_version for ending in endings)
    return session.rollout.what


def _left_out(session: Session, named: t.Sequence[Ending]) -> list[str]:
    others = sorted(set(session.records.left_out(session.service)) - {ending.host.name for ending in named})
    return [f"still drained by this rollout: {', '.join(others)}"] if others else []


def _is_in_trouble(ending: Ending) -> bool:
    if ending.host.phase in (model.FAILED, model.STUCK, model.EXCLUDED):
        return True
    return bool(ending.fault) and ending.host.phase in (*model.ON_TARGET, model.REVERTED, model.BACK_WAITING)


def _was_out_already(host: Host) -> bool:
    """Left alone because somebody else had it out of service, not because floor or window kept it in."""
    return host.phase == model.EXCLUDED and not host.is_serving


def _next_step(session: Session, outcome: str, endings: t.Sequence[Ending]) -> str:
    opened = session.limits.window
    if session.rollout.reason_kind == window.CLOSED and outcome == INCOMPLETE and opened is not None:
        return opened.next_step()
    if session.rollout.reason_kind == block.BLOCKED and outcome == INCOMPLETE:
        return "Run the same command again when the block is lifted or over."
    if session.rollout.reason_kind == veto.VETO and outcome == INCOMPLETE:
        return "Run the same command again once there is no objection."
    last = missing_gate(session)
    if last and all(ending.is_there for ending in endings):
        return f"The gate of the last stage ({last}) has not passed; run again to run it."
    if any(_was_out_already(ending.host) for ending in endings) and outcome == INCOMPLETE:
        return "Put the skipped hosts into service, or exclude them with --limit, then run again."
    if session.rollout.keeps_release:
        return "Fix the cause and run again to resume."
    if session.rollout.version in session.records.bad_versions(session.service):
        return "Roll back with -e rollout_resume=revert, or roll out a corrected version."
    return "Fix the cause and run again to resume, or roll back with -e rollout_resume=revert."
