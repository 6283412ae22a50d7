# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A watch that is killed is started again; a run without one says so."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.watch import process
from ansible_collections.steady.rollout.plugins.plugin_utils.watch.process import NO_WATCH, STARTS


@pytest.fixture(autouse=True)
def directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(process.slots, "run_directory", lambda: str(tmp_path))
    return tmp_path


def killed_times(directory: pathlib.Path, times: int) -> list[str]:
    """What is shown of a watch that is killed so often and then ends by itself."""

    def watch() -> None:
        with (directory / "lives").open("a+") as lives:
            lives.write("x")
            lives.flush()
            if lives.tell() <= times:
                os.kill(os.getpid(), signal.SIGKILL)

    shown: list[str] = []
    process.keep(watch, shown.append, pause=0.0)
    return shown


def test_a_watch_that_ends_by_itself_is_not_started_again(directory: pathlib.Path) -> None:
    assert killed_times(directory, 0) == []
    assert (directory / "lives").read_text() == "x"


def test_a_killed_watch_went_undetected(directory: pathlib.Path) -> None:
    assert killed_times(directory, 2) == ["The watch of this run was killed by signal 9; it is started again."] * 2
    assert (directory / "lives").read_text() == "xxx"


def test_a_watch_that_is_killed_again_and_again_is_given_up(directory: pathlib.Path) -> None:
    shown = killed_times(directory, 100)
    assert len(shown) == STARTS
    assert shown[-1] == f"The watch of this run was killed by signal 9 again and again. {NO_WATCH}"


def test_a_run_whose_watch_is_gone_warns_once(directory: pathlib.Path) -> None:
    shown: list[str] = []
    process.say_if_gone(shown.append)
    assert shown == []  # None was started, so none is missed.
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as watch:
        process._note(watch.pid)
        process.say_if_gone(shown.append)
        assert shown == []
    process.say_if_gone(shown.append)
    process.say_if_gone(shown.append)
    assert shown == [NO_WATCH]
