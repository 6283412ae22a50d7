# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies each seeded bug to a copy of the sources and runs the tests that could catch it there: they must fail.

Usage: python tests/mutants/check.py [--resume] [--workers N] [WORD ...]

With words, only the mutants with one of them in their name or file. --resume takes over what an earlier run caught, where
the mutant and its file have not changed since; all others run again.

Writes build/mutants.json: {"seeded", "caught", "survivors": [{"name", "file", "reason"}]}. Exits with 1 when less than
95 % are caught, when one survives for no known reason (see survivors.py), when its text is not found exactly once, when
the tests could not be run to their end, or when they fail without any mutant.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import typing as t

from seeded import Mutant
from seeded_everywhere import MUTANTS
from survivors import REASONS

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
COPIED = (
    "plugins", "tests", "roles", "playbooks", "examples", "meta", "changelogs", "pyproject.toml", "galaxy.yml", "ansible.cfg",
    "README.md", "CHANGELOG.md", "ARCHITECTURE.md",
)  # fmt: skip
RESULTS = REPOSITORY / "build" / "mutants.json"
EARLIER = REPOSITORY / "build" / "mutants-caught.json"
TESTS = pathlib.Path("tests/unit")
LAST = ("test_state_machine.py", "test_judge_simulated.py")
FAR_FROM_UTC = "Pacific/Chatham"
LONGEST = 1200
ENOUGH = 0.95
CAUGHT, SURVIVED, NOT_FOUND, ERROR = "caught", "SURVIVED", "TEXT NOT FOUND", "ERROR"
PASSED, FAILED, UNCOLLECTED = 0, 1, 2
"""What pytest ends with. A module that cannot be imported any more is caught as well: nothing of it runs."""


class Unclear(Exception):
    """The tests did not run to their end, so that nothing is known about the mutant."""


