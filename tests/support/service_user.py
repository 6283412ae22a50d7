# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that refuse to run as root: their own user runs them and has their files."""

from __future__ import annotations

import os
import pathlib
import pwd

AS_ROOT = os.geteuid() == 0


def own(directory: pathlib.Path, user: str) -> None:
    if AS_ROOT:
        found = pwd.getpwnam(user)
        os.chown(directory, found.pw_uid, found.pw_gid)


def as_user(user: str) -> list[str]:
    """What stands before a command that this user is to run."""
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if AS_ROOT else []
