# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The ledger's rows about feature flags: those that go with a rollout, and those that are released in steps."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flag_release import FlagRelease
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flags import RolloutFlag
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.tables import Tables

SCHEMA = """
CREATE TABLE flag (
    service TEXT NOT NULL, flag TEXT NOT NULL, rollout INTEGER NOT NULL, run TEXT NOT NULL, place TEXT NOT NULL,
    goal TEXT NOT NULL, status TEXT NOT NULL, error TEXT NOT NULL, at REAL NOT NULL,
    by_rollback INTEGER NOT NULL, PRIMARY KEY (service, flag)
) WITHOUT ROWID;
CREATE TABLE flag_release (
    rollout INTEGER PRIMARY KEY, service TEXT NOT NULL, flag TEXT NOT NULL, place TEXT NOT NULL, command TEXT NOT NULL,
    steps TEXT NOT NULL, phase TEXT NOT NULL, step INTEGER NOT NULL, goal INTEGER NOT NULL, goal_segments TEXT NOT NULL,
    shown INTEGER NOT NULL, shown_segments TEXT NOT NULL, tries INTEGER NOT NULL, why TEXT NOT NULL, baked_from REAL, promoted TEXT
);
"""


class Flags(Tables):
    """Part of Records."""

    def flag(self, service: str, flag: str) -> RolloutFlag | None:
        return self._one(RolloutFlag, "SELECT * FROM flag WHERE service = ? AND flag = ?", service, flag)

    def flags(self, service: str) -> list[RolloutFlag]:
        return self._all(RolloutFlag, "SELECT * FROM flag WHERE service = ? ORDER BY flag", service)

    def save_flag(self, flag: RolloutFlag) -> None:
        self._replace("flag", flag)

    def flag_release(self, rollout: int) -> FlagRelease | None:
        return self._one(FlagRelease, "SELECT * FROM flag_release WHERE rollout = ?", rollout)

    def latest_flag_release(self, service: str) -> FlagRelease | None:
        return self._one(
            FlagRelease, "SELECT * FROM flag_release WHERE service = ? ORDER BY rollout DESC LIMIT 1", service
        )

    def save_flag_release(self, release: FlagRelease) -> None:
        self._replace("flag_release", release)
