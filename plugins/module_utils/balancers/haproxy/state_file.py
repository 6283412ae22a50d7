# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""HAProxy's server state file, which makes drains survive a reload.

A stale file brings old drains back, so it is rewritten after every change, in both directions.
"""

from __future__ import annotations

import fcntl
import os
import stat
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import state as haproxy_state
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError


class StateFile:
    """The file that 'server-state-file' names."""

    def __init__(self, path: str) -> None:
        self.path = path

    def own_states(self, pool: str) -> dict[str, str]:
        """What the file would bring back, by member; nothing where there is no file or it cannot be read as one."""
        try:
            with open(self.path, encoding="utf-8") as stream:
                rows = haproxy_state.state_rows(stream.read())
        except (FileNotFoundError, haproxy_state.BadReply):
            return {}
        except OSError as error:
            raise self._error(error) from error
        return {
            row["srv_name"]: haproxy_state.own_state(int(row["srv_admin_state"]))
            for row in rows
            if row["be_name"] == pool
        }

    def rewrite(self, read_state: t.Callable[[], str]) -> None:
        """Replaces the file by what *read_state* returns.

        The state is read under a lock, so that of two writers the later one has seen both changes.
        """
        try:
            with open(f"{self.path}.lock", "a", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._replace(read_state() + "\n")
        except OSError as error:
            raise self._error(error) from error

    def _replace(self, text: str) -> None:
        draft = f"{self.path}.new"
        with open(draft, "w", encoding="utf-8") as stream:
            _same_access(self.path, stream.fileno())
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, self.path)

    def _error(self, error: OSError) -> RolloutError:
        return RolloutError(
            f"{self.path}: cannot keep HAProxy's server state: {error.strerror or error}. The change itself is made; "
            "a reload would lose it. Make balancer.state_file writable for this user, then run again."
        )


def _same_access(path: str, descriptor: int) -> None:
    """Gives the new file the mode of the old one, and its owner where we may."""
    try:
        old = os.stat(path)
    except FileNotFoundError:
        os.fchmod(descriptor, 0o644)
        return
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
    try:
        os.fchown(descriptor, old.st_uid, old.st_gid)
    except PermissionError:
        pass
