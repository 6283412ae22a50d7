# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The release of a feature by its flag, as a state machine without clock or I/O.

The share of the users grows step by step, each only after a good verdict on the one before. Whatever is not good, or was
done to the flag by somebody else, ends with the flag off.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import model, traffic_model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flag_steps import Share, Step
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.traffic_acts import (
    BAKE,
    GOOD,
    NOT_GOOD,
    OVER,
    SET,
    WAIT,
    Stop,
    Transition,
)

SETTING = "setting"
"""The share of the step at hand is being set."""
BAKING = "baking"
WITHDRAWING = "withdrawing"
"""The flag is being turned off."""
FINISHED = "over"

PROMOTABLE = (SETTING, BAKING)

READ = "read"
"""Read the flag, then ask again: what is known of it may be old."""
OFF = "off"
"""Turn the flag off, at once; users may meet errors."""

MOST_TRIES = 2
"""How often a share is set before the release stops."""
MOST_TRIES_OFF = 10
"""How often the flag is turned off before this run gives up, and the next one goes on."""

CONTESTED = "contested"
KILLED = "killed"
FLAG = "flag"
"""Kinds of a stop: somebody else has changed the flag, or killed it; it could not be changed."""


class Reading(t.NamedTuple):
    """The flag as one place showed it just now; *why* it could not be read or changed there."""

    where: str
    state: str
    percent: int
    why: str = ""
    reason: str = ""
    """Of a kill."""
    segments: tuple[str, ...] = ()

    @property
    def share(self) -> Share:
        return Share(self.percent, self.segments).settled if self.state == "on" else Share()

    @property
    def is_off(self) -> bool:
        return not self.why and self.state != "on"


@dataclasses.dataclass(frozen=True)
class FlagRelease:
    """One rollout's release by a flag. Times are seconds of the coordinator's clock."""

    rollout: int
    service: str
    flag: str
    place: str
    """Where the flag is, for messages."""
    command: str
    """What turns it off by hand."""
    steps: str
    """As JSON."""
    phase: str = SETTING
    step: int = 0
    goal: int = 0
    goal_segments: str = "[]"
    """The share that was last intended; on record before the flag is changed."""
    shown: int = 0
    shown_segments: str = "[]"
    """The share that it was last seen to have; segments as JSON."""
    tries: int = 0
    why: str = ""
    """What the last try has failed for."""
    baked_from: float | None = None
    promoted: str | None = None
    """The operator's word, as in a shift of traffic."""

    @property
    def all_steps(self) -> list[Step]:
        return [Step(percent, bake, tuple(segments)) for percent, bake, segments in json.loads(self.steps)]

    @property
    def at_step(self) -> Step:
        return self.all_steps[self.step]

    @property
    def last_share(self) -> Share:
        return self.all_steps[-1].share

    @property
    def intended(self) -> Share:
        return Share(self.goal, tuple(json.loads(self.goal_segments)))

    @property
    def seen(self) -> Share:
        return Share(self.shown, tuple(json.loads(self.shown_segments)))


@dataclasses.dataclass(frozen=True)
class Inputs:
    """All that one decision looks at. *found* is None where nobody has read the flag for this decision."""

    release: FlagRelease
    status: str
    paused: str
    """Why the share does not grow at present; empty where it may."""
    found: tuple[Reading, ...] | None
    verdict: str
    reason: str
    now: float


@dataclasses.dataclass(frozen=True)
class Act:
    """What the run is to do now."""

    kind: str
    reason: str = ""
    percent: int = 0
    seconds: float = 0.0
    segments: tuple[str, ...] = ()

    @property
    def share(self) -> Share:
        return Share(self.percent, self.segments)


Decision = t.Union[Act, Transition, Stop]


def decide(inputs: Inputs) -> Decision:
    phase = inputs.release.phase
    if phase == FINISHED:
        return Act(OVER)
    if inputs.status != model.OPEN and phase != WITHDRAWING:
        return Transition({"phase": WITHDRAWING, "tries": 0, "promoted": None})
    if phase == WITHDRAWING:
        return _withdraw(inputs)
    fault = _fault(inputs)
    if fault is not None:
        return fault
    return _set(inputs) if phase == SETTING else _bake(inputs)


def _set(inputs: Inputs) -> Decision:
    release, share = inputs.release, inputs.release.at_step.share
    if inputs.paused:
        return Act(WAIT, f"{inputs.paused} before {share.in_short}")
    if inputs.found is None:
        return Act(READ)
    if all(not one.why and one.share == share for one in inputs.found):
        changes = {"phase": BAKING, "baked_from": inputs.now, **as_shown(share), "tries": 0}
        return Transition(changes, "flag_share", {"step": release.step, **as_data(share)})
    if release.intended == share and release.tries >= MOST_TRIES:
        return Stop(f"{release.flag} could not be set to {share.in_short} ({_faults(inputs.found, share)})", FLAG)
    return Act(SET, f"{release.flag} on for {share.in_words}", percent=share.percent, segments=share.segments)


