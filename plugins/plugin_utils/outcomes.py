# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run ended, and the exit code for it. The codes are documented in callback/outcome.py."""

from __future__ import annotations

import typing as t

OUTSIDE_WINDOW = 20
BLOCKED = 21
NOT_APPROVED = 22
HELD = 23
LEFT_FOR_THE_NEXT_WINDOW = 24
ROLLED_BACK = 25
OF_A_REFUSAL = {
    "outside_window": OUTSIDE_WINDOW,
    "blocked": BLOCKED,
    "not_approved": NOT_APPROVED,
    "held": HELD,
}
"""By the kind of the failure."""
OF_AN_INCOMPLETE_RUN = {
    "window": LEFT_FOR_THE_NEXT_WINDOW,
    "outside_window": LEFT_FOR_THE_NEXT_WINDOW,
    "blocked": BLOCKED,
}
"""By the reason for which no further host was started."""


class Outcome(t.NamedTuple):
    """*outcome* is the ledger's word, refused, or skipped; empty where no rollout was concluded."""

    outcome: str = ""
    reason: str = ""
    message: str = ""

    def shown(self) -> dict[str, str]:
        return {**self._asdict(), "outcome": self.outcome or "unknown"}


def code_of(found: Outcome, has_failed: bool) -> int | None:
    """None where Ansible's own code says all there is to say."""
    if not has_failed:
        return None
    if found.outcome == "refused":
        return OF_A_REFUSAL.get(found.reason)
    if found.outcome == "incomplete":
        return OF_AN_INCOMPLETE_RUN.get(found.reason)
    return ROLLED_BACK if found.outcome == "reverted" else None
