# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies each seeded bug to a copy of the sources and runs the tests of its part there: they must fail.

Usage: python tests/mutants/run.py [WORD ...]   only the mutants with one of these words in their name

Exits with 1 when a mutant survives, when its text is not found exactly once, or when the tests fail
without any mutant.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from seeded import MUTANTS, Mutant

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
COPIED = ("plugins", "tests", "pyproject.toml", "galaxy.yml", "meta")
TESTS = pathlib.Path("tests/unit")
LAST = ("test_state_machine.py", "test_judge_simulated.py")
LONGEST = 600
CAUGHT, SURVIVED, NOT_FOUND = "caught", "SURVIVED", "TEXT NOT FOUND"


def main(words: list[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.name for word in words)]
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        copy = copied(pathlib.Path(place))
        for folder in sorted({tests_of(mutant) for mutant in chosen}):
            if not passes(copy / folder, copy):
                print(f"{folder}: tests fail without any mutant; nothing can be said about the mutants")
                return 1
        outcomes = [told(mutant, outcome_of(mutant, copy)) for mutant in chosen]
    survivors = [outcome for outcome in outcomes if outcome != CAUGHT]
    print(f"{len(outcomes) - len(survivors)} of {len(outcomes)} mutants caught")
    return 1 if survivors else 0


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


def tests_of(mutant: Mutant) -> pathlib.Path:
    """The tests of the mutant's subject: those that mirror the folder right below plugins/module_utils."""
    return TESTS.joinpath(*pathlib.Path(mutant.file).parts[:3])


def outcome_of(mutant: Mutant, copy: pathlib.Path) -> str:
    path = copy / mutant.file
    original = path.read_text(encoding="utf-8")
    if original.count(mutant.old) != 1:
        return NOT_FOUND
    path.write_text(original.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        return SURVIVED if passes(copy / tests_of(mutant), copy) else CAUGHT
    finally:
        path.write_text(original, encoding="utf-8")


def passes(folder: pathlib.Path, copy: pathlib.Path) -> bool:
    """The quick tests first: most mutants do not get as far as the state machine or the simulation."""
    tests = sorted(folder.rglob("test_*.py"))
    quick = [str(path) for path in tests if path.name not in LAST]
    slow = [str(path) for path in tests if path.name in LAST]
    return all(pytest_passes(copy, paths) for paths in (quick, slow) if paths)


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
