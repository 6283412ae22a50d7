# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the collection's playbooks against the lab, as an operator at a terminal does."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import typing as t

from fleet.lab.hosts import Lab
from fleet.lab.places import REPOSITORY
from fleet.world.silence import Listener

QUICK: dict[str, t.Any] = {
    "rollout_max_unavailable": 2,
    "rollout_min_available": "60%",
    "rollout_min_healthy_time": 1.5,
    "rollout_health_interval": 0.3,
    "rollout_healthy_deadline": 15,
    "rollout_progress_deadline": 60,
    "rollout_drain_timeout": 30,
    "rollout_restore_timeout": 20,
    "rollout_step_timeout": 60,
}
"""Short times, for hosts that are ready within a second."""
DEADLINE = 240.0
COMPLAINT = re.compile(r"\[(?:DEPRECATION )?WARNING\]|Traceback \(most recent call last\)")
"""What no operator should ever have to read."""
FORECAST = re.compile(r"\[WARNING\]: (?:step|stage) \d+ \(")
"""What the plan warns of: a gate that detects nothing, as tests have on purpose that cannot bake for minutes."""
LOGGED = "| "
"""Before each line of a service's own journal."""
SILENCE_LIMIT = 20.0
"""Seconds that a run may print nothing; tests/unit/fleet/test_world_silence.py names the tests in which it may be longer."""
OVERLOADED = 4.0
"""The load of one processor from which on the controller itself takes too long for that limit: twice as much is allowed."""


@dataclasses.dataclass(frozen=True)
class Ended:
    """What the operator sees of a run that is over."""

    exit_code: int
    output: str
    longest_silence: float
    """Seconds in which nothing was printed, from the start to the end."""

    @property
    def complaints(self) -> list[str]:
        """Warnings and tracebacks of Ansible's. What a service logged is its own affair."""
        lines = [line.strip() for line in self.output.splitlines()]
        ours = [line for line in lines if not line.startswith(LOGGED) and not FORECAST.match(line)]
        return [line for line in ours if COMPLAINT.search(line)]

    @property
    def last_line(self) -> str:
        lines = [line for line in self.output.splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def said(self, text: str) -> bool:
        return text in " ".join(self.output.split())


class Run:
    """One playbook under way, in a session of its own, as a terminal gives it."""

    def __init__(
        self,
        lab: Lab,
        playbook: str,
        words: t.Sequence[str],
        settings: t.Mapping[str, t.Any],
        within: t.Sequence[str] = (),
    ) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  open as long as the run
        argv = [*lab.inside(), *within, _program("ansible-playbook"), os.path.join("playbooks", f"{playbook}.yml")]
        argv += ["-i", str(lab.inventory)]
        argv += ["-e", json.dumps({**QUICK, **settings}), *words]
        self._process = subprocess.Popen(
            argv, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT,
            start_new_session=True, env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"},
        )  # fmt: skip
        self._listener = Listener(self._output.fileno(), lambda: self.is_over)

    @property
    def pid(self) -> int:
        """Of ansible-playbook itself."""
        return self._process.pid

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    @property
    def output(self) -> str:
        self._output.seek(0)
        return self._output.read().decode(errors="replace")

    def wait(self, deadline: float = DEADLINE, warns: bool = False, silent: bool = False) -> Ended:
        """The end; a run that hangs beyond the deadline is killed, and the test with it.

        Warnings fail the test too, unless it *warns* with good reason, and so does silence beyond SILENCE_LIMIT, unless
        it may be *silent*.
        """
        try:
            self._process.wait(timeout=deadline)
        except subprocess.TimeoutExpired:
            self._kill(group=True)
            raise AssertionError(f"still running after {deadline:g} s:\n{self.output}") from None
        ended = Ended(self._process.returncode, self.output, self._listener.longest_silence())
        if ended.complaints and not warns:
            raise AssertionError(f"the operator would read {ended.complaints}:\n{ended.output}")
        if not silent:
            self._refuse_silence()
        return ended

    def wait_at_most(self, seconds: float) -> None:
        """Until it is over, but not longer than this."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=seconds)

    def kill(self, group: bool, silent: bool = False) -> None:
        """SIGKILL: to ansible-playbook alone, or to its process group as AWX does on cancel.

        Silence before it fails the test, unless the run may be *silent*.
        """
        self._kill(group)
        if not silent:
            self._refuse_silence()

    def _refuse_silence(self) -> None:
        longest, output = self._listener.longest_silence(), self.output
        if longest > SILENCE_LIMIT * _slowness():
            printed = output.encode()[: self._listener.before_longest()].decode(errors="replace").splitlines()
            after = printed[-1] if printed else "its start"
            raise AssertionError(f"nothing was printed for {longest:.1f} s after '{after}':\n{output}")

    def _kill(self, group: bool) -> None:
        if group:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait()

    def interrupt(self, number: signal.Signals, group: bool) -> None:
        """A signal to ansible-playbook alone, or to its process group as a terminal gives it on Ctrl-C."""
        if group:
            os.killpg(self._process.pid, number)
        else:
            self._process.send_signal(number)


class Rolling:
    """The playbooks, ready to be run; and the ledger, asked as an operator asks it.

    A playbook is named without its suffix; with a path it may lie elsewhere. *within* are the words that put a command
    into a container.
    """

    def __init__(self, lab: Lab, settings: t.Mapping[str, t.Any] | None = None, within: t.Sequence[str] = ()) -> None:
        self._lab = lab
        self._within = within
        self._settings = dict(settings or {})

    def start(self, version: str, *words: str, playbook: str = "rolling", **settings: t.Any) -> Run:
        wanted = {"rollout_version": version} if version else {}
        return Run(self._lab, playbook, words, {**self._settings, **wanted, **settings}, self._within)

    def run(self, version: str, *words: str, playbook: str = "rolling", **settings: t.Any) -> Ended:
        return self.start(version, *words, playbook=playbook, **settings).wait()

    def info(self) -> dict[str, t.Any]:
        """What rollout_info says of the shop."""
        words = f"service=shop ledger={self._lab.places.directory / 'ledger'}"
        done = subprocess.run(
            [_program("ansible"), "localhost", "-m", "steady.rollout.rollout_info", "-a", words],
            cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise AssertionError(f"rollout_info failed: {done.stdout}{done.stderr}")
        return t.cast("dict[str, t.Any]", json.loads(done.stdout.partition("=>")[2]))


def _slowness() -> float:
    return 2.0 if os.getloadavg()[0] > OVERLOADED * (os.cpu_count() or 1) else 1.0


def _program(name: str) -> str:
    return str(pathlib.Path(sys.executable).with_name(name))
