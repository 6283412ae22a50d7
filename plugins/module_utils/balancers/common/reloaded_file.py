# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A part of a server's configuration: edited, checked by the server itself, and read by it; put back where that fails."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.owned_file import OwnedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError


class Server(t.Protocol):
    """A server that reads its configuration on a reload command."""

    def check(self, file: OwnedFile) -> None:
        """Raises RolloutError unless it takes the configuration on disk and *file* is a part of it."""

    def require_rights(self) -> None:
        """Raises RolloutError unless this user may have it read; changes nothing."""

    def has_read(self, modified: float) -> bool:
        """Whether all that takes new connections began after a file was last changed."""

    def reload(self) -> None:
        """Returns once only processes with the configuration on disk take new connections; raises RolloutError."""

    def ask_to_reload(self) -> None:
        """Asks only; what comes of it is not waited for."""


class ReloadedFile:
    """The file and who reads it."""

    def __init__(self, file: OwnedFile, server: Server) -> None:
        self.file = file
        self._server = server

    def is_read(self) -> bool:
        """False where it was written and not read: by a call that died, or by hand."""
        return self._server.has_read(self.file.modified())

    def require_admin(self) -> None:
        """Raises RolloutError unless it may be edited and is read by the server; changes nothing."""
        self.file.require_writable()
        self._server.require_rights()
        self._server.check(self.file)

    def edit(self, change: t.Callable[[str], str]) -> None:
        """Brings what *change* makes of the text into force."""
        with self.file.locked():
            before, modified = self.file.read(), self.file.modified()
            self.file.replace(change(before))
            try:
                self._server.check(self.file)
            except RolloutError as error:
                self.file.replace(before, modified)
                raise self._put_back(error) from error
            try:
                self._server.reload()
            except Unreachable:
                raise
            except RolloutError as error:
                self.file.replace(before, modified)
                self._server.ask_to_reload()
                raise self._put_back(error) from error

    def _put_back(self, error: RolloutError) -> RolloutError:
        return RolloutError(f"{error.message} {self.file.path} is restored.")
