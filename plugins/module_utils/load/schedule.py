# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""When which group is asked what: evenly, in pairs, so that both groups see the same moments. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.load.model import Group, Load


@dataclasses.dataclass(frozen=True)
class Slot:
    """One request to come: *at* seconds after the analysis's start, to *url* of *group*, by recipe number *recipe*."""

    at: float
    group: Group
    url: str
    recipe: int
    counts: bool


def slots(load: Load, groups: t.Sequence[Group], recipes: int, analysis: int = 0) -> t.Iterator[Slot]:
    """The requests of an analysis in the order of their moments; the first analysis begins with the warm-up.

    In each round every group gets the same recipe. Who comes first changes from round to round, and each host gets
    every recipe in time.
    """
    uncounted = load.total - load.measured
    begin = uncounted + analysis * load.measured if analysis else 0
    for number in range(begin, uncounted + (analysis + 1) * load.measured):
        order = groups if number % 2 == 0 else tuple(reversed(groups))
        for place, group in enumerate(order):
            yield Slot(
                at=(number - begin + place / len(groups)) / load.rate,
                group=group,
                url=group.urls[number // recipes % len(group.urls)],
                recipe=number % recipes,
                counts=number >= uncounted,
            )
