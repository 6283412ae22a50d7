# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a server does, each client ends within its deadline, within 64 MB and with one sentence (invariant 19).

Without STEADY_LONG each client meets a sample of the servers, chosen by STEADY_SEED.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
import subprocess
import sys

import pytest
from support.torture import BEHAVIOURS, TIMEOUT, clients, serving

TESTS = pathlib.Path(__file__).resolve().parents[1]
SLACK = 5.0
"""Seconds for a busy machine; the time limits themselves are tested without a clock."""
MOST_MEGABYTES = 64
LONGEST = 60
SAMPLE = 5
NAMES = sorted(clients("", ""))


def behaviours(client: str) -> list[str]:
    chosen = random.Random(f"{os.environ.get('STEADY_SEED', '1')} {client}").sample(sorted(BEHAVIOURS), SAMPLE)
    return sorted(BEHAVIOURS) if os.environ.get("STEADY_LONG") else chosen


@pytest.mark.parametrize(("client", "behaviour"), [(name, one) for name in NAMES for one in behaviours(name)])
def test_a_bad_server(client: str, behaviour: str, tmp_path: pathlib.Path, counts: dict[str, int]) -> None:
    counts["calls"] += 1
    with serving(behaviour, tmp_path / "s" if client.endswith(" socket") else None) as address:
        command = [sys.executable, "-m", "support.torture", client, address, str(tmp_path)]
        environment = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent / '.collections'}"}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=LONGEST, env=environment, check=False
            )
        except subprocess.TimeoutExpired:
            counts["over_deadline"] += 1
            pytest.fail(f"did not end within {LONGEST} s")
    if done.returncode:
        counts["tracebacks"] += 1
        pytest.fail(done.stderr)
    seen = json.loads(done.stdout)
    late, fat = seen["seconds"] > TIMEOUT + SLACK, seen["megabytes"] > MOST_MEGABYTES
    counts["over_deadline"] += late
    counts["over_memory"] += fat
    assert not late, seen
    assert not fat, seen
    assert seen["outcome"].strip(), seen
