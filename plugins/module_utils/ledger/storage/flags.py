# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The ledger's rows about feature flags."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flags import RolloutFlag
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.tables import Tables

SCHEMA = """
CREATE TABLE flag (
    service TEXT NOT NULL, flag TEXT NOT NULL, rollout INTEGER NOT NULL, run TEXT NOT NULL, place TEXT NOT NULL,
    goal TEXT NOT NULL, status TEXT NOT NULL, error TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (service, flag)
) WITHOUT ROWID;
"""


class Flags(Tables):
    """Part of Records."""

    def flag(self, service: str, flag: str) -> RolloutFlag | None:
        return self._one(RolloutFlag, "SELECT * FROM flag WHERE service = ? AND flag = ?", service, flag)

    def flags(self, service: str) -> list[RolloutFlag]:
        return self._all(RolloutFlag, "SELECT * FROM flag WHERE service = ? ORDER BY flag", service)

    def save_flag(self, flag: RolloutFlag) -> None:
        self._replace("flag", flag)
