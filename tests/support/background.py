# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs traffic.py and observer.py as processes of their own, so that a busy test does not slow their eyes.

with traffic(lab.urls(), tmp_path / "traffic.json", inside=lab.inside(), rate=800) as users:
    ...
assert users.report()["failed"] == 0
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

HERE = pathlib.Path(__file__).resolve().parent
LONGEST = 3600.0  # seconds
ENDS_WITHIN = 60.0


class Background:
    """A program that keeps a JSON report up to date until SIGTERM stops it."""

    def __init__(self, argv: t.Sequence[str], report: pathlib.Path) -> None:
        self._argv = [*argv, f"--json={report}", f"--for-process={os.getpid()}"]
        self._report = report
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Background:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Returns once the first report is written."""
        self._report.parent.mkdir(parents=True, exist_ok=True)
        if self._report.exists():
            self._report.unlink()
        self._process = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while not self._report.exists():
            if self._process.poll() is not None:
                raise RuntimeError(f"ended at its start with {self._process.returncode}: {' '.join(self._argv)}")
            time.sleep(0.02)

    def report(self) -> dict[str, t.Any]:
        """The report as it is now: at most a second old while running, final after stop()."""
        return t.cast("dict[str, t.Any]", json.loads(self._report.read_text(encoding="utf-8")))

    def stop(self) -> dict[str, t.Any]:
        """Lets it bring to its end what it has begun, and returns the final report."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=ENDS_WITHIN)
            finally:
                self._process.kill()
        return self.report()


def traffic(
    urls: t.Iterable[str], report: pathlib.Path, inside: t.Sequence[str] = (), **options: float | str
) -> Background:
    """Users of the service; *options* are those of traffic.py, *inside* the words that lead into a network."""
    argv = [*inside, sys.executable, str(HERE / "traffic.py"), *(f"--url={url}" for url in urls)]
    return Background([*argv, *_words({"seconds": LONGEST, **options})], report)


def observer(
    nodes: t.Mapping[str, str], report: pathlib.Path, inside: t.Sequence[str] = (), pool: str = "shop"
) -> Background:
    """Eyes on balancers; *nodes* maps a name to its address as observer.py takes it."""
    argv = [*inside, sys.executable, str(HERE / "observer.py"), f"--pool={pool}"]
    argv += [f"--node={name}={address}" for name, address in nodes.items()]
    return Background([*argv, *_words({"seconds": LONGEST})], report)


def order_observer(
    services: t.Mapping[str, t.Sequence[str]],
    needs: t.Mapping[str, t.Sequence[str]],
    report: pathlib.Path,
    inside: t.Sequence[str] = (),
) -> Background:
    """Eyes on the instances of services that need each other; *services* has those that need others first."""
    argv = [*inside, sys.executable, str(HERE / "order_observer.py")]
    argv += [f"--service={name}={','.join(urls)}" for name, urls in services.items()]
    argv += [f"--need={name}={other}" for name, others in needs.items() for other in others]
    return Background(argv, report)


def _words(options: t.Mapping[str, float | str]) -> list[str]:
    texts = {name: value if isinstance(value, str) else f"{value:g}" for name, value in options.items()}
    return [f"--{name.replace('_', '-')}={value}" for name, value in texts.items()]
