# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading

import pytest
import run.__main__ as runner
from run.parts import COMPUTING, WAITING, Part
from run.tally import PASSED, Line


def part(name: str, lane: str) -> Part:
    return Part(name, "a sample", (), limit=60, lane=lane)


def test_lanes_run_at_the_same_time_and_are_printed_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=30)
    order: list[str] = []

    def run_part(part: Part, live: bool, long: bool) -> Line:
        if part.name in ("unit", "fleet"):
            both.wait()
        order.append(part.name)
        return Line(part.name, "ok", 0, PASSED)

    monkeypatch.setattr(runner, "run_part", run_part)
    parts = [part("lint", COMPUTING), part("unit", COMPUTING), part("fleet", WAITING), part("molecule", WAITING)]
    lines = runner.run_in_lanes(parts, long=False)
    assert [line.part for line in lines] == ["lint", "unit", "fleet", "molecule"]
    assert order.index("lint") < order.index("unit")
    assert order.index("fleet") < order.index("molecule")