def as_shown(share: Share) -> dict[str, t.Any]:
    return {"shown": share.percent, "shown_segments": json.dumps(share.segments)}


def as_data(share: Share) -> dict[str, t.Any]:
    """Of an event."""
    return {"percent": share.percent, **({"segments": list(share.segments)} if share.segments else {})}


def _bake(inputs: Inputs) -> Decision:
    release = inputs.release
    if inputs.verdict in NOT_GOOD:
        why = f": {inputs.reason.rstrip('.')}" if inputs.reason else ""
        return Stop(f"the gate at {release.at_step.share.in_short}: {inputs.verdict}{why}", inputs.verdict)
    if inputs.verdict in GOOD or release.promoted:
        return _next_step(release)
    return Act(BAKE, seconds=max((release.baked_from or inputs.now) + release.at_step.bake - inputs.now, 0.0))


def _next_step(release: FlagRelease) -> Transition:
    last = len(release.all_steps) - 1
    if release.step >= last:
        return Transition({"phase": FINISHED, "promoted": None})
    to_end = release.promoted == traffic_model.END
    return Transition(
        {
            "phase": SETTING,
            "step": last if to_end else release.step + 1,
            "tries": 0,
            "promoted": release.promoted if to_end else None,
        }
    )


def _withdraw(inputs: Inputs) -> Decision:
    if inputs.found is None:
        return Act(READ)
    if all(one.is_off for one in inputs.found):
        return Transition({"phase": FINISHED, **as_shown(Share()), "why": ""}, "flag_off", {})
    if inputs.release.tries >= MOST_TRIES_OFF:
        # The phase stays: the next run goes on with it.
        return Act(OVER, f"it could not be turned off ({_faults(inputs.found, Share())})")
    return Act(OFF, f"{inputs.release.flag} off")


def _fault(inputs: Inputs) -> Stop | None:
    """Whatever somebody else has done to the flag was done for a reason that this release does not know."""
    release, found = inputs.release, inputs.found or ()
    killed = next((one for one in found if one.state == "killed"), None)
    if killed is not None:
        said = f": {killed.reason.rstrip('.')}" if killed.reason else ""
        return Stop(f"{release.flag} was killed at {killed.where}{said}", KILLED)
    if release.phase == SETTING and release.intended == Share():
        return None  # The first share: what was there before is no concern of anybody's.
    expected = {release.at_step.share} if release.phase == BAKING else {release.seen, release.intended}
    strange = next((one for one in found if not one.why and one.share not in expected), None)
    if strange is None:
        return None
    return Stop(
        f"somebody else has changed {release.flag}: it is {_in_words(strange)} at {strange.where}, expected "
        f"{' or '.join(share.in_short for share in sorted(expected))}",
        CONTESTED,
    )


def _faults(found: t.Sequence[Reading], share: Share) -> str:
    behind = [one for one in found if one.why or one.share != share or (share == Share() and one.state == "on")]
    named = [f"{one.where}: {one.why.rstrip('.') or f'it is {_in_words(one)}'}" for one in behind]
    return "; ".join(named[:3]) + (f"; and {len(named) - 3} more" if len(named) > 3 else "")


def _in_words(one: Reading) -> str:
    return f"on for {one.share.in_short}" if one.state == "on" else one.state


def refuse_start(flag: str, steps: t.Sequence[Step], found: t.Sequence[Reading]) -> None:
    """Raises InputError where a release cannot begin with the flag as it is."""
    for one in found:
        if one.why:
            raise InputError(f"{flag} cannot be read at {one.where}: {one.why.rstrip('.')}. Nothing was changed.")
        if one.state == "absent":
            raise InputError(
                f"{flag} does not exist at {one.where}: correct the name, or create it with state=off of "
                "steady.rollout.feature_flag. Nothing was changed."
            )
        if one.state == "killed":
            raise InputError(
                f"{flag} was killed at {one.where}: once the cause is fixed, turn it off with state=off of "
                "steady.rollout.feature_flag, then run again. Nothing was changed."
            )
        if not one.share.is_within(steps[0].share):
            raise InputError(
                f"{flag} is on for {one.share.in_short} already at {one.where}, and the first step of rollout_flag_steps is "
                f"{steps[0].share.in_short}: begin with a step of at least {one.share.in_short}, or turn it off first. Nothing was "
                "changed."
            )


def is_done(steps: t.Sequence[Step], found: t.Sequence[Reading]) -> bool:
    """Whether there is nothing to release."""
    return bool(found) and all(not one.why and one.share == steps[-1].share for one in found)
