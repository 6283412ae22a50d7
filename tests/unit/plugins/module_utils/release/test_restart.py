# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restart that makes a switch count."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.release.restart import check_restart, restart


class Systemd:
    """Notes what is asked of systemctl; *refuses* is the word that fails."""

    def __init__(self, refuses: str = "") -> None:
        self.asked: list[str] = []
        self._refuses = refuses

    def run_command(self, argv: list[str], **_options: t.Any) -> tuple[int, str, str]:
        self.asked.append(" ".join(argv[1:]))
        return (
            (1, "", "Job for shop.service failed.\nSee systemctl status.\n")
            if argv[1] == self._refuses
            else (0, "", "")
        )

    def call(self, check_mode: bool = False) -> Call:
        return Call({}, check_mode, diff=False, warn=print, run_command=self.run_command)


def test_a_crash_loop_is_forgotten_before_the_restart() -> None:
    systemd = Systemd()
    assert restart(systemd.call(), "shop.service") == "restart shop.service"
    assert systemd.asked == ["daemon-reload", "reset-failed shop.service", "restart shop.service"]


def test_a_unit_that_has_not_failed_is_restarted_all_the_same() -> None:
    systemd = Systemd(refuses="reset-failed")
    restart(systemd.call(), "shop.service")
    assert systemd.asked[-1] == "restart shop.service"


def test_a_restart_that_fails_is_a_failed_start() -> None:
    with pytest.raises(RolloutError) as raised:
        restart(Systemd(refuses="restart").call(), "shop.service")
    assert raised.value.message == (
        "systemctl restart shop.service failed with 1: Job for shop.service failed. See systemctl status."
    )
    assert raised.value.result == {"kind": "start"}


def test_check_mode_asks_systemd_for_nothing() -> None:
    systemd = Systemd()
    assert restart(systemd.call(check_mode=True), "shop.service") == "restart shop.service"
    assert systemd.asked == []


def test_only_what_is_made_active_can_be_restarted() -> None:
    check_restart({"restart": "shop", "state": "active"})
    check_restart({"restart": None, "state": "staged"})
    with pytest.raises(InputError, match=r"^restart: goes with state=active only, not with state=staged\.$"):
        check_restart({"restart": "shop", "state": "staged"})
