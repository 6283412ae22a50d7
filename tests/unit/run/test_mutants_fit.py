# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A seeded bug whose place in the code has changed would seed nothing; it shows here and not only in the long run."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
import typing as t

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


def seeded() -> t.Any:
    path = REPOSITORY / "tests" / "mutants" / "seeded.py"
    spec = importlib.util.spec_from_file_location("seeded", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["seeded"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("mutant", seeded().MUTANTS, ids=lambda mutant: mutant.name)
def test_it_still_fits(mutant: t.Any) -> None:
    text = (REPOSITORY / mutant.file).read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1, f"{mutant.file} has changed: seed this bug where its code is now"
    assert mutant.new != mutant.old
