# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments at which a run is killed, recognized by what it has written to its ledger."""

from __future__ import annotations

import dataclasses
import random

from fleet.world.rolling import Run
from fleet.world.shop import Shop

AWAITED = 180.0


@dataclasses.dataclass(frozen=True)
class Moment:
    """When a run is killed: so many events are in its ledger, and some time after the last."""

    events: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s after event {self.events}"

    def await_in(self, run: Run, shop: Shop) -> None:
        shop.await_that(lambda: run.is_over or len(shop.events()) >= self.events, AWAITED)
        run.wait_at_most(self.seconds)


def spread(events: int, moments: int, later: float, seed: int) -> list[Moment]:
    """Evenly over what an undisturbed run writes, from before the first event until after the last.

    Each up to *later* seconds after its event, about as long as lies between two of them.
    """
    chance = random.Random(seed)
    return [Moment(round(n * events / (moments - 1)), round(chance.uniform(0, later), 1)) for n in range(moments)]
