# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd says of a unit, read from its own words (systemd 252 and 257)."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils import units
from ansible_collections.steady.rollout.plugins.module_utils.call import Call, perform
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

RUNNING = (
    "NRestarts=0\nExecMainCode=0\nExecMainStatus=0\nMainPID=4711\nLoadState=loaded\nActiveState=active\n"
    "SubState=running\nResult=success\n"
)
LOOPING = RUNNING.replace("NRestarts=0", "NRestarts=5").replace("ActiveState=active", "ActiveState=activating")
LOOPING = (
    LOOPING.replace("running", "auto-restart").replace("success", "exit-code").replace("MainPID=4711", "MainPID=0")
)
LOOPING = LOOPING.replace("Code=0", "Code=1").replace("Status=0", "Status=7")
FAILED = (
    LOOPING.replace("auto-restart", "failed").replace("activating", "failed").replace("exit-code", "start-limit-hit")
)
KILLED = FAILED.replace("start-limit-hit", "oom-kill").replace("Code=1", "Code=2").replace("Status=7", "Status=9")


class Host:
    def __init__(self, show: str = RUNNING, journal: str = "", status: int = 0, stderr: str = "") -> None:
        self.asked: list[list[str]] = []
        self._show, self._journal, self._status, self._stderr = show, journal, status, stderr

    def run_command(self, argv: list[str], **options: t.Any) -> tuple[int, str, str]:
        self.asked.append(argv)
        if "journalctl" in argv:
            return self._status, self._journal, self._stderr
        return self._status, self._show, self._stderr

    def info(self, unit: str = "shop.service", lines: int = 20) -> dict[str, t.Any]:
        return perform(units.core, Call({"unit": unit, "lines": lines}, False, False, print, self.run_command))


@pytest.mark.parametrize(
    ("show", "loops", "failed", "sentence"),
    [
        (RUNNING, False, False, "shop.service is active (running)"),
        (
            LOOPING,
            True,
            False,
            "shop.service is activating (auto-restart), result exit-code, restarted 5 times; its process exited with status 7",
        ),
        (
            FAILED,
            True,
            True,
            "shop.service is failed (failed), result start-limit-hit, restarted 5 times; its process exited with status 7",
        ),
        (
            KILLED,
            False,
            True,
            "shop.service is failed (failed), result oom-kill, restarted 5 times; its process was killed by signal 9",
        ),
    ],
)
def test_how_a_unit_is(show: str, loops: bool, failed: bool, sentence: str) -> None:
    info = Host(show).info()
    assert (info["crash_loops"], info["has_failed"], info["msg"]) == (loops, failed, sentence)


def test_the_end_of_the_journal_is_data() -> None:
    host = Host(journal="\n".join(["old"] * 30 + ["\x1b[31mno such table\x1b[0m", "", "x" * 5000]))
    assert host.info(lines=3)["journal"] == ["old", r"\x1b[31mno such table\x1b[0m", "x" * 300]
    assert host.asked[1][4:] == ["journalctl", "--no-pager", "--output=cat", "--lines=3", "--unit=shop.service"]


def test_no_lines_ask_no_journal() -> None:
    host = Host()
    assert host.info(lines=0)["journal"] == []
    assert len(host.asked) == 1


@pytest.mark.parametrize("show", ["", "garbage", "=\n=\n"])
def test_garbage_is_no_state(show: str) -> None:
    with pytest.raises(RolloutError, match=r"^systemctl show shop\.service failed with exit status 0: "):
        Host(show).info()


def test_numbers_that_are_none_count_as_0() -> None:
    info = Host("ActiveState=\x00\nNRestarts=" + "9" * 5000).info()
    assert (info["active_state"], info["restarts"]) == (r"\x00", 0)


def test_systemd_that_does_not_answer() -> None:
    with pytest.raises(RolloutError) as caught:
        Host("", status=1, stderr="Failed to connect to bus: No such file or directory\n").info()
    assert caught.value.message == (
        "systemctl show shop.service failed with exit status 1: Failed to connect to bus: No such file or directory"
    )


def test_a_host_without_systemd() -> None:
    def run_command(argv: list[str], **options: t.Any) -> tuple[int, str, str]:
        raise FileNotFoundError(2, "No such file or directory", "timeout")

    with pytest.raises(RolloutError) as caught:
        units.read(run_command, "shop.service")
    assert caught.value.message == (
        "systemctl show shop.service failed with exit status 127: systemctl: No such file or directory"
    )
    assert units.explained(run_command, "shop.service") == []


@pytest.mark.parametrize("name", ["", "--root=/tmp", "a b", "shop\n", "../x", "x" * 300])
def test_names_of_no_unit(name: str) -> None:
    host = Host()
    with pytest.raises(RolloutError):
        host.info(name)
    assert host.asked == []


@pytest.mark.parametrize("name", ["shop", "shop@2.service", r"dev-disk-by\x2duuid.device", "-.mount"[1:] + ".mount"])
def test_names_of_units(name: str) -> None:
    units.check_name("unit", name)
