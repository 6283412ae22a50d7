# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard streams of a session's process on the controller."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import threading
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import protocol

TAIL = 4096
"""Bytes of standard error that are kept for a message."""
PATIENCE = 2.0
"""Seconds that an ending process is given."""


class Closed(Exception):
    """The process has ended or let go of its streams."""

    def __init__(self, code: int | None, said: str) -> None:
        super().__init__(said)
        self.code = code
        self.said = said
        """The end of its standard error."""


class Pipes:
    """One reader at a time; writers may be several."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.rest = b""
        """What was read of standard output and is not a whole line yet."""
        self._errors = b""
        self._writing = threading.Lock()
        self._selector = selectors.DefaultSelector()
        for stream in (process.stdout, process.stderr):
            self._selector.register(t.cast(t.IO[bytes], stream), selectors.EVENT_READ)

    def read(self, seconds: float) -> tuple[bytes, bytes]:
        """What has come on standard output and standard error; both empty after *seconds*."""
        found = {self.process.stdout: b"", self.process.stderr: b""}
        for key, _events in self._selector.select(seconds):
            stream = t.cast(t.IO[bytes], key.fileobj)
            found[stream] = os.read(stream.fileno(), 65536)
            if stream is self.process.stderr:
                self._errors = (self._errors + found[stream])[-TAIL:]
            if not found[stream]:
                self._selector.unregister(stream)
                if stream is self.process.stdout:
                    raise self.closed()
        return found[self.process.stdout], found[self.process.stderr]

    def lines(self, seconds: float) -> list[bytes]:
        lines, self.rest = protocol.split_lines(self.rest + self.read(seconds)[0])
        return lines

    def write(self, data: bytes, wait: bool = True) -> bool:
        """Writes all of *data*; False where somebody else is writing and *wait* is not set."""
        if not self._writing.acquire(blocking=wait):
            return False
        try:
            stream = t.cast(t.IO[bytes], self.process.stdin)
            stream.write(data)
            stream.flush()
        except (OSError, ValueError):
            raise self.closed() from None
        finally:
            self._writing.release()
        return True

    def closed(self) -> Closed:
        """What is known of a process whose end has come."""
        try:
            code: int | None = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            code = None
        stderr = t.cast(t.IO[bytes], self.process.stderr)
        if stderr in self._selector.get_map() and self._selector.select(0):
            self._errors = (self._errors + os.read(stderr.fileno(), 65536))[-TAIL:]
        return Closed(code, " ".join(self._errors.decode("utf-8", "replace").split()))

    def hang_up(self, patience: float = PATIENCE) -> bool:
        """Ends the input, which ends the other end, and after *patience* seconds the process; says whether it has ended.

        One that runs as another user on this machine cannot be killed; it ends by itself when its change is over.
        """
        if self._writing.acquire(timeout=patience):
            with contextlib.suppress(OSError):  # What was not written yet has nobody left to read it.
                t.cast(t.IO[bytes], self.process.stdin).close()
            self._writing.release()
        if not self._has_ended(patience):
            with contextlib.suppress(PermissionError):
                self.process.kill()
        return self._has_ended(patience)

    def _has_ended(self, seconds: float) -> bool:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        self.process.kill()

    def close(self) -> None:
        """After ``hang_up``, and when nobody reads any more."""
        self._selector.close()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                t.cast(t.IO[bytes], stream).close()
