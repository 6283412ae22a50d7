# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What forbids a release and what allows it: one row for each block, plan that waits, and approval."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.approval import Approval, Request
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.block import ALL, Block
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.tables import Tables


class Permissions(Tables):
    """Reads and writes them inside one transaction."""

    def blocks(self, service: str | None = None) -> list[Block]:
        """Those that concern the service, also those that are over; without one all of them."""
        if service is None:
            return self._all(Block, "SELECT * FROM block ORDER BY service")
        return self._all(Block, "SELECT * FROM block WHERE service IN (?, ?) ORDER BY service", service, ALL)

    def block(self, service: str) -> Block | None:
        """The very one of that name."""
        return self._one(Block, "SELECT * FROM block WHERE service = ?", service)

    def save_block(self, block: Block) -> None:
        self._replace("block", block)

    def remove_block(self, service: str) -> None:
        self._connection.execute("DELETE FROM block WHERE service = ?", (service,))

    def request(self, service: str, plan: str) -> Request | None:
        return self._one(Request, "SELECT * FROM request WHERE service = ? AND plan = ?", service, plan)

    def requests(self, service: str) -> list[Request]:
        """The newest first."""
        return self._all(Request, "SELECT * FROM request WHERE service = ? ORDER BY at DESC, plan", service)

    def save_request(self, request: Request) -> None:
        self._replace("request", request)

    def approvals(self, service: str, plan: str | None = None) -> list[Approval]:
        """Of a plan or of all plans of the service, in the order they were given."""
        where, values = ("", ()) if plan is None else (" AND plan = ?", (plan,))
        return self._all(
            Approval, f"SELECT * FROM approval WHERE service = ?{where} ORDER BY at, user", service, *values
        )

    def save_approval(self, approval: Approval) -> None:
        self._replace("approval", approval)
