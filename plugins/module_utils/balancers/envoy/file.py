# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A file that Envoy reads again whenever another one is renamed onto it.

Envoy takes or rejects what it finds there without an answer to the writer; the statistics of the subscription show it.
"""

from __future__ import annotations

import os
import re
import typing as t
import urllib.parse
import uuid

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.owned_file import OwnedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.admin import Admin, Statistics, statistics
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

# Seconds between reads of the outcome: Envoy sees a rename within milliseconds.
PAUSE = 0.004
OUTCOMES = ("update_success", "update_rejected", "update_failure", "update_no_rebuild", "version_text")
DELIVERIES = ("cluster_manager.cluster_updated",)


class Mark(t.NamedTuple):
    """The subscription at one moment, by the beginning of its statistics' names."""

    figures: Statistics

    def rejected_since(self, before: Mark) -> bool:
        """Whether a file was refused; a restart in between begins to count from 0."""
        return any(
            value and value != before.figures.get(name, 0)
            for name, value in self.figures.items()
            if name.endswith(("update_rejected", "update_failure"))
        )

    def shows(self, version: str) -> bool:
        return any(value == version for name, value in self.figures.items() if name.endswith("version_text"))

    def delivered_since(self, before: Mark) -> bool:
        """Whether the threads that balance have it already: sent on at once, or there was nothing to send."""
        return any(
            self.figures.get(name, 0) != before.figures.get(name, 0)
            for name in self.figures
            if name.endswith("update_no_rebuild") or name in DELIVERIES
        )


class Subscription:
    """What the statistics say of the one file; *prefix* is a regular expression for how their names begin."""

    def __init__(self, admin: Admin, prefix: str) -> None:
        pattern = rf"^({prefix}\.({'|'.join(OUTCOMES)})|{'|'.join(map(re.escape, DELIVERIES))})$"
        self._admin = admin
        self._path = f"/stats?format=json&filter={urllib.parse.quote(pattern)}"

    def now(self) -> Mark:
        (answer,) = self._admin.ask([self._path])
        return Mark(statistics(answer))


class WatchedFile(OwnedFile):
    """The file itself, under the very name that Envoy watches."""

    def __init__(self, path: str, where: str, option: str) -> None:
        super().__init__(path, where, option)
        self._given = path

    def require_writable(self) -> None:
        if os.path.islink(self._given):
            raise RolloutError(
                f"{self._where}: {self._given} is a symbolic link, and Envoy would not see a change of the file behind "
                f"it. Let Envoy and {self.option} name the file itself."
            )
        super().require_writable()


class Publisher:
    """Replaces a file and finds out whether Envoy took it. *timeout* in seconds."""

    def __init__(self, file: WatchedFile, subscription: Subscription, where: str, timeout: float, clock: Clock) -> None:
        self._file = file
        self._subscription = subscription
        self._where = where
        self._timeout = timeout
        self._clock = clock

    def publish(self, render: t.Callable[[str], str]) -> bool:
        """Writes what *render* makes of a new version; call it with the file locked.

        Returns whether the change has reached the threads that balance. Raises RolloutError where Envoy rejects
        the file or does not read it; what was there before is then put back.
        """
        old = self._file.read()
        version = f"steady.rollout {uuid.uuid4().hex[:12]}"
        before = self._subscription.now()
        self._file.replace(render(version))
        try:
            return self._await(before, version)
        except RolloutError:
            self._file.replace(old)
            raise

    def _await(self, before: Mark, version: str) -> bool:
        deadline = self._clock.now() + self._timeout
        while True:
            seen, silent = self._read()
            if seen and seen.shows(version):
                return seen.delivered_since(before)
            if seen and seen.rejected_since(before):
                raise RolloutError(
                    f"{self._where}: Envoy rejected the new {self._file.path}; the old one is restored. "
                    "Its log says why, in a line with 'rejected' or 'failure'."
                )
            if self._clock.now() >= deadline:
                raise silent or self._unread()
            self._clock.sleep(PAUSE)

    def _read(self) -> tuple[Mark | None, Unreachable | None]:
        """A process that is just being restarted is asked again."""
        try:
            return self._subscription.now(), None
        except Unreachable as error:
            return None, error

    def _unread(self) -> RolloutError:
        return RolloutError(
            f"{self._where}: Envoy did not load the new {self._file.path} within {self._timeout:g} s; the old one is "
            "restored. Is this the file that its configuration names, and does its 'stats_config', if any, keep "
            "update_success and version_text?"
        )
