# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On which Pythons ansible-test runs."""

from __future__ import annotations

import pytest
from run import sanity


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([], [["--python", "3.11"]]),
        (["python3.11", "python3.12"], [["--python", "3.11"]]),
        (
            ["python3.9", "python3.10", "python3.11"],
            [["--python", "3.11"], ["--python", "3.9", "--test", "compile", "--test", "import"]],
        ),
    ],
)
def test_a_sample_runs_on_the_own_python_and_the_oldest(
    monkeypatch: pytest.MonkeyPatch, there: list[str], expected: list[list[str]]
) -> None:
    monkeypatch.delenv("STEADY_LONG", raising=False)
    monkeypatch.setattr(sanity, "is_there", there.__contains__)
    assert sanity.runs(11) == expected


def test_the_long_series_runs_on_every_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADY_LONG", "1")
    assert sanity.runs(11) == [[]]
