# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts get a timer, and what each is asked."""

from __future__ import annotations

import time
import typing as t

import pytest
from support.scripted_executors import ScriptedExecutors

from ansible_collections.steady.rollout.plugins.plugin_utils.restore_timers import calls
from ansible_collections.steady.rollout.plugins.plugin_utils.restore_timers.program import program

LB1 = {"host": "lb1", "socket": "/run/haproxy.sock", "pool": "shop"}
CLAIM = {"service": "shop", "ledger": "l1", "token": 7}
BEFORE = {"ledger": "l1", "token": 6, "active": True}
REPORT = {"at": 1.7e9, "where": "lb1 x", "member": "app1", "outcome": "restored", "why": "silence"}


def asked(executors: ScriptedExecutors) -> list[tuple[str, str, bool]]:
    """Host, state, and whether the program went with it."""
    return [(host, given["state"], "program" in given) for host, given in executors.done("restore_timer")]


@pytest.mark.parametrize(
    ("balancer", "why"),
    [
        (LB1, ""),
        ({"type": "nginx", "upstream_file": "/etc/nginx/shop.conf"}, ""),
        ({"type": "aws_target_group"}, "aws_target_group is changed from the controller only"),
        (
            {"type": "apache", "manager_password": "secret"},
            "manager_password is a secret, and secrets are not stored on that host",
        ),
    ],
)
def test_which_balancers_a_timer_can_change(balancer: dict[str, t.Any], why: str) -> None:
    assert calls.why_not(balancer) == why


def test_a_host_has_one_timer_for_all_of_its_pools() -> None:
    apache = {"type": "apache", "manager_password": "secret", "host": "lb3"}
    balancers = [
        LB1,
        {**LB1, "pool": "api"},
        {"type": "route53"},
        {**LB1, "host": "lb2"},
        apache,
        {**apache, "host": "lb1"},
    ]
    assert calls.places(balancers) == (
        ["lb1", "lb2"],
        {"lb3": "manager_password is a secret, and secrets are not stored on that host"},
    )


def test_the_program_is_sent_only_where_it_is_missing() -> None:
    kept = {"lb1"}

    def answer(host: str, module: str, given: dict[str, t.Any]) -> dict[str, t.Any]:
        if host == "lb3":
            return {"why_not": "neither systemd nor cron runs there"}
        is_there = host in kept or "program" in given
        return {"armed": True, "reports": [REPORT]} if is_there else {"needs_program": True}

    executors = ScriptedExecutors(answer)
    found = calls.arm(t.cast("t.Any", executors), ["lb1", "lb2", "lb3"], CLAIM, {"lb1": BEFORE}, "10m")
    assert found == {
        "armed": ["lb1", "lb2"],
        "why_not": {"lb3": "neither systemd nor cron runs there"},
        "reports": [{"host": "lb1", **REPORT}, {"host": "lb2", **REPORT}],
    }
    assert asked(executors) == [
        ("lb1", "armed", False), ("lb2", "armed", False), ("lb3", "armed", False), ("lb2", "armed", True)
    ]  # fmt: skip
    ((dummy, first), *_others) = executors.done("restore_timer")
    assert first == {
        "state": "armed", "claim": CLAIM, "digest": program().digest, "after": "10m", "claim_before": BEFORE
    }  # fmt: skip


def test_a_host_that_cannot_be_read_reports_it() -> None:
    executors = ScriptedExecutors(lambda host, module, given: {"failed": True, "msg": "lb1 does not answer"})
    found = calls.arm(t.cast("t.Any", executors), ["lb1"], CLAIM, {}, "10m")
    assert (found["armed"], found["why_not"]) == ([], {"lb1": "lb1 does not answer"})


def test_heartbeat_and_end() -> None:
    executors = ScriptedExecutors(lambda host, module, given: {"reports": [REPORT] if host == "lb2" else []})
    calls.renew(t.cast("t.Any", executors), ["lb1", "lb2"], CLAIM)
    assert calls.disarm(t.cast("t.Any", executors), ["lb1", "lb2"], CLAIM) == [{"host": "lb2", **REPORT}]
    states = [(host, state) for host, state, dummy in asked(executors)]
    assert states == [("lb1", "renewed"), ("lb2", "renewed"), ("lb1", "disarmed"), ("lb2", "disarmed")]


def test_what_a_timer_did_is_one_line() -> None:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(REPORT["at"]))  # type: ignore[arg-type]
    line = calls.sentence({"host": "lb1", **REPORT})
    assert line == f"app1 was put back in service by the restore timer on lb1 at {at}: silence"
    left = calls.sentence({"host": "lb1", **REPORT, "outcome": "left_changing"})
    assert left == f"app1 was not restored by the restore timer on lb1 at {at}: silence"
