# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A run that was suspended in the middle of a change of the ledger keeps it locked, also for the run that takes over."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import lease
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Ledger, Session
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.writer import writer_of


def end_stopped_writer(ledger: Ledger, params: dict[str, t.Any]) -> str | None:
    """Ends it by SIGKILL where its lease may be taken; SQLite undoes its change. What it was, or None.

    Where it may not, the change that comes next is refused and names it.
    """
    writer = writer_of(ledger.store.path)
    if ledger.check_mode or writer is None or not writer.is_stopped or not _may_end(ledger, params):
        return None
    return str(writer) if writer.end() else None


def note_ended_writer(session: Session, what: str | None) -> None:
    if what:
        session.event("stopped_writer_ended", None, process=what)


def _may_end(ledger: Ledger, params: dict[str, t.Any]) -> bool:
    with ledger.store.reading() as records:
        leases = records.leases()
    gone = lease.proven_gone(params)
    return lease.may_end_writer(leases, params["service"], ledger.clock.now(), bool(params.get("take_over")), gone)
