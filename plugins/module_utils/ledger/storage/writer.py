# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The process that is changing a ledger right now, for those that wait for it."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils import files, locks, processes
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

SHARED_MEMORY = "-shm"
WRITE_LOCK = 120
"""The byte of the shared memory that a writer locks (https://sqlite.org/walformat.html, "WAL Locks")."""


def writer_of(path: str, proc: str = processes.PROC) -> locks.Holder | None:
    return locks.holder_of(path + SHARED_MEMORY, locks.BYTES, WRITE_LOCK, proc)


def refusal(path: str, writer: locks.Holder | None, waited: float) -> RolloutError:
    """After waiting for *waited* seconds in vain."""
    if writer is not None and writer.is_stopped:
        return RolloutError(
            f"{path}: {writer} is stopped in the middle of a change of the ledger, so nobody else can write to it. "
            f"Nothing was changed; continue it (kill -CONT {writer.pid}) or end it (kill -KILL {writer.pid}), then run "
            "again."
        )
    return files.still_busy(path, "the ledger", waited, writer)
