# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all of the fuzzing came to, in build/fuzz.json."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

RESULT = pathlib.Path(__file__).resolve().parents[2] / "build" / "fuzz.json"
NAMES = ("calls", "tracebacks", "partial_changes", "over_deadline", "over_memory")


@pytest.fixture(scope="session")
def counts() -> t.Iterator[dict[str, int]]:
    """Counted up by every test; written at the end."""
    counted = dict.fromkeys(NAMES, 0)
    yield counted
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(counted, indent=1) + "\n")
