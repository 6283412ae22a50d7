# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What another ledger has left drained, according to the claims that this run has taken over from it."""

from __future__ import annotations

import typing as t

Claim = t.Mapping[str, t.Any]


def claims_taken_over(before: t.Mapping[str, Claim | None], ledger: str) -> list[dict[str, t.Any]]:
    """The option ``taken_over`` of the rollout module, from the claim that was found on each host."""
    return [
        {"host": host, **{name: claim.get(name) for name in ("ledger", "coordinator", "drained")}}
        for host, claim in before.items()
        if claim and claim.get("drained") and claim.get("ledger") != ledger
    ]
