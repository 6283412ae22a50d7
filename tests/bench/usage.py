# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a controller uses, with everything it starts: processor seconds and memory of a control group."""

from __future__ import annotations

import contextlib
import os
import pathlib
import time
import typing as t

SAMPLE_EVERY = 0.05
MEMORY_EVERY = 2.0


def usual_environment() -> dict[str, str]:
    """The environment of a user's terminal: make sets that Python keeps no compiled files."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Usage(t.NamedTuple):
    """CPU seconds used until a moment."""

    at: float
    cpu: float


def used(samples: t.Sequence[Usage], at: float) -> float:
    """CPU seconds up to that time."""
    return max((sample.cpu for sample in samples if sample.at <= at), default=0.0)


class Group:
    """A control group: all that the controller starts is in it, whoever its parent becomes."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.samples: list[Usage] = []
        self.peak_mb = 0.0
        path.mkdir()

    @property
    def enter(self) -> list[str]:
        """Words before a command that is to be in the group with all it starts."""
        return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(self.path)]

    @property
    def cpu(self) -> float:
        """Seconds of processor time used so far."""
        return self._usage().cpu

    def watch(self, is_over: t.Callable[[], bool]) -> None:
        measure_at = 0.0
        while not is_over():
            self.samples.append(self._usage())
            if time.monotonic() >= measure_at:
                self.peak_mb = max(self.peak_mb, self._megabytes())
                measure_at = time.monotonic() + MEMORY_EVERY
            time.sleep(SAMPLE_EVERY)
        self.samples.append(self._usage())

    def remove(self) -> None:
        for dummy in range(100):
            (self.path / "cgroup.kill").write_text("1", encoding="ascii")
            with contextlib.suppress(OSError):
                self.path.rmdir()
                return
            time.sleep(0.05)

    def _usage(self) -> Usage:
        lines = (self.path / "cpu.stat").read_text(encoding="ascii").split()
        return Usage(time.time(), int(lines[lines.index("usage_usec") + 1]) / 1e6)

    def _megabytes(self) -> float:
        total = 0
        for pid in (self.path / "cgroup.procs").read_text(encoding="ascii").split():
            with contextlib.suppress(OSError):
                words = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").split()
                total += int(words[words.index("Pss:") + 1])
        return total / 1024
