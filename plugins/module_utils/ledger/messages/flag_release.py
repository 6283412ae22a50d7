# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What an operator reads about the release of a feature by its flag."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import flag_release as rules
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import flag_steps, model
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flag_release import FlagRelease
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flag_steps import Share, Step
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.model import Rollout

AGAIN = "Run the same command again to"


def plan(release: FlagRelease, rollout: Rollout, is_resumed: bool) -> list[str]:
    at = f" at {release.place}" if release.place else ""
    line = f"{release.service}: release of {release.flag}{at}: {in_words(release.all_steps)}"
    if not is_resumed:
        return [line]
    goes = "turns the flag off" if rollout.status != model.OPEN else f"resumes: {where(release)}"
    return [line, f"an earlier run has left it unfinished; this run {goes}"]


def in_words(steps: t.Sequence[Step]) -> str:
    """Such as 'segment beta for 1 d, 10 % for 1 h, 100 %'."""
    added = zip(flag_steps.in_words(steps), steps)
    return ", ".join(text + (f" for {lasting(step.bake)}" if step.bake else "") for text, step in added)


def lasting(seconds: float) -> str:
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:.4g} s"


def moved(release: FlagRelease) -> str:
    """What has just been read back."""
    if release.phase != rules.BAKING:
        return f"{release.flag} is off"
    bakes = f", bakes for {lasting(release.at_step.bake)}" if release.at_step.bake else ""
    return f"{release.flag} is on for {release.seen.in_words}{bakes}"


def where(release: FlagRelease) -> str:
    """Where it stands according to the ledger."""
    if release.phase == rules.WITHDRAWING:
        return "it is being turned off"
    if release.phase == rules.SETTING:
        return f"on for {release.seen.in_short}, {release.at_step.share.in_short} is being set"
    return "off" if release.seen == Share() else f"on for {release.seen.in_short}"


def progress(release: FlagRelease, now: float) -> str:
    """Beside a line of progress."""
    if release.phase != rules.BAKING:
        return f"{release.flag}: {where(release)}"
    left = max((release.baked_from or now) + release.at_step.bake - now, 0.0)
    return f"{release.flag}: {where(release)}, another {lasting(round(left))} to bake"


def status(release: FlagRelease) -> str:
    number = f"step {release.step + 1} of {len(release.all_steps)}"
    return f"flag {release.flag} at {release.place or 'an unknown place'}: {where(release)}, {number}"


def outcome(rollout: Rollout, release: FlagRelease, found: str) -> str:
    """The last line of a run."""
    flag, said = f"{release.service}: {release.flag}", _because(rollout)
    if found == model.DONE:
        return f"{flag} is on for {release.last_share.in_words}."
    if found == model.INCOMPLETE:
        return f"{flag} is left as it is ({where(release)}), and is no longer judged. {AGAIN} resume the release{_or_off()}."
    if found == model.STOPPED:
        command = f", or run: {release.command}" if release.command else ""
        return f"{flag} may still be on: {release.why}{said}. {AGAIN} turn it off{command}"
    return f"{flag} is off{said}."


def if_interrupted(release: FlagRelease, rollout: Rollout) -> list[str]:
    """For an operator who interrupts the run."""
    again = "finish turning it off" if rollout.status != model.OPEN else f"resume its release{_or_off()}"
    return [f"{release.flag}: {where(release)}", f"{AGAIN} {again}."]


def _because(rollout: Rollout) -> str:
    return f"; {rollout.reason.rstrip('.')}" if rollout.reason else ""


def _or_off() -> str:
    return ", or with -e rollout_resume=revert to turn the flag off"
