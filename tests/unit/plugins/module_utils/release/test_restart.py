# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is run for a service that runs a release: by systemd and by commands."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.release import daemon_reload, restart
from ansible_collections.steady.rollout.plugins.module_utils.release.restart import Restart

SHOW = (
    "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nResult=exit-code\nNRestarts=5\n"
    "ExecMainCode=1\nExecMainStatus=7\nMainPID=0\n"
)
BOTH = Restart("shop.service", (("/opt/shop/ctl", "stop"), ("/opt/shop/ctl", "start it")), 300.0)


class Programs:
    """Notes what is run; what holds the word *refuses* fails."""

    def __init__(self, refuses: str = "nothing", status: int = 1) -> None:
        self.run: list[str] = []
        self._refuses = refuses
        self._status = status

    def run_command(self, argv: list[str], **_options: t.Any) -> tuple[int, str, str]:
        argv = argv[4:] if argv[0] == "timeout" else argv
        if argv[:2] == ["systemctl", "show"]:
            return 0, SHOW, ""
        self.run.append(" ".join(argv))
        if argv[0] == "journalctl":
            return 0, "starting\nno such table: orders\n", ""
        if self._refuses in argv:
            return self._status, "", "Job for shop.service failed.\nSee systemctl status.\n"
        return 0, "", ""

    def call(self) -> Call:
        return Call({}, False, diff=False, warn=print, run_command=self.run_command)


def test_everything_in_its_order_and_without_the_mark_of_the_run() -> None:
    programs = Programs()
    restart.perform(programs.call(), BOTH)
    assert programs.run == [
        "systemctl daemon-reload",
        "systemctl reset-failed -- shop.service",
        "systemctl restart -- shop.service",
        "env -u STEADY_ROLLOUT_RUN /opt/shop/ctl stop",
        "env -u STEADY_ROLLOUT_RUN /opt/shop/ctl start it",
    ]
    assert BOTH.actions == ["restart shop.service", "run /opt/shop/ctl stop", "run /opt/shop/ctl 'start it'"]


def test_systemd_was_reloaded_though_no_unit_had_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_reload, "is_needed", lambda run_command, unit: unit != "shop.service")
    programs = Programs()
    restart.perform(programs.call(), Restart("shop.service"))
    assert programs.run == ["systemctl reset-failed -- shop.service", "systemctl restart -- shop.service"]


def test_a_unit_that_has_not_failed_is_restarted_all_the_same() -> None:
    programs = Programs(refuses="reset-failed")
    restart.perform(programs.call(), Restart("shop.service"))
    assert programs.run[-1] == "systemctl restart -- shop.service"


def test_a_restart_that_fails_shows_the_state_of_the_unit() -> None:
    with pytest.raises(RolloutError) as raised:
        restart.perform(Programs(refuses="restart").call(), Restart("shop.service"))
    assert raised.value.message == (
        "'systemctl restart shop.service' failed with exit status 1: Job for shop.service failed. See systemctl status. "
        "shop.service is activating (auto-restart), result exit-code, restarted 5 times; its process exited with status "
        "7. Its journal ends with: starting | no such table: orders"
    )
    assert raised.value.result == {"kind": "start"}


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (3, "'/opt/shop/ctl stop' failed with exit status 3: Job for shop.service failed. See systemctl status."),
        (124, "'/opt/shop/ctl stop' did not end within 300 s and was terminated."),
    ],
)
def test_a_command_that_fails_ends_it(status: int, message: str) -> None:
    programs = Programs("stop", status)
    with pytest.raises(RolloutError) as raised:
        restart.perform(programs.call(), BOTH)
    assert (raised.value.message, raised.value.result) == (message, {"kind": "start"})
    assert programs.run[-1].endswith("ctl stop")


def test_what_the_options_mean() -> None:
    given = {"state": "active", "restart": "shop", "stop_command": "ctl 'stop all'", "start_command": ["ctl", 1]}
    assert restart.from_params({**given, "restart_timeout": "2m"}) == Restart(
        "shop", (("ctl", "stop all"), ("ctl", "1")), 120.0
    )
    assert restart.from_params({"state": "staged"}).actions == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"restart": "shop", "state": "staged"}, "restart: goes with state=active only, not with state=staged."),
        ({"start_command": "a", "state": "bad"}, "start_command: goes with state=active only, not with state=bad."),
        ({"restart": "--now"}, "restart: '--now' is not the name of a systemd unit, such as shop.service."),
        ({"restart": "shop\n"}, "restart: 'shop\n' is not the name of a systemd unit, such as shop.service."),
        ({"stop_command": "a 'b"}, 'stop_command: expected a command line, or a list of words; found "a \'b".'),
        ({"stop_command": 7}, "stop_command: expected a command line, or a list of words; found '7'."),
    ],
)
def test_what_cannot_be_right(given: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputError) as raised:
        restart.from_params({"state": "active", **given})
    assert raised.value.message == message
