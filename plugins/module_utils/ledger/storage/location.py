# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Where a ledger is kept: who may change it there, and whether the one that was there is still there."""

from __future__ import annotations

import os
import stat

from ansible_collections.steady.rollout.plugins.module_utils import files
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

FILE = "ledger.db"
IDENTITY = "ledger.id"
"""Beside the database; names the ledger that belongs here, so that an emptied one is not taken for a new one."""
LOCK = "ledger.lock"
OTHERS = stat.S_IWGRP | stat.S_IWOTH
LONGEST_IDENTITY = 200


def make_private(directory: str) -> None:
    """Whoever can write in the directory can replace the ledger, and with it the versions that are rolled back to."""
    files.private_directory(directory)
    _refuse_writable(directory, os.stat(directory))
    path = os.path.join(directory, FILE)
    if not os.path.lexists(path):
        return
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        raise RolloutError(
            f"{path}: expected a file of uid {os.geteuid()}, found "
            + (f"one of uid {found.st_uid}" if stat.S_ISREG(found.st_mode) else "something else")
            + ". Run as the user who made the ledger, or find out who put this there and remove it."
        )
    _refuse_writable(path, found)


def _refuse_writable(path: str, found: os.stat_result) -> None:
    if found.st_mode & OTHERS:
        raise RolloutError(
            f"{path}: has mode {stat.S_IMODE(found.st_mode):04o}, so other users can change the ledger. Check what "
            f"status.yml shows, then run chmod go-w {path}."
        )


def identity(directory: str) -> str:
    """The ledger that belongs here; empty where there has been none."""
    try:
        return files.read(os.path.join(directory, IDENTITY), LONGEST_IDENTITY, follow=False).decode("ascii").strip()
    except FileNotFoundError:
        return ""


def note_identity(directory: str, ledger_id: str) -> None:
    files.replace(os.path.join(directory, IDENTITY), f"{ledger_id}\n", files.Access(0o600))


def refuse_other(directory: str, expected: str, found: str) -> None:
    """*found* is the identity of the database, empty where it has none."""
    if not expected or expected == found:
        return
    path = os.path.join(directory, FILE)
    what = f"it is ledger {found}" if found else "it is empty"
    raise RolloutError(
        f"{path}: {os.path.join(directory, IDENTITY)} says that ledger {expected} is kept here, but {what}. Restore it "
        "from a backup. If there is none, make sure that no rollout is running and no host is drained, then remove "
        f"{IDENTITY} to begin a new history."
    )
