# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one part: each step's output into build/test/<part>.log, an end to what hangs, and the count of it all."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
import typing as t

from . import house, tools
from .parts import COMPUTING, LONG_FACTOR, Part, Step
from .tally import FAILED, SKIPPED, Count, Line, count_step

SHOWN = 300
"""Lines of a failed part's log that are printed."""
POLL_EVERY = 0.2
"""Seconds between two looks whether a step is over."""

interrupted = threading.Event()
"""Set to end all that is at work; only the main thread gets Ctrl-C."""


def run_part(part: Part, live: bool, long: bool) -> Line:
    """Runs *part*; with *live* its output also goes to the terminal as it comes."""
    started = time.monotonic()
    obstacle = why_not(part)
    if obstacle:
        failed = os.environ.get("STEADY_ALL_PARTS") == "1"
        return Line(part.name, "FAILED" if failed else "not run", 0, FAILED if failed else SKIPPED, obstacle)
    with tools.locked(part.env.get("STEADY_LAB", part.name)):
        count, broken = run_steps(part, live, part.limit * (LONG_FACTOR if long else 1))
    seconds = time.monotonic() - started
    if not count.failed:
        return Line(part.name, "ok", seconds, count)
    if not live:
        show_end(log_of(part))
    note = f"{', '.join(broken)} failed; all of its output is in {log_of(part).relative_to(house.ROOT)}"
    return Line(part.name, "FAILED", seconds, count, note)


def why_not(part: Part) -> str | None:
    """Why this machine cannot run *part*, in one sentence."""
    if part.root and not sys.platform.startswith("linux"):
        return f"needs Linux for its hosts, and this is {sys.platform}."
    if part.root and os.geteuid() != 0:
        return "needs root for its hosts (network namespaces, systemd-nspawn); run it again as root."
    missing = [program for program in part.programs if house.which(program) is None]
    if missing:
        packages = sorted({tools.PROGRAMS[program] for program in missing})
        return f"needs {', '.join(missing)}; on Debian: apt-get install {' '.join(packages)}."
    return None


def run_steps(part: Part, live: bool, limit: float) -> tuple[Count, list[str]]:
    """Runs all steps, also after one that failed; returns the count and the names of those that failed.

    Raises KeyboardInterrupt once interrupted, after cleaning up.
    """
    reports = house.LOGS / part.name
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    deadline = time.monotonic() + limit
    count, broken, seen = Count(), [], set()  # type: tuple[Count, list[str], set[pathlib.Path]]
    with open(log_of(part), "wb") as log:
        try:
            for step in part.steps:
                code = run_step(part, step, reports, Output(log, live), deadline)
                written = set(reports.rglob("*.xml")) - seen
                seen |= written
                count += count_step(code == 0, sorted(written))
                broken += [f"{step.name} ({ending(code)})"] if code != 0 else []
        finally:
            if part.after:
                clean_up = Step("clean up", part.after)
                soon = time.monotonic() + 120
                run_step(part, clean_up, reports, Output(log, live=False), soon, in_any_case=True)
    return count, broken


def ending(code: int | None) -> str:
    return "took too long" if code is None else f"exit code {code}"


def run_step(
    part: Part, step: Step, reports: pathlib.Path, output: Output, deadline: float, in_any_case: bool = False
) -> int | None:
    """The step's exit code; None where it was ended at the deadline. Whatever it started ends with it.

    Raises KeyboardInterrupt once interrupted, unless it must run in any case.
    """
    words = [fill(word, reports) for word in step.words]
    if part.lane == COMPUTING:
        # What mostly waits, in the other lane, goes first when it has something to do: its hosts answer in time.
        words = ["nice", *words]
    output.write(f"== {step.name}: {' '.join(words)}\n".encode())
    env = house.environment(**part.env)
    if step.words[0] == "{python}":
        env["PYTHONPATH"] = str(house.ROOT / "tests")
    process = subprocess.Popen(
        words,
        cwd=house.ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    reader = threading.Thread(target=output.copy, args=(process.stdout,), daemon=True)
    reader.start()
    try:
        while process.poll() is None:
            if interrupted.is_set() and not in_any_case:
                raise KeyboardInterrupt
            if time.monotonic() > deadline:
                output.write(b"== took too long, ended\n")
                return None
            time.sleep(POLL_EVERY)
    finally:
        end_group(process)
        reader.join(5)
    return process.returncode


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Asks the step's processes to end, then ends them."""
    for kind, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
        if not signalled(process.pid, kind):
            return
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            process.poll()
            if not signalled(process.pid, 0):
                return
            time.sleep(0.05)


def signalled(group: int, kind: int) -> bool:
    """Whether the process group was there to take the signal."""
    try:
        os.killpg(group, kind)
    except ProcessLookupError:
        return False
    return True


def fill(word: str, reports: pathlib.Path) -> str:
    places = {
        "bin": house.VENV / "bin",
        "root": house.ROOT,
        "build": house.BUILD,
        "reports": reports,
        "python": tools.python(),
    }
    return word.format(**places)


class Output:
    """A part's log, and the terminal too where *live*."""

    def __init__(self, log: t.IO[bytes], live: bool) -> None:
        self.log = log
        self.live = live

    def write(self, data: bytes) -> None:
        self.log.write(data)
        self.log.flush()
        if self.live:
            sys.stdout.buffer.write(data)
            sys.stdout.flush()

    def copy(self, stream: t.IO[bytes]) -> None:
        for line in stream:
            self.write(line)


def log_of(part: Part) -> pathlib.Path:
    return house.LOGS / f"{part.name}.log"


def show_end(log: pathlib.Path) -> None:
    lines = log.read_text(errors="replace").splitlines()
    if len(lines) > SHOWN:
        print(f"[... {len(lines) - SHOWN} lines before, in {log.relative_to(house.ROOT)}]")
    print("\n".join(lines[-SHOWN:]), flush=True)
