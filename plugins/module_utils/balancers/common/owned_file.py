# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A file of somebody else's configuration that we edit in place: one editor at a time, replaced at one instant."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import files
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

MOST_BYTES = 64 * 1024 * 1024


class OwnedFile:
    """The file at *path*; *where* and *option* are how messages call the node and the file.

    A symbolic link of root's or this user's stays one: the file behind it is edited.
    """

    def __init__(self, path: str, where: str, option: str) -> None:
        self.option = option
        self._where = where
        try:
            self.path = files.trusted_target(path)
        except OSError as error:
            raise RolloutError(
                f"{where}: {path} is not edited ({error.strerror}). Remove the link, or let {option} name the file itself."
            ) from error

    def read(self) -> str:
        try:
            return files.read(self.path, MOST_BYTES).decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise RolloutError(
                f"{self._where}: {self.path} cannot be read ({reason}). {self.option} is a file on the host where the "
                "module runs."
            ) from error

    def modified(self) -> float:
        """When it was last written, in seconds since the epoch."""
        try:
            return os.stat(self.path).st_mtime
        except OSError as error:
            raise self._error(error) from error

    def require_writable(self) -> None:
        """Raises RolloutError unless this user may replace the file; changes nothing."""
        self._refuse_another_owner()
        directory = os.path.dirname(self.path)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise RolloutError(
                f"{self._where}: uid {os.geteuid()} may not replace {self.path}, because the directory {directory} is not writable. "
                "Use become, or give this user the directory."
            )

    @contextlib.contextmanager
    def locked(self) -> t.Iterator[None]:
        """Waits for its turn among those that edit the file."""
        self.require_writable()
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(files.locked(self.beside("lock"), self.path))
            except OSError as error:
                raise self._error(error) from error
            yield

    def replace(self, text: str, modified: float | None = None) -> None:
        """Puts a new file in its place with the same access; *modified* gives it back the time of an older one."""
        try:
            files.replace(self.path, text, files.access_of(self.path), modified)
        except OSError as error:
            raise self._error(error) from error

    def beside(self, kind: str) -> str:
        """A name that no pattern for whole directories takes in, such as 'include sites-enabled/*'."""
        directory, name = os.path.split(self.path)
        return os.path.join(directory, f".{name}.{kind}")

    def write_beside(self, kind: str, text: str) -> None:
        """A file that belongs to this one, for everybody to read."""
        try:
            files.replace(self.beside(kind), text, files.Access(0o644))
        except OSError as error:
            raise self._error(error) from error

    def clear_beside(self, prefix: str, keep: int) -> None:
        """Removes files written beside this one, but for the newest ones."""
        directory, beginning = os.path.split(self.beside(prefix))
        found = [os.path.join(directory, name) for name in os.listdir(directory) if name.startswith(beginning)]
        for path in sorted(found, key=lambda path: os.lstat(path).st_mtime, reverse=True)[keep:]:
            os.unlink(path)

    def _refuse_another_owner(self) -> None:
        """The new file is to belong to whom the old one belongs, and only root can give it away."""
        owner = os.stat(self.path).st_uid if os.path.exists(self.path) else os.geteuid()
        if os.geteuid() not in (0, owner):
            raise RolloutError(
                f"{self._where}: uid {os.geteuid()} may not replace {self.path}, which belongs to uid {owner}. "
                f"Use become, or correct {self.option}."
            )

    def _error(self, error: OSError) -> RolloutError:
        return RolloutError(
            f"{self._where}: {self.path} cannot be replaced ({error.strerror or error}); it is unchanged. "
            f"Make it and its directory writable for this user, or correct {self.option}."
        )