def main(argv: t.Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("words", nargs="*")
    given = parser.parse_args(argv)
    chosen = [
        one for one in MUTANTS if not given.words or any(word in one.name or word in one.file for word in given.words)
    ]
    caught = Caught(EARLIER, keep=given.resume or bool(given.words))
    known = {mutant.name: CAUGHT for mutant in chosen if given.resume and mutant in caught}
    outcomes = {**known, **tested([mutant for mutant in chosen if mutant.name not in known], given.workers, caught)}
    return reported([(mutant, outcomes[mutant.name]) for mutant in chosen], whole=not given.words)


def tested(mutants: t.Sequence[Mutant], workers: int, caught: Caught) -> dict[str, str]:
    """The outcome of each mutant, by name; ERROR where its tests fail without any."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        copies: queue.SimpleQueue[pathlib.Path] = queue.SimpleQueue()
        for number in range(workers):
            copies.put(copied(pathlib.Path(place) / str(number)))
        outcomes = {mutant.name: ERROR for mutant in mutants}
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            for tests in sorted({tests_of(mutant) for mutant in mutants}):
                if not in_a_copy(copies, passes, tests):
                    print(
                        f"{', '.join(tests)}: fails without any mutant; nothing can be said about its mutants",
                        flush=True,
                    )
                    continue
                group = [mutant for mutant in mutants if tests_of(mutant) == tests]
                for mutant, outcome in zip(group, pool.map(lambda one: in_a_copy(copies, outcome_of, one), group)):
                    outcomes[mutant.name] = noted(mutant, outcome, caught)
        return outcomes


def in_a_copy(copies: queue.SimpleQueue[pathlib.Path], act: t.Callable[..., t.Any], subject: t.Any) -> t.Any:
    copy = copies.get()
    try:
        return act(subject, copy)
    finally:
        copies.put(copy)


class Caught:
    """The mutants that were caught, kept in a file, each under a digest of what it was and of the file it was seeded in."""

    def __init__(self, path: pathlib.Path, keep: bool) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._digests: set[str] = set(json.loads(path.read_text(encoding="utf-8"))) if keep and path.exists() else set()

    def __contains__(self, mutant: Mutant) -> bool:
        return self._digest(mutant) in self._digests

    def note(self, mutant: Mutant, outcome: str) -> None:
        with self._lock:
            (self._digests.add if outcome == CAUGHT else self._digests.discard)(self._digest(mutant))
            self._path.parent.mkdir(exist_ok=True)
            self._path.write_text(json.dumps(sorted(self._digests)) + "\n", encoding="utf-8")

    @staticmethod
    def _digest(mutant: Mutant) -> str:
        content = (REPOSITORY / mutant.file).read_text(encoding="utf-8")
        return hashlib.sha256(json.dumps([*mutant, content]).encode()).hexdigest()


def noted(mutant: Mutant, outcome: str, caught: Caught) -> str:
    print(f"{outcome:<15} {mutant.name:<50} {mutant.file}", flush=True)
    caught.note(mutant, outcome)
    return outcome


def reported(outcomes: list[tuple[Mutant, str]], whole: bool) -> int:
    missed = [(mutant, outcome) for mutant, outcome in outcomes if outcome != CAUGHT]
    caught = len(outcomes) - len(missed)
    survivors = [
        {"name": mutant.name, "file": mutant.file, "reason": reason_of(mutant, outcome)} for mutant, outcome in missed
    ]
    if whole:
        RESULTS.parent.mkdir(exist_ok=True)
        content = {"seeded": len(outcomes), "caught": caught, "survivors": survivors}
        RESULTS.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    unknown = [mutant.name for mutant, outcome in missed if reason_of(mutant, outcome) == outcome]
    print(f"{caught} of {len(outcomes)} mutants caught, {len(unknown)} survive for no known reason")
    for name in unknown:
        print(f"  {name}")
    return int(bool(unknown) or caught < ENOUGH * len(outcomes))


def reason_of(mutant: Mutant, outcome: str) -> str:
    """Why nothing catches it; the outcome itself where no reason is known or nothing was tested."""
    return REASONS.get(mutant.name, outcome) if outcome == SURVIVED else outcome


def copied(place: pathlib.Path) -> pathlib.Path:
    """The sources as a collection that can be imported from where it lies."""
    copy = place / "ansible_collections" / "steady" / "rollout"
    copy.mkdir(parents=True)
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "output"))
        else:
            shutil.copy(source, copy / name)
    (copy / ".collections").symlink_to(place)
    return copy


def tests_of(mutant: Mutant) -> tuple[str, ...]:
    """Its own, or those of its subject: what mirrors the folder right below plugins/module_utils, or a file there."""
    if mutant.tests:
        return mutant.tests
    parts = pathlib.Path(mutant.file).parts[:3]
    if parts[-1].endswith(".py"):
        return (str(TESTS.joinpath(*parts[:2], f"test_{parts[-1]}")),)
    return (str(TESTS.joinpath(*parts)),)


def outcome_of(mutant: Mutant, copy: pathlib.Path) -> str:
    path = copy / mutant.file
    original = path.read_text(encoding="utf-8")
    if original.count(mutant.old) != 1:
        return NOT_FOUND
    written = path.stat().st_mtime_ns
    path.write_text(original.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        return SURVIVED if passes(tests_of(mutant), copy, mutant.file, keep_compiled=False) else CAUGHT
    except Unclear as unclear:
        print(f"{mutant.name}: {unclear}", file=sys.stderr, flush=True)
        return ERROR
    finally:
        path.write_text(original, encoding="utf-8")
        os.utime(path, ns=(written, written))  # so that what was compiled of it counts again


def passes(tests: tuple[str, ...], copy: pathlib.Path, mutated: str = "", keep_compiled: bool = True) -> bool:
    """First the tests with the name of the mutated file, then those that mirror its folder, last the slow ones.

    *keep_compiled*: what Python and pytest compile is kept in the copy; never of a mutant.
    """
    places = [copy / test for test in tests]
    found = [path for place in places for path in (sorted(place.rglob("test_*.py")) if place.is_dir() else [place])]
    stem, folder = pathlib.Path(mutated).stem or "-", copy / TESTS / pathlib.Path(mutated).parent
    runs: list[list[str]] = [[], [], [], []]
    for path in found:
        nearness = 3 if path.name in LAST else 0 if stem in path.name else 1 if folder in path.parents else 2
        runs[nearness].append(str(path))
    return all(pytest_passes(copy, paths, keep_compiled) for paths in runs if paths)


def pytest_passes(copy: pathlib.Path, paths: list[str], keep_compiled: bool) -> bool:
    """A test that hangs fails too: the tests have passed without the mutant."""
    compiled = {"PYTHONDONTWRITEBYTECODE": "" if keep_compiled else "1"}
    env = {**os.environ, **compiled, "HYPOTHESIS_PROFILE": "mutants", "TZ": FAR_FROM_UTC}
    command = [sys.executable, "-m", "pytest", "-p", "no:testinfra", "-x", "-q", "--no-header", *paths]
    try:
        return ended(command, copy, env) == PASSED
    except subprocess.TimeoutExpired:
        return False


def ended(command: t.Sequence[str], copy: pathlib.Path, env: t.Mapping[str, str]) -> int:
    """The exit code of the tests. What a signal has killed, for instance for want of memory, is run once more."""
    for _dummy in range(2):
        done = subprocess.run(command, cwd=copy, env=env, capture_output=True, timeout=LONGEST, check=False)
        if done.returncode in (PASSED, FAILED, UNCOLLECTED):
            return done.returncode
    raise Unclear(f"the tests ended with {done.returncode}: {done.stdout.decode('utf-8', 'replace')[-1000:]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
