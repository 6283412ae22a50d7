# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every rollout is judged by, whatever happened to it: no request failed, floor and window held."""

from __future__ import annotations

from fleet.world.shop import Shop
from support.background import Background
from support.sightings import violations


def assert_unnoticed(
    shop: Shop, users: Background, eyes: Background, floor: int, window: int, zone_floor: int = 1
) -> None:
    """Ends *users* and *eyes*, which have been there all the time."""
    seen = users.stop()
    assert seen["requests"] > 0
    assert seen["failed"] == 0, seen["failures"]
    assert violations(eyes.stop(), floor, window, shop.zones, zone_floor) == []
