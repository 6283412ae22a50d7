# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The ledger's rows about rollouts that stop everything."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.recreate import Recreate
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.tables import Tables

SCHEMA = """
CREATE TABLE recreate (
    rollout INTEGER PRIMARY KEY, service TEXT NOT NULL, step TEXT NOT NULL, facts TEXT NOT NULL, began_at REAL NOT NULL,
    page_at REAL, over_at REAL
);
"""


class Recreates(Tables):
    """Part of Records."""

    def recreate(self, rollout: int) -> Recreate | None:
        return self._one(Recreate, "SELECT * FROM recreate WHERE rollout = ?", rollout)

    def latest_recreate(self, service: str) -> Recreate | None:
        return self._one(Recreate, "SELECT * FROM recreate WHERE service = ? ORDER BY rollout DESC LIMIT 1", service)

    def finished_recreate(self, service: str) -> Recreate | None:
        """The newest that brought a version up."""
        return self._one(
            Recreate,
            "SELECT * FROM recreate WHERE service = ? AND step = 'done' ORDER BY rollout DESC LIMIT 1",
            service,
        )

    def save_recreate(self, recreate: Recreate) -> None:
        self._replace("recreate", recreate)
