# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Usage: python -m run test | test-long | PART...   (see the Makefile)

Ends with a table of the parts and the line "N passed, N failed, N skipped"; the exit code is 1 where a part failed.
STEADY_ALL_PARTS=1 makes a part that this machine cannot run a failure, as CI requires.
"""

from __future__ import annotations

import concurrent.futures
import os
import secrets
import signal
import sys
import types
import typing as t

from . import tools
from .part import interrupted, run_part
from .parts import ALL, BY_NAME, LONG, Part
from .tally import Line, summary


def main(words: list[str]) -> int:
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, interrupt)
    parts = chosen(words)
    if parts is None:
        print(f"{__doc__}\nParts: {', '.join(BY_NAME)}.", file=sys.stderr)
        return 2
    long = words == ["test-long"]
    set_series(long, everything=words in (["test"], ["test-long"]))
    try:
        tools.venv("test")
        tools.get_programs({program for part in parts for program in part.programs})
        tools.try_programs({program for part in parts for program in part.useful})
        if any(part.unleash for part in parts):
            tools.try_unleash()
    except tools.Unavailable as obstacle:
        print(obstacle, file=sys.stderr)
        return 1
    lines = run_in_lanes(parts, long) if len(parts) > 1 else [run_part(parts[0], live=True, long=long)]
    print(f"\n{summary(lines)}")
    return 1 if any(line.count.failed for line in lines) else 0


def chosen(words: t.Sequence[str]) -> tuple[Part, ...] | None:
    series = {"test": ALL, "test-long": LONG, **{name: (part,) for name, part in BY_NAME.items()}}
    if not words or any(word not in series for word in words):
        return None
    return tuple(part for word in words for part in series[word])


def set_series(long: bool, everything: bool) -> None:
    """Tells the tests how much of their long series to run; what the caller set stays."""
    if long:
        os.environ.setdefault("STEADY_LONG", "1")
        seed = os.environ.setdefault("STEADY_SEED", str(secrets.randbelow(2**32)))
        print(f"The state machines search from seed {seed}; STEADY_SEED={seed} repeats it.", flush=True)
    if everything:
        os.environ.setdefault("HYPOTHESIS_PROFILE", "long" if long else "ci")


def run_in_lanes(parts: t.Sequence[Part], long: bool) -> list[Line]:
    """Each lane's parts one after the other, all lanes at the same time; the lines are in the order of *parts*."""
    lanes: dict[str, list[Part]] = {}
    for part in parts:
        lanes.setdefault(part.lane, []).append(part)
    with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
        try:
            ended = [pool.submit(run_lane, lane, long) for lane in lanes.values()]
            lines = {line.part: line for lane in ended for line in lane.result()}
        except BaseException:
            interrupted.set()
            raise
    return [lines[part.name] for part in parts]


def run_lane(parts: t.Sequence[Part], long: bool) -> list[Line]:
    return [announced(part, long) for part in parts]


def announced(part: Part, long: bool) -> Line:
    print(f"{part.name}: {part.does}", flush=True)
    line = run_part(part, live=False, long=long)
    note = line.note if line.result == "not run" else f"{line.count} in {line.seconds:.0f} s"
    print(f"  {part.name} {line.result}: {note}", flush=True)
    return line


def interrupt(number: int, frame: types.FrameType | None) -> t.NoReturn:
    """Ends a run as Ctrl-C does, so that the part at work cleans up."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        sys.exit(130)
