# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The running Apache: its processes, its own check of the configuration, and a graceful restart that is waited for.

After a graceful restart the old processes finish what they have begun. They close their listening sockets at once,
which distinguishes them from those that take new connections. The parent writes its process id again whenever it has read
its configuration, and only then starts new processes.
"""

from __future__ import annotations

import os
import re
import signal
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.linux_processes import (
    LISTENING,
    Proc,
    Process,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.owned_file import OwnedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

RunCommand = t.Callable[..., t.Tuple[int, str, str]]

PID_FILES = ("/run/apache2/apache2.pid", "/run/httpd/httpd.pid")
PROGRAMS = ("apache2", "httpd")
# Options of the command line that say which configuration it is.
CONFIGURING = ("-f", "-d", "-D", "-C", "-c")
LISTED = re.compile(r"^\s*\([\d*]+\) (.+)$", re.MULTILINE)
PAUSE = 0.01
# The kernel counts the start of a process in steps of 0.01 s, and files have the time of its last tick.
CLOCK_STEP = 0.02


class ApacheService:
    """The Apache whose parent's process id stands in *pid_file*. *timeout* in seconds bounds a graceful restart."""

    def __init__(
        self, where: str, pid_file: str | None, timeout: float, run_command: RunCommand, proc: Proc, clock: Clock
    ) -> None:
        self.where = where
        self._pid_files = (pid_file,) if pid_file else PID_FILES
        self._pid_file = ""
        self._timeout = timeout
        self._run_command = run_command
        self._proc = proc
        self._clock = clock

    def parent(self) -> Process:
        """Raises Unreachable where Apache does not run."""
        for path in self._pid_files:
            text = self._read(path)
            found = self._proc.process(int(text)) if text.isdigit() else None
            if found and os.path.basename(found.title.split(" ")[0]) in PROGRAMS:
                self._pid_file = path
                return found
        raise Unreachable(
            f"{self.where}: Apache is not running: {' and '.join(self._pid_files)} "
            f"{'names' if len(self._pid_files) == 1 else 'name'} no process of Apache. Start it, or correct "
            "balancer.pid_file."
        )

    def check(self, file: OwnedFile) -> None:
        """Raises RolloutError unless Apache takes the configuration on disk and *file* is a part of it."""
        parent = self.parent()
        program = self._proc.executable(parent.pid) or parent.title.split(" ")[0]
        argv = [program, *configured_by(self._proc.words(parent.pid)), "-t", "-D", "DUMP_INCLUDES"]
        # What apachectl sets for the configuration to refer to.
        variables = self._proc.environment(parent.pid)
        environment = {name: text for name, text in variables.items() if name.startswith("APACHE_")}
        code, stdout, stderr = self._run_command(argv, environ_update=environment)
        if code != 0:
            raise RolloutError(f"{self.where}: Apache refuses the configuration: {complaint(stderr)}")
        included = LISTED.findall(stdout)
        if included and file.path not in map(os.path.realpath, included):
            raise RolloutError(
                f"{self.where}: Apache does not read {file.path}: none of its {len(included)} configuration files includes "
                f"it. Correct {file.option}, or include the file in its <VirtualHost>."
            )

    def require_rights(self) -> None:
        try:
            os.kill(self.parent().pid, 0)
        except PermissionError as error:
            raise self._denied() from error

    def has_read(self, modified: float) -> bool:
        read = self._read_at()
        return read >= modified and self._taken_over(read)

    def reload(self) -> None:
        """A graceful restart: returns once only processes with the configuration on disk take new connections."""
        before = self._read_at()
        self._signal()
        deadline = self._clock.now() + self._timeout
        while not self._read_since(before):
            if self._clock.now() >= deadline:
                raise RolloutError(
                    f"{self.where}: Apache did not replace its processes within {self._timeout:g} s of a graceful restart. "
                    "Its error log says why; a longer balancer.timeout helps where its start takes longer."
                )
            self._clock.sleep(PAUSE)

    def ask_to_reload(self) -> None:
        self._signal()

    def _read_since(self, before: float) -> bool:
        read = self._read_at()
        return read > before and self._taken_over(read)

    def _read_at(self) -> float:
        """When the configuration was read, in seconds since the epoch."""
        self.parent()
        try:
            return os.stat(self._pid_file).st_mtime
        except OSError:
            return 0.0  # It is just being written.

    def _taken_over(self, read: float) -> bool:
        """Whether no process that was started before that takes new connections."""
        taking = self._taking()
        return bool(taking) and min(map(self._proc.started, taking)) >= read - CLOCK_STEP

    def _taking(self) -> list[Process]:
        """The processes that take new connections."""
        parent = self.parent()
        listening = {one.inode for one in self._proc.sockets(parent.pid) if one.state == LISTENING}
        try:
            return [one for one in self._proc.children(parent.pid) if self._proc.inodes(one.pid) & listening]
        except PermissionError as error:
            raise self._denied() from error

    def _signal(self) -> None:
        try:
            os.kill(self.parent().pid, signal.SIGUSR1)
        except PermissionError as error:
            raise self._denied() from error

    def _denied(self) -> RolloutError:
        return RolloutError(
            f"{self.where}: uid {os.geteuid()} may not restart Apache and read its processes. Use become."
        )

    def _read(self, path: str) -> str:
        try:
            with open(path, encoding="utf-8") as stream:
                return stream.read().strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise RolloutError(
                f"{self.where}: {path} cannot be read ({error.strerror}). Correct balancer.pid_file, or use become."
            ) from error


def configured_by(words: t.Sequence[str]) -> list[str]:
    """The words of a command line that say which configuration it is."""
    chosen: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        if word in CONFIGURING:
            chosen += [word, next(rest, "")]
        elif word.startswith(CONFIGURING):
            chosen.append(word)
    return chosen


def complaint(stderr: str) -> str:
    """The lines that say what is wrong."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    wrong = [line for line in lines if "AH00558" not in line and not line.startswith("The Apache error log")]
    return " ".join(wrong) or "no reason given"
