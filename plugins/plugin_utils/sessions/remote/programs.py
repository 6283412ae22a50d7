# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that cores run, and which of them are running: they end with the process that runs the cores.

A service that a program has left behind when it ended is not among them. Python 3.8 and its standard library.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

if t.TYPE_CHECKING:
    import subprocess

LARGEST_OUTPUT = 8 * 1024 * 1024
"""Bytes of a program's output, its end."""


class Programs:
    """With *apart* each has a session of its own, so that all it has started can be found: ``timeout`` makes a group."""

    def __init__(self, apart: bool = False) -> None:
        self.apart = apart
        self._turn = threading.Lock()
        self._running: t.Set[int] = set()
        self._refuses = False

    def run(self, argv: t.List[str], **options: t.Any) -> t.Tuple[int, str, str]:
        """AnsibleModule.run_command as far as the cores use it: argv, data, cwd, environ_update, handle_exceptions.

        The output goes to files: a service that a command leaves behind keeps them open, and nobody waits for that. Only
        the end of long outputs is read.
        """
        # Late: a session with a load balancer runs no program, and the imports are a fifth of its start.
        import subprocess
        import tempfile

        data = options.get("data")
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            try:
                process = self._started(
                    argv,
                    stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
                    cwd=options.get("cwd"),
                    env={**os.environ, **options.get("environ_update", {})},
                    stdout=stdout,
                    stderr=stderr,
                )
            except OSError as error:
                if not options.get("handle_exceptions", True):
                    raise
                raise RolloutError(f"{argv[0]} cannot be run: {error.strerror}.") from error
            process.communicate(None if data is None else data.encode())
            with self._turn:
                self._running.discard(process.pid)
            return process.returncode, _end_of(stdout), _end_of(stderr)

    def _started(self, argv: t.List[str], **options: t.Any) -> subprocess.Popen[bytes]:
        import subprocess

        with self._turn:
            if self._refuses:
                raise RolloutError(f"The connection to the controller has ended; {argv[0]} is not started.")
            process = subprocess.Popen(argv, start_new_session=self.apart, **options)
            self._running.add(process.pid)
        return process

    def end(self, limit: float, proc: str = "/proc") -> None:
        """Starts no more, and ends those that are running within *limit* seconds."""
        with self._turn:
            self._refuses = True
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            with self._turn:
                running = {str(pid) for pid in self._running}
            left = members(running, proc)
            if not left:
                return
            for pid in left:
                with contextlib.suppress(OSError):  # It has ended, or is another user's.
                    os.kill(pid, signal.SIGTERM)
            time.sleep(0.02)


def members(sessions: t.Set[str], proc: str = "/proc") -> t.List[int]:
    """The processes of these sessions."""
    if not sessions or not os.path.isdir(proc):
        return []
    return [int(name) for name in os.listdir(proc) if name.isdigit() and _session_of(f"{proc}/{name}/stat") in sessions]


def _session_of(path: str) -> str:
    """From a process's stat file; empty where it has ended, also where nobody has taken note of that yet."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[3]
    except (OSError, IndexError):
        return ""


def _end_of(stream: t.IO[bytes]) -> str:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - LARGEST_OUTPUT))
    return stream.read().decode("utf-8", "replace")


PROGRAMS = Programs()
"""Those of this process."""
run_command = PROGRAMS.run
