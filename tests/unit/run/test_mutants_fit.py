# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A seeded bug whose place in the code has changed would seed nothing; it shows here and not only in the long run."""

from __future__ import annotations

import importlib
import pathlib
import sys
import typing as t

import pytest
import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]

sys.path.append(str(REPOSITORY / "tests" / "mutants"))
MUTANTS: t.Any = importlib.import_module("seeded_everywhere").MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_it_still_fits(mutant: t.Any) -> None:
    text = (REPOSITORY / mutant.file).read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1, f"{mutant.file} has changed: seed this bug where its code is now"
    assert mutant.new != mutant.old
    mutated = text.replace(mutant.old, mutant.new)
    # What cannot even be read is no bug that a test could catch.
    compile(mutated, mutant.file, "exec") if mutant.file.endswith(".py") else yaml.safe_load(mutated)


def test_every_seeded_bug_has_a_name_of_its_own() -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert sorted({name for name in names if names.count(name) > 1}) == []
