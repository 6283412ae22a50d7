# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many workers with a session each to one sshd that allows 10 sessions a connection and drops beginners past 10."""

from __future__ import annotations

import typing as t

from support.executing import Controller
from support.sshd import Sshd

WORKERS = 50


def test_fifty_workers_share_one_host(controller: Controller) -> None:
    """Of fifty sessions past MaxSessions and MaxStartups fourteen ended with rc 255, called a broken balancer."""
    with Sshd() as server:
        seen = called_at_once(controller, server, WORKERS)
        log = server.log()
    assert {call["kind"] for calls in seen for call in calls} == {"session"}
    assert not [call for calls in seen for call in calls if call["result"].get("failed")]
    assert log.count("Accepted publickey") == -(-WORKERS // 8)
    assert not [line for line in log.splitlines() if "drop" in line or "exceeded" in line]


def test_an_sshd_that_allows_less_is_given_what_it_allows(controller: Controller) -> None:
    with Sshd(config="MaxSessions 3\nMaxStartups 1:90:3\n") as server:
        seen = called_at_once(controller, server, 12)
    assert {call["kind"] for calls in seen for call in calls} == {"session"}
    assert not [call for calls in seen for call in calls if call["result"].get("failed")]


def called_at_once(controller: Controller, server: Sshd, workers: int) -> list[list[dict[str, t.Any]]]:
    """What came of two calls of each worker, with all sessions open at the same time."""
    controller.hosts["lb1"] = server.variables()
    controller.hosts.update({f"app{number}": {"ansible_connection": "local"} for number in range(workers)})
    look: dict[str, t.Any] = {"host": "lb1", "module": "rollout_info", "arguments": {"ledger": "/nonexistent/x.db"}}
    controller.settings["ANSIBLE_FORKS"] = str(workers)
    run = controller.start([[look], [look]], hosts="app*", meet=workers)
    printed = run.communicate(timeout=570)[0]
    assert run.returncode == 0, printed
    seen = controller.met()
    assert len(seen) == workers
    return seen
