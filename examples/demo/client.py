# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the demo's fleet in a process of its own, so that a busy rollout does not slow its eyes."""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "tests" / "support" / "traffic.py"


class Client:
    """Sends traffic from start() to stop(), which returns what the client saw (see the traffic program)."""

    def __init__(self, urls: t.Sequence[str], report: pathlib.Path, **mix: float) -> None:
        self._report = report
        self._argv = [sys.executable, str(PROGRAM), f"--json={report}", *(f"--url={url}" for url in urls)]
        self._argv += [f"--{name.replace('_', '-')}={value:g}" for name, value in mix.items()]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._report.unlink(missing_ok=True)
        self._process = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while not self._report.exists():
            if self._process.poll() is not None:
                raise RuntimeError(f"the client ended at its start with {self._process.returncode}: {self._argv}")
            time.sleep(0.05)

    def stop(self) -> dict[str, t.Any]:
        """Lets what was begun come to its end and returns the report."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=60.0)
        return t.cast("dict[str, t.Any]", json.loads(self._report.read_text(encoding="utf-8")))
