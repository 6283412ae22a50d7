# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The last line of a run: what happened, who is in which trouble, and what to do next."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import traffic as shift_words
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.endings import (
    ABORTED,
    DONE,
    INCOMPLETE,
    REVERTED,
    Ending,
    missing_gate,
    still_on,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import traffic_model as shift_model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Host
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_model import Shift
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Session


def last_line(held: Session, outcome: str, endings: t.Sequence[Ending], split_fault: str = "") -> str:
    rollout = held.rollout
    service, what = held.service, rollout.what
    shift = held.records.shift(rollout.id)
    if outcome == DONE:
        return _shifted(held, endings, shift) + shift_words.ending(shift)
    if outcome == REVERTED:
        return _reverted(held, endings)
    reason = f" ({rollout.reason})" if rollout.reason else ""
    word = {ABORTED: "was aborted", INCOMPLETE: "is not complete"}.get(outcome, "failed")
    return f"{service}: {what} {word}{reason}; {_state(held, endings)}{f', {split_fault}' if split_fault else ''}. {_next_step(held, outcome, endings)}"


def _shifted(held: Session, endings: t.Sequence[Ending], shift: Shift | None) -> str:
    if shift is None or shift.way != shift_model.BLUE_GREEN:
        return _done(held, endings)
    versions = {ending.host.target_version or "" for ending in endings}
    back = held.rollout.direction == model.BACK
    return shift_words.switched(held.service, shift, versions, back) + _still_out(held)


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
    still = ", ".join(still_on(held, endings))
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


def _was_out_already(host: Host) -> bool:
    """Left alone because somebody else had it out of service, not because floor or window kept it in."""
    return host.phase == model.EXCLUDED and not host.is_serving


def _next_step(held: Session, outcome: str, endings: t.Sequence[Ending]) -> str:
    last = missing_gate(held)
    if last and all(ending.is_there for ending in endings):
        return f"The gate of the last stage ({last}) has not passed; run again to run it."
    if any(_was_out_already(ending.host) for ending in endings) and outcome == INCOMPLETE:
        return "Put the hosts left alone back into service, or leave them out with --limit, then run again."
    if held.rollout.version in held.records.bad_versions(held.service):
        return "Go back with -e rollout_resume=revert, or roll out a corrected version."
    return "Remove the cause and run again to go on, or go back with -e rollout_resume=revert."
