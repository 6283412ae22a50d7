# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ast
import itertools
import pathlib
import subprocess
import tempfile
import typing as t

import pytest
from fleet.world.rolling import Ended, Run
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


def silent_run() -> Run:
    """A program that prints nothing, by a clock that strides."""
    run = object.__new__(Run)
    run._output = tempfile.TemporaryFile()  # noqa: SIM115  open as long as the run
    run._process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    clock = itertools.count(0.0, 100.0)
    run._listener = Listener(run._output.fileno(), lambda: run.is_over, lambda: next(clock))
    return run


def test_a_run_that_is_killed_is_held_to_the_limit_too() -> None:
    with pytest.raises(AssertionError) as failed:
        silent_run().kill(group=True)
    assert str(failed.value) == "nothing was printed for 100.0 s after 'its start':\n"


def test_a_run_that_may_be_silent_is_not() -> None:
    silent_run().kill(group=True, silent=True)


FLEET = pathlib.Path(__file__).parents[2] / "fleet"
MAY_BE_SILENT = {
    "test_coordinator.py": "fifty hosts in a playbook of one's own, which has no watch",
    "test_dead_mans_switch.py": "the controller is suspended, or has no network",
    "test_judged_in_mixed_traffic.py": "the load of the traffic",
    "test_suspended_controller.py": "the controller is suspended",
    "test_timer.py": "ten runs at a time",
}


def calls_in(path: pathlib.Path) -> t.Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))


def lets_run_be_silent(call: ast.Call) -> bool:
    return any(
        word.arg == "silent" and not (isinstance(word.value, ast.Constant) and word.value.value is False)
        for word in call.keywords
    )


def test_runs_may_be_silent_in_these_tests_only() -> None:
    found = {path.name for path in FLEET.rglob("*.py") if any(map(lets_run_be_silent, calls_in(path)))}
    assert found <= set(MAY_BE_SILENT)


def test_playbooks_are_run_where_silence_is_noticed_only() -> None:
    """A test that starts ansible-playbook by itself would not be held to the limit."""
    words = {
        path.name: [word for call in calls_in(path) for word in call.args if isinstance(word, ast.Constant)]
        for path in FLEET.rglob("*.py")
    }
    assert [name for name, found in words.items() if "ansible-playbook" in {word.value for word in found}] == [
        "rolling.py"
    ]
