# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Directories held by descriptors: whatever a service's user links or renames meanwhile, root writes nowhere else."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durable
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
Dress = t.Callable[[int], None]
"""Gives a new directory, by its descriptor, its mode and owner."""


class NotAFolder(RolloutError):
    """A link or something else is where a directory has to be; *place* says where."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"{place} is a symbolic link, or something else that is not a directory. Move it away and run again."
        )
        self.place = place


@contextlib.contextmanager
def opened(path: str) -> t.Iterator[int]:
    """The descriptor of a directory; NotAFolder where it is a link."""
    handle = _open(path, None, path)
    try:
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def entered(top: str, parts: t.Sequence[str], dress: Dress) -> t.Iterator[int]:
    """The descriptor of the directory *parts* below *top*, made where missing; NotAFolder where one is a link."""
    shown = top
    handle = _open(top, None, shown)
    try:
        for part in parts:
            shown = os.path.join(shown, part)
            make(part, handle, dress)
            inner = _open(part, handle, shown)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def make(name: str, within: int, dress: Dress) -> None:
    """Makes a directory where nothing is."""
    try:
        os.mkdir(name, 0o700, dir_fd=within)
    except FileExistsError:
        return
    inner = _open(name, within, name)
    try:
        dress(inner)
    finally:
        os.close(inner)


def exists(name: str, within: int) -> bool:
    try:
        os.stat(name, dir_fd=within, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def is_link(name: str, within: int) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=within, follow_symlinks=False).st_mode)


def remove(name: str, within: int) -> None:
    """Removes a file or tree; through the descriptor, so that the way to it cannot be replaced."""
    durable.remove(f"/proc/self/fd/{within}/{name}")


def secure(path: str, owner: int) -> None:
    """Makes sure that nobody but root can replace what lies in a directory; a service's own one is taken from it.

    RolloutError where it belongs to somebody else.
    """
    with opened(path) as handle:
        found = os.fstat(handle)
        if found.st_uid not in (0, owner):
            raise RolloutError(_belongs(path, found.st_uid))
        if found.st_uid != 0:
            os.fchown(handle, 0, -1)
        if found.st_mode & WRITABLE_BY_OTHERS:
            os.fchmod(handle, stat.S_IMODE(found.st_mode) & ~WRITABLE_BY_OTHERS)


def refuse_untrusted(path: str) -> None:
    """RolloutError where somebody else than root could put another directory in the place of one above *path*."""
    for place in {*_above(path), *_above(os.path.realpath(path))}:
        found = os.lstat(place)
        if found.st_uid != 0:
            raise RolloutError(_belongs(place, found.st_uid))
        is_open = stat.S_ISDIR(found.st_mode) and found.st_mode & WRITABLE_BY_OTHERS
        if is_open and not found.st_mode & stat.S_ISVTX:
            raise RolloutError(
                f"{place} can be written by others (mode {stat.S_IMODE(found.st_mode):04o}), who could replace what root "
                "writes below it. Correct its mode, or run the task as the service's user (become_user)."
            )


def _above(path: str) -> t.Iterator[str]:
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        if os.path.lexists(path):
            yield path


def _belongs(place: str, uid: int) -> str:
    return (
        f"{place} belongs to uid {uid}, who could replace what root writes there. Give it to root (chown root {place}), "
        "or run the task as the service's user (become_user)."
    )


def _open(name: str, within: int | None, shown: str) -> int:
    try:
        return os.open(name, FLAGS, dir_fd=within)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise NotAFolder(shown) from None
        raise
