# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""HAProxy's server state file, which makes drains survive a reload.

A stale file brings old drains back, so it is rewritten after every change, in both directions.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import files
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import state as haproxy_state
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

# A server's line has less than 400 bytes.
MOST_BYTES = 64 * 1024 * 1024
# HAProxy reads the file before it gives up root's rights.
USUAL = files.Access(0o644)


class StateFile:
    """The file that 'server-state-file' names."""

    def __init__(self, path: str) -> None:
        self.path = path

    def own_states(self, pool: str) -> dict[str, str]:
        """What the file would bring back, by member; nothing where there is no file or it cannot be read as one."""
        try:
            rows = haproxy_state.state_rows(files.read(self.path, MOST_BYTES).decode("utf-8"))
        except (FileNotFoundError, UnicodeDecodeError, haproxy_state.BadReply):
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
            with files.locked(f"{self.path}.lock", self.path):
                files.replace(self.path, read_state() + "\n", self._access())
        except OSError as error:
            raise self._error(error) from error

    def _access(self) -> files.Access:
        try:
            return files.access_of(self.path)
        except FileNotFoundError:
            return USUAL

    def _error(self, error: OSError) -> RolloutError:
        return RolloutError(
            f"{self.path}: cannot keep HAProxy's server state: {error.strerror or error}. The change itself is made; "
            "a reload would lose it. Make balancer.state_file writable for this user, then run again."
        )
