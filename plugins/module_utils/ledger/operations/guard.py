# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The limits in the form of lb_member's guard option, to be checked on live state right before the change."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.policy import Limits


def guard_of(limits: Limits, members: t.Mapping[str, list[str]]) -> dict[str, t.Any]:
    """*members* by zone: all of them, or for an admission only the host's own zone, since others stay as they are."""
    return {
        "min_in_service": limits.min_available,
        "max_out_of_service": limits.max_unavailable,
        "zones": [
            {"name": zone, "members": names, "min_in_service": limits.zone_floors.get(zone, 0)}
            for zone, names in members.items()
        ],
    }
