# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import signal

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote import answering


def test_a_program_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(RolloutError) as refused:
        answering.run_command(["/does/not/exist"])
    assert refused.value.message == "/does/not/exist cannot be run: No such file or directory."
    with pytest.raises(FileNotFoundError):
        answering.run_command(["/does/not/exist"], handle_exceptions=False)


def test_a_bug_is_a_failure_that_asks_for_a_report() -> None:
    def core(_call: object) -> dict[str, object]:
        raise KeyError("x")

    reply = answering.answer(core, {}, False, False)
    assert answering.result_of(reply, "release on app1") == {
        "changed": False,
        "failed": True,
        "msg": "release on app1 ended with KeyError: 'x'. Please report this as a bug.",
    }


def test_a_service_that_a_command_leaves_behind_is_not_waited_for() -> None:
    """It keeps standard output open for as long as it runs."""
    status, stdout, stderr = answering.run_command(["sh", "-c", "sleep 60 & echo $!; echo warned >&2; exit 3"])
    os.kill(int(stdout), signal.SIGKILL)  # raises where it has ended
    assert (status, stderr) == (3, "warned\n")


def test_output_that_is_no_text_and_without_end() -> None:
    status, stdout, dummy = answering.run_command(["sh", "-c", "yes | head -c 20000000; printf '\\377end'"])
    assert (status, len(stdout), stdout[-4:]) == (0, answering.LARGEST_OUTPUT, "\ufffdend")


def test_a_command_reads_what_it_is_given() -> None:
    assert answering.run_command(["cat"], data="abc") == (0, "abc", "")
    assert answering.run_command(["cat"]) == (0, "", "")
