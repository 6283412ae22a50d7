# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restore timer's own program on every type of load balancer: it has nothing but what was sent and its record."""

from __future__ import annotations

import pathlib

import pytest
from support.caller import Caller
from support.timed_host import TimedHost

from ansible_collections.steady.rollout.plugins.plugin_utils.restore_timers import calls


def test_a_silent_run_gets_its_unchanged_members_restored(
    shop: Caller, directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    why_not = calls.why_not(shop.settings)
    if why_not:
        pytest.skip(why_not)
    host = TimedHost(directory / "timed", monkeypatch)
    assert host.begin()["armed"]
    first, second, *rest = shop.states()
    drained = shop.put(first, second, state="drained", claim=host.claim(), restore_timer=True)
    assert drained.error == ""
    assert host.call("changing", members=[second])["changed"]
    assert host.look() == (0, "")
    host.later(601)
    status, said = host.look()
    assert status == 0, said
    assert shop.states() == {first: "in_service", second: "drained", **dict.fromkeys(rest, "in_service")}
    assert host.members() == [([], [second])]
