# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Header routes and the maintenance page of a balancer type that has them in a file which its server reloads."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.reloaded_file import ReloadedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import quoted
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Page, Pages, Routes, Shown
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

OURS = "# Written by steady.rollout: "


class ReloadedRoutes(Routes):
    """Routes of a pool. *targets* gives the names of all that requests can be sent to."""

    what: t.ClassVar[str]
    """What the server calls a target, for example: nginx has no upstream."""

    def __init__(self, pool: str, where: str, file: ReloadedFile, targets: t.Callable[[], list[str]]) -> None:
        self._pool = pool
        self._where = where
        self._file = file
        self._known = targets

    def resolve(self, target: str) -> str:
        known = self._known()
        if target not in known:
            server, dummy, kind = self.what.partition(" ")
            raise InputError(
                f"{self._where}: {server} has no {kind} '{target}'; its {kind}s are {quoted(known) or 'none'}."
            )
        return target

    def require_admin(self) -> None:
        self._file.require_admin()


class ReloadedPages(Pages):
    """The page of a pool, in a file that is ours alone."""

    longest = 65536

    def __init__(self, pool: str, where: str, file: ReloadedFile) -> None:
        self._pool = pool
        self._where = where
        self._file = file

    def read(self) -> Shown:
        return Shown(self._page(self._file.file.read()), self._file.is_read())

    def require_admin(self) -> None:
        self._file.require_admin()

    def _page(self, text: str) -> Page | None:
        """The page that the file's text shows; raises RolloutError where it is somebody else's."""
        raise NotImplementedError


def refuse_foreign(where: str, file: ReloadedFile, text: str) -> None:
    if text.strip() and not text.startswith(OURS):
        raise RolloutError(
            f"{where}: {file.file.path} was not written by steady.rollout: it begins with "
            f"'{text.strip().partition(chr(10))[0][:40]}'. Give {file.file.option} an empty file."
        )
