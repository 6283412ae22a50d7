# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
import tempfile

import pytest
from fleet.world.rolling import Ended
from fleet.world.silence import Listener, longest


@pytest.mark.parametrize(("moments", "seconds"), [([], 0.0), ([7.0], 0.0), ([0.0, 2.0, 9.0, 10.0], 7.0)])
def test_silence_is_the_longest_time_between_two_moments(moments: list[float], seconds: float) -> None:
    assert longest(moments) == seconds


def test_a_program_that_never_writes_is_silent_to_its_end() -> None:
    clock = itertools.count(0.0, 5.0)
    with tempfile.TemporaryFile() as output:
        listener = Listener(output.fileno(), lambda: True, lambda: next(clock))
        assert listener.longest_silence() == 5.0


def test_what_is_written_ends_a_silence() -> None:
    clock, asked = itertools.count(0.0, 5.0), itertools.count()
    with tempfile.TemporaryFile() as output:

        def is_over() -> bool:
            output.write(b"another line\n")
            output.flush()
            return next(asked) == 2

        assert Listener(output.fileno(), is_over, lambda: next(clock)).longest_silence() == 5.0


def test_a_gate_that_detects_nothing_is_for_the_operator_to_read() -> None:
    assert Ended(0, "[WARNING]: step 1 (5 %): At 100 requests/s and a share of 5 %, twice\n", 0.0).complaints == []


def test_warnings_and_tracebacks_are_complaints() -> None:
    output = "[WARNING]: The loop variable\n  Traceback (most recent call last):\n[DEPRECATION WARNING]: old\na line\n"
    assert Ended(0, output, 0.0).complaints == [
        "[WARNING]: The loop variable",
        "Traceback (most recent call last):",
        "[DEPRECATION WARNING]: old",
    ]
