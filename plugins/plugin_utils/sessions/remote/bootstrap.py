# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller sends to the interpreter at the other end of a session: gets the runner going.

The runner is the collection's own code, byte-compiled and kept in one file under a private directory, so that a
session starts in milliseconds. Whatever is not there or not intact is asked for. This file is sent as text with
every session and imports nothing but the standard library of Python 3.8.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import importlib
import importlib.machinery
import json
import marshal
import os
import re
import stat
import sys
import time
import types
import typing as t
import zlib

Modules = t.Dict[str, t.Tuple[bool, bytes]]

KEEP = 2
"""Runners that stay: the one in use, and that of the version before or after it."""
LOCK_LIMIT = 30.0
"""Seconds to wait for another session that is just unpacking."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO)
NAME = re.compile(r"[0-9a-f]{64}\.[a-z0-9-]+\Z")


class NotPrivate(Exception):
    """There is no directory that nobody else can write to."""


class Kept:
    """The runner's file: the SHA-256 of what follows, a newline, and a marshalled {module: (is a package, code)}."""

    def __init__(self, directory: str, digest: str) -> None:
        self.directory = directory
        self.path = os.path.join(directory, f"{digest}.{sys.implementation.cache_tag}")

    def load(self) -> Modules | None:
        """The modules, or None where the file is not there, is not ours alone or is not intact."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        with open(handle, "rb") as stream:
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
                return None
            digest, _newline, content = stream.read().partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() != digest:
            return None
        modules: Modules = marshal.loads(content)
        return modules

    def save(self, modules: Modules) -> None:
        content = marshal.dumps(modules)
        draft = os.path.join(self.directory, f".{os.urandom(8).hex()}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with open(handle, "wb") as stream:
                stream.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
            os.rename(draft, self.path)
        except OSError:
            os.unlink(draft)
            raise
        self.remove_old()

    def remove_old(self) -> None:
        """A process that runs has its code in memory, so nobody misses what is removed."""
        entries = [(entry.stat(follow_symlinks=False).st_mtime, entry) for entry in os.scandir(self.directory)]
        runners = sorted((item for item in entries if NAME.match(item[1].name)), key=lambda item: item[0])
        for _changed_at, entry in runners[:-KEEP]:
            os.unlink(entry.path)


def state_directory() -> str:
    """As claims.state_directory has it; that cannot be imported yet."""
    if os.geteuid() == 0:
        return "/var/lib/steady-rollout"
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(home, "steady-rollout")


def private_directory() -> str:
    """Makes the runner's directory; raises NotPrivate where somebody else can write to it."""
    top = state_directory()
    if not os.path.isabs(top):
        raise NotPrivate(f"{top} is not an absolute path: the user has no home directory")
    runner = os.path.join(top, "runner")
    try:
        for path in (top, runner):
            os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        if error.errno in FULL:
            raise
        raise NotPrivate(f"{runner} cannot be made: {error.strerror}") from None
    for path, forbidden in ((top, 0o022), (runner, 0o077)):
        about = os.lstat(path)
        if not stat.S_ISDIR(about.st_mode):
            raise NotPrivate(f"{path} is not a directory")
        if about.st_uid != os.geteuid():
            raise NotPrivate(f"{path} belongs to uid {about.st_uid} and not to uid {os.geteuid()}")
        if about.st_mode & forbidden:
            raise NotPrivate(f"{path} has mode {stat.S_IMODE(about.st_mode):04o}: others may use it")
    return runner


class Finder:
    """Imports the runner's modules out of memory.

    A finder and a loader by their methods alone: importing importlib.abc would cost every session a tenth of its start.
    """

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def]
        if name not in self._modules:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=self._modules[name][0])  # type: ignore[arg-type]

    def create_module(self, spec):  # type: ignore[no-untyped-def]
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        exec(marshal.loads(self._modules[module.__name__][1]), module.__dict__)


class Channel:
    """Standard input and output of the session, out of reach of whatever the cores run or print."""

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce
        self.incoming, self.outgoing = os.dup(0), os.dup(1)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(2, 1)
        os.close(null)

    def say(self, **words: object) -> None:
        line = json.dumps({"steady": self._nonce, **words}).encode() + b"\n"
        while line:
            line = line[os.write(self.outgoing, line) :]

    def read(self, size: int) -> bytes:
        content = b""
        while len(content) < size:
            chunk = os.read(self.incoming, min(65536, size - len(content)))
            if not chunk:
                sys.exit(0)
            content += chunk
        return content


class Runner:
    """Gets the modules from where they are kept, or from the controller."""

    def __init__(self, channel: Channel, digest: str, size: int) -> None:
        self._channel = channel
        self._digest = digest
        self._size = size
        self.why_not_kept = ""

    def modules(self) -> Modules:
        try:
            kept = Kept(private_directory(), self._digest)
        except OSError as error:
            return self._in_memory(error)
        modules = kept.load()
        if modules is not None:
            return modules
        try:
            lock = self._locked(kept.directory)
        except OSError as error:
            return self._in_memory(error)
        with open(lock, "wb"):
            modules = kept.load()
            if modules is None:
                modules = self._received()
                try:
                    kept.save(modules)
                except OSError as error:
                    self.why_not_kept = error.strerror or str(error)
        return modules

    def _in_memory(self, error: OSError) -> Modules:
        self.why_not_kept = error.strerror or str(error)
        return self._received()

    def _received(self) -> Modules:
        self._channel.say(state="need")
        content = self._channel.read(self._size)
        if hashlib.sha256(content).hexdigest() != self._digest:
            self._channel.say(state="cannot", why="the runner did not arrive as it was sent")
            sys.exit(0)
        sources = json.loads(zlib.decompress(content).decode())
        return {name: (package, compiled(name, text)) for name, (package, text) in sources.items()}

    def _locked(self, directory: str) -> int:
        """One session unpacks, the others wait for it; after a while each helps itself."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(os.path.join(directory, ".lock"), flags, 0o600)
        deadline = time.monotonic() + LOCK_LIMIT
        while time.monotonic() < deadline:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.02)
        return handle


def compiled(name: str, text: str) -> bytes:
    return marshal.dumps(compile(text, f"<{name}>", "exec", dont_inherit=True))


def main(nonce: str, digest: str, size: int, serve: str) -> None:
    channel = Channel(nonce)
    runner = Runner(channel, digest, size)
    try:
        modules = runner.modules()
    except NotPrivate as error:
        channel.say(state="cannot", why=f"there is no private directory for the runner: {error}")
        return
    sys.meta_path.insert(0, Finder(modules))
    service = importlib.import_module(serve)
    channel.say(state="ready", why_not_kept=runner.why_not_kept)
    service.main(channel.incoming, channel.outgoing)
