# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The running nginx: its processes, its own check of the configuration, and a reload that is waited for.

A reload starts new workers at once and stops the old ones 0.1 s later; until then both take requests.
Workers that leave serve what they have, by the configuration that they started with.
"""

from __future__ import annotations

import os
import re
import signal
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.linux_processes import Proc, Process
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.owned_file import OwnedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

RunCommand = t.Callable[..., t.Tuple[int, str, str]]

MASTER, WORKER, LEAVING = "nginx: master process", "nginx: worker process", "is shutting down"
PAUSE = 0.005
# The kernel counts the start of a process in steps of 0.01 s, and files have the time of its last tick.
CLOCK_STEP = 0.02


class Workers(t.NamedTuple):
    """The master's workers at one moment."""

    active: list[Process]
    leaving: list[Process]


class Nginx:
    """The nginx whose master's process id stands in *pid_file*. *timeout* in seconds bounds a reload."""

    def __init__(
        self, where: str, pid_file: str, timeout: float, run_command: RunCommand, proc: Proc, clock: Clock
    ) -> None:
        self.where = where
        self._pid_file = pid_file
        self._timeout = timeout
        self._run_command = run_command
        self._proc = proc
        self._clock = clock

    def master(self) -> Process:
        """Raises Unreachable where nginx does not run."""
        try:
            with open(self._pid_file, encoding="utf-8") as stream:
                text = stream.read().strip()
        except FileNotFoundError:
            text = ""
        except OSError as error:
            raise RolloutError(
                f"{self.where}: {self._pid_file} cannot be read ({error.strerror}). Correct balancer.pid_file."
            ) from error
        found = self._proc.process(int(text)) if text.isdigit() else None
        if found is None or not found.title.startswith(MASTER):
            raise Unreachable(
                f"{self.where}: nginx is not running: {self._pid_file} names no master process of nginx. "
                "Start it, or correct balancer.pid_file."
            )
        return found

    def workers(self) -> Workers:
        titled = [child for child in self._proc.children(self.master().pid) if child.title.startswith(WORKER)]
        leaving = [child for child in titled if LEAVING in child.title]
        return Workers([child for child in titled if child not in leaving], leaving)

    def has_read(self, modified: float) -> bool:
        """Whether all workers that take new connections started after a file was last changed."""
        active = self.workers().active
        return bool(active) and min(map(self._proc.started, active)) >= modified - CLOCK_STEP

    def version(self) -> str:
        dummy, stdout, stderr = self._run_command([self._program(self.master()), "-v"])
        match = re.search(r"nginx/(\S+)", stdout + stderr)
        return match.group(1) if match else ""

    def check(self, file: OwnedFile) -> None:
        """Raises RolloutError unless nginx takes the configuration on disk and *file* is a part of it."""
        included = re.findall(r"^# configuration file (.+):$", self.configuration(), re.MULTILINE)
        if file.path not in map(os.path.realpath, included):
            raise RolloutError(
                f"{self.where}: nginx does not read {file.path}: none of its {len(included)} configuration files includes "
                f"it. Correct {file.option}, or include the file in nginx.conf."
            )

    def configuration(self) -> str:
        """All files of the configuration on disk; raises RolloutError where nginx does not take it."""
        master = self.master()
        code, stdout, stderr = self._run_command([self._program(master), *started_with(master.title), "-T"])
        if code != 0:
            raise RolloutError(f"{self.where}: nginx -t refuses the configuration: {complaint(stderr)}")
        return stdout

    def require_rights(self) -> None:
        """Raises RolloutError unless this user may reload nginx and see its connections; changes nothing."""
        try:
            os.kill(self.master().pid, 0)
            for worker in self.workers().active:
                self._proc.inodes(worker.pid)
        except PermissionError as error:
            raise RolloutError(
                f"{self.where}: uid {os.geteuid()} may not reload nginx and read its connections. Use become."
            ) from error

    def reload(self) -> None:
        """Returns once only workers with the configuration on disk take new connections; raises RolloutError."""
        before = {(worker.pid, worker.ticks) for worker in self.workers().active}
        self._signal()
        deadline = self._clock.now() + self._timeout
        while not self._replaced(before):
            if self._clock.now() >= deadline:
                raise RolloutError(
                    f"{self.where}: nginx did not replace its workers within {self._timeout:g} s of a reload. "
                    "Its error log says why; a longer balancer.timeout helps where its start takes longer."
                )
            self._clock.sleep(PAUSE)

    def ask_to_reload(self) -> None:
        """Asks only; what comes of it is not waited for."""
        self._signal()

    def _replaced(self, before: set[tuple[int, int]]) -> bool:
        active = {(worker.pid, worker.ticks) for worker in self.workers().active}
        return bool(active) and not active & before

    def _signal(self) -> None:
        try:
            os.kill(self.master().pid, signal.SIGHUP)
        except PermissionError as error:
            raise RolloutError(f"{self.where}: uid {os.geteuid()} may not reload nginx. Use become.") from error

    def _program(self, master: Process) -> str:
        return self._proc.executable(master.pid) or "nginx"


def started_with(title: str) -> list[str]:
    """The options of the master's command line that say where its configuration is, from its title."""
    options = re.findall(r" (-[cpg]) (.+?)(?= -[a-zA-Z] |$)", title)
    return [word for option in options for word in option]


def complaint(stderr: str) -> str:
    """The line of 'nginx -t' that says what is wrong."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    wrong = [line for line in lines if "[emerg]" in line or "[crit]" in line] or lines[-1:]
    return re.sub(r"^.*?\[[a-z]+\] (\d+#\d+: )?", "", wrong[0]) if wrong else "no reason given"
