# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What another ledger has left drained, as the claims tell that this run has taken over from it."""

from __future__ import annotations

import typing as t

Facts = t.Mapping[str, t.Any]


def claims_taken_over(claims: Facts, ledger: str) -> list[dict[str, t.Any]]:
    """The option ``taken_over`` of the rollout module, from the results of a loop of rollout_claim over hosts."""
    found = [(result["item"], result.get("claim_before") or {}) for result in claims.get("results") or []]
    return [
        {"host": host, **{name: before.get(name) for name in ("ledger", "coordinator", "drained")}}
        for host, before in found
        if before.get("drained") and before.get("ledger") != ledger
    ]
