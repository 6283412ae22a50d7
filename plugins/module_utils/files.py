# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Files written as root in directories that other users may write to.

No name can be foreseen and no link is followed, so that whoever owns the directory cannot redirect a write. Locks
have a deadline and name their holder.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import locks, turns
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

# Seconds that a change of another process may take before a lock is given up.
LOCK_TIMEOUT = 60.0
LOCK_POLL = 0.02
NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY | os.O_CLOEXEC


class Access(t.NamedTuple):
    """Mode and owner of a file; an owner of -1 stays that of this process."""

    mode: int
    uid: int = -1
    gid: int = -1


def replace(path: str, text: str, access: Access, modified: float | None = None) -> None:
    """Replaces a file at one instant and on disk; *modified* sets its time. Raises OSError."""
    replace_bytes(path, text.encode("utf-8"), access, modified)


def replace_bytes(path: str, content: bytes, access: Access, modified: float | None = None) -> None:
    """As replace."""
    directory, name = os.path.split(os.path.abspath(path))
    with _opened_directory(directory) as place:
        draft = f".{name}.{os.urandom(16).hex()}"
        try:
            with open(os.open(draft, NEW_FILE, 0o600, dir_fd=place), "wb") as stream:
                stream.write(content)
                stream.flush()
                _set_access(stream.fileno(), access)
                if modified is not None:
                    os.utime(stream.fileno(), (modified, modified))
                os.fsync(stream.fileno())
            os.replace(draft, name, src_dir_fd=place, dst_dir_fd=place)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(draft, dir_fd=place)
            raise
        os.fsync(place)


def read(path: str, most: int, follow: bool = True) -> bytes:
    """The content of a regular file. Raises OSError, also where it has more than *most* bytes."""
    # Without O_NONBLOCK a named pipe in the file's place would block for ever.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    with open(os.open(path, flags), "rb") as stream:
        _require_regular(stream.fileno())
        content = stream.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes")
    return content


def access_of(path: str) -> Access:
    """Mode and owner of a regular file. Raises OSError, FileNotFoundError among them."""
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.ELOOP, "it is not a regular file")
    return Access(stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def trusted_target(path: str) -> str:
    """The file behind *path*. Only links of root's or of this user are followed. Raises OSError."""
    absolute = os.path.abspath(path)
    found = os.lstat(absolute) if os.path.islink(absolute) else None
    if found and found.st_uid not in (0, os.geteuid()):
        raise OSError(errno.ELOOP, f"it is a symbolic link made by uid {found.st_uid}")
    return os.path.realpath(absolute)


def private_directory(path: str, mode: int = 0o700) -> None:
    """Makes a directory for this user, or makes sure that nobody else can change what is in it."""
    if not os.path.lexists(path):
        os.makedirs(path, mode=mode, exist_ok=True)
        os.chmod(path, mode)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise RolloutError(f"{path}: is not a directory. Remove it, then run again.")
    if found.st_uid not in (0, os.geteuid()):
        raise RolloutError(
            f"{path}: belongs to uid {found.st_uid}, which could change what is in it; expected uid {os.geteuid()}. "
            "Find out who made it, then remove it."
        )
    if found.st_mode & stat.S_IWOTH:
        raise RolloutError(
            f"{path}: has mode {stat.S_IMODE(found.st_mode):04o}, so every user can change what is in it. "
            f"Check its files, then run chmod o-w {path}."
        )


@contextlib.contextmanager
def locked(
    path: str,
    what: str,
    timeout: float = LOCK_TIMEOUT,
    mode: int = 0o600,
    while_busy: t.Callable[[], None] = lambda: None,
) -> t.Iterator[None]:
    """Waits for its turn to change *what*, a name for messages. Raises RolloutError after *timeout* seconds.

    Those of other threads of this process that came before do not count. *while_busy* is called whenever another process is
    found to hold it.

    The lock ends with the process that holds it. Raises OSError where the lock's file cannot be opened.
    """
    with turns.turn(path, timeout) as is_ours:
        if not is_ours:
            raise still_busy(path, what, timeout, locks.holder_of(path))
        # Without O_NONBLOCK a named pipe in the lock's place would block for ever.
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
        try:
            _require_regular(handle)
            _close_to_others(handle, mode)
            _wait_for(handle, path, what, timeout, while_busy)
            yield
        finally:
            os.close(handle)


def _wait_for(handle: int, path: str, what: str, timeout: float, while_busy: t.Callable[[], None]) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise still_busy(path, what, timeout, locks.holder_of(path)) from None
        while_busy()
        time.sleep(LOCK_POLL)


def still_busy(path: str, what: str, waited: float, holder: locks.Holder | None) -> RolloutError:
    """After *waited* seconds in vain; *holder* is the process that changes *what*."""
    return RolloutError(
        f"{path}: another process has been changing {what} for more than {waited:g} s: {locks.shown(holder)}. Nothing was changed; "
        "wait for that process or end it, then run again."
    )


def _require_regular(handle: int) -> None:
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")


def _close_to_others(handle: int, mode: int) -> None:
    found = os.fstat(handle)
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != mode:
        # Whoever may open a lock's file may hold the lock.
        os.fchmod(handle, mode)


@contextlib.contextmanager
def _opened_directory(path: str) -> t.Iterator[int]:
    place = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield place
    finally:
        os.close(place)


def _set_access(handle: int, access: Access) -> None:
    """The owner where this process may set it; the mode after it, since a change of the owner clears bits."""
    with contextlib.suppress(PermissionError):
        os.fchown(handle, access.uid, access.gid)
    os.fchmod(handle, access.mode)
