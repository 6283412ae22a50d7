# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies each seeded bug to a copy of the sources and runs the tests that could catch it there: they must fail.

Usage: python tests/mutants/check.py [WORD ...]   only the mutants with one of these words in their name or file

Writes build/mutants.json: {"seeded", "caught", "survivors": [{"name", "file", "reason"}]}. Exits with 1 when less than
95 % are caught, when one survives for no known reason (see survivors.py), when its text is not found exactly once, or
when the tests fail without any mutant.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import typing as t

from seeded import Mutant
from seeded_everywhere import MUTANTS
from survivors import REASONS

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
COPIED = (
    "plugins", "tests", "roles", "playbooks", "examples", "meta", "changelogs", "pyproject.toml", "galaxy.yml", "ansible.cfg",
    "README.md", "CHANGELOG.md",
)  # fmt: skip
RESULTS = REPOSITORY / "build" / "mutants.json"
TESTS = pathlib.Path("tests/unit")
LAST = ("test_state_machine.py", "test_judge_simulated.py")
ROLLOUT = "rollout:"
"""Before the name of a scenario of tests/compat/rollouts.py, in a mutant's tests."""
LONGEST = 600
ENOUGH = 0.95
CAUGHT, SURVIVED, NOT_FOUND = "caught", "SURVIVED", "TEXT NOT FOUND"


def main(words: list[str]) -> int:
    chosen = [one for one in MUTANTS if not words or any(word in one.name or word in one.file for word in words)]
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        copies: queue.SimpleQueue[pathlib.Path] = queue.SimpleQueue()
        workers = os.cpu_count() or 1
        for number in range(workers):
            copies.put(copied(pathlib.Path(place) / str(number)))
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            groups = sorted({tests_of(mutant) for mutant in chosen})
            for tests, sound in zip(groups, pool.map(lambda tests: in_a_copy(copies, passes, tests), groups)):
                if not sound:
                    print(f"{', '.join(tests)}: fails without any mutant; nothing can be said about the mutants")
                    return 1
            outcomes = list(pool.map(lambda mutant: told(mutant, in_a_copy(copies, outcome_of, mutant)), chosen))
    return reported(list(zip(chosen, outcomes)), whole=not words)


def in_a_copy(copies: queue.SimpleQueue[pathlib.Path], act: t.Callable[..., t.Any], subject: t.Any) -> t.Any:
    copy = copies.get()
    try:
        return act(subject, copy)
    finally:
        copies.put(copy)


def reported(outcomes: list[tuple[Mutant, str]], whole: bool) -> int:
    missed = [(mutant, outcome) for mutant, outcome in outcomes if outcome != CAUGHT]
    caught = len(outcomes) - len(missed)
    survivors = [
        {"name": mutant.name, "file": mutant.file, "reason": REASONS.get(mutant.name, outcome)}
        for mutant, outcome in missed
    ]
    if whole:
        RESULTS.parent.mkdir(exist_ok=True)
        content = {"seeded": len(outcomes), "caught": caught, "survivors": survivors}
        RESULTS.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    unknown = [mutant.name for mutant, outcome in missed if outcome == NOT_FOUND or mutant.name not in REASONS]
    print(f"{caught} of {len(outcomes)} mutants caught, {len(unknown)} survive for no known reason")
    return int(bool(unknown) or caught < ENOUGH * len(outcomes))


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
    path.write_text(original.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        return SURVIVED if passes(tests_of(mutant), copy, path.stem) else CAUGHT
    finally:
        path.write_text(original, encoding="utf-8")


def passes(tests: tuple[str, ...], copy: pathlib.Path, subject: str = " ") -> bool:
    """First the tests that have the subject's name, last the state machine and the simulation: few mutants get there."""
    places = [copy / test for test in tests if not test.startswith(ROLLOUT)]
    found = [path for place in places for path in (sorted(place.rglob("test_*.py")) if place.is_dir() else [place])]
    near = [str(path) for path in found if path.name not in LAST and subject in path.name]
    far = [str(path) for path in found if path.name not in LAST and subject not in path.name]
    slow = [str(path) for path in found if path.name in LAST]
    scenarios = [test[len(ROLLOUT) :] for test in tests if test.startswith(ROLLOUT)]
    return all(pytest_passes(copy, paths) for paths in (near, far, slow) if paths) and rollouts_pass(copy, scenarios)


def rollouts_pass(copy: pathlib.Path, scenarios: list[str]) -> bool:
    if not scenarios:
        return True
    env = {
        **os.environ,
        "ANSIBLE_CONFIG": str(copy / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(copy / ".collections"),
    }
    command = [sys.executable, "tests/compat/rollouts.py", *scenarios]
    return subprocess.run(command, cwd=copy, env=env, capture_output=True, check=False).returncode == 0


def pytest_passes(copy: pathlib.Path, paths: list[str]) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", *paths]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HYPOTHESIS_PROFILE": "mutants"}
    try:
        done = subprocess.run(command, cwd=copy, env=env, capture_output=True, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired:
        return False
    # 1 is a failed test; anything else means that there was no test to fail.
    if done.returncode > 1:
        raise SystemExit(done.stdout.decode("utf-8", "replace")[-3000:])
    return done.returncode == 0


def told(mutant: Mutant, outcome: str) -> str:
    print(f"{outcome:<15} {mutant.name:<50} {mutant.file}", flush=True)
    return outcome


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
