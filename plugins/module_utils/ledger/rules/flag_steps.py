# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""For whom a feature is on: a share of the users, segments of them, and the steps in which that grows."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

WHERE = "rollout_flag_steps"
EXAMPLE = "[{segment: beta, bake: 1d}, {percent: 1, bake: 30m}, {percent: 100}]"
LONGEST_NAME = 200


class Share(t.NamedTuple):
    """Percent of the users, and the segments whose users all have the feature in addition, in alphabetical order."""

    percent: int = 0
    segments: tuple[str, ...] = ()

    @property
    def settled(self) -> Share:
        """With all users, segments add nothing."""
        return Share(100) if self.percent >= 100 else self

    @property
    def in_short(self) -> str:
        """Such as '10 %', 'segment internal' or 'segments beta, internal and 10 %'."""
        if not self.settled.segments:
            return f"{self.percent} %"
        named = f"segment{'s' if len(self.segments) > 1 else ''} {', '.join(self.segments)}"
        return f"{named} and {self.percent} %" if self.percent else named

    @property
    def in_words(self) -> str:
        """Such as '10 % of the users' or 'the segments beta, internal and 10 % of the users'."""
        text = f"the {self.in_short}" if self.settled.segments else self.in_short
        return f"{text} of the users" if self.percent else text if self.segments else "0 % of the users"

    def is_within(self, other: Share) -> bool:
        """Whether all who have the feature with this share have it with the other one."""
        if other.percent >= 100:
            return True
        return self.percent <= other.percent and set(self.segments) <= set(other.segments)


class Step(t.NamedTuple):
    """Percent of the users, the seconds that it bakes, and the segments so far."""

    percent: int
    bake: float
    segments: tuple[str, ...] = ()

    @property
    def share(self) -> Share:
        return Share(self.percent, self.segments).settled


def parsed_steps(given: t.Any) -> tuple[Step, ...]:
    """Steps with which more users get the feature, each with the time that it bakes; raises InputError."""
    if not isinstance(given, (list, tuple)) or not given:
        raise InputError(f"{WHERE}: {given!r:.80} is not a list such as {EXAMPLE}.")
    steps: list[Step] = []
    for number, one in enumerate(given):
        steps.append(_step(f"{WHERE}[{number}]", one, steps[-1] if steps else Step(0, 0.0)))
    return tuple(steps)


def as_given(steps: t.Sequence[Step]) -> list[dict[str, t.Any]]:
    """The steps as parsed_steps reads them."""
    return [{**_grown(before, step), "bake": step.bake} for before, step in zip((Step(0, 0.0), *steps), steps)]


def in_words(steps: t.Sequence[Step]) -> list[str]:
    """What each adds, such as 'segment beta' or '10 %'."""
    return [_in_words(_grown(before, step)) for before, step in zip((Step(0, 0.0), *steps), steps)]


def _grown(before: Step, step: Step) -> dict[str, t.Any]:
    added = set(step.segments) - set(before.segments)
    return {"segment": added.pop()} if added else {"percent": step.percent}


def _in_words(grown: t.Mapping[str, t.Any]) -> str:
    return f"segment {grown['segment']}" if "segment" in grown else f"{grown['percent']} %"


def _step(where: str, given: t.Any, before: Step) -> Step:
    known = set(given) if isinstance(given, t.Mapping) else set()
    if len(known & {"percent", "segment"}) != 1 or known - {"percent", "segment", "bake"}:
        raise InputError(
            f"{where}: {given!r:.80} is not a step such as {{percent: 1, bake: 30m}} or {{segment: beta}}."
        )
    bake = durations.seconds(f"{where}.bake", given.get("bake") or 0)
    if "segment" in given:
        return Step(before.percent, bake, _with_segment(where, given["segment"], before))
    percent = _percent(where, given["percent"])
    if percent <= before.percent:
        raise InputError(f"{WHERE}: {percent} comes after {before.percent}; the percentages must increase.")
    return Step(percent, bake, before.segments)


def _with_segment(where: str, given: t.Any, before: Step) -> tuple[str, ...]:
    name = str(given).strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InputError(
            f"{where}.segment: expected a printable name of at most {LONGEST_NAME} characters, found {given!r:.40}."
        )
    if name in before.segments or before.percent >= 100:
        already = "all users" if before.percent >= 100 else f"segment {name}"
        raise InputError(
            f"{where}: each step must add users, but segment {name} comes after {already}. Remove this step."
        )
    return tuple(sorted({*before.segments, name}))


def _percent(where: str, given: t.Any) -> int:
    text = str(given).strip().rstrip("%").strip()
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:4]) <= 100:
        raise InputError(f"{where}.percent: {given!r:.40} is not a whole number from 1 to 100.")
    return int(text)
