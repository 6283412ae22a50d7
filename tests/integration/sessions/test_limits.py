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
        controller.hosts["lb1"] = server.variables()
        names = [f"app{number}" for number in range(WORKERS)]
        controller.hosts.update({name: {"ansible_connection": "local"} for name in names})
        look: dict[str, t.Any] = {"host": "lb1", "module": "rollout_info", "arguments": {"ledger": "/nonexistent/x.db"}}
        controller.settings["ANSIBLE_FORKS"] = str(WORKERS)
        run = controller.start([[look], [look]], hosts="app*", meet=WORKERS)
        printed = run.communicate(timeout=570)[0]
        assert run.returncode == 0, printed
        seen = controller.met()
        opened = server.log().count("Accepted publickey")
        refused = [
            line for line in server.log().splitlines() if "refused" in line or "drop" in line or "exceeded" in line
        ]
    assert len(seen) == WORKERS
    assert {call["kind"] for calls in seen for call in calls} == {"session"}
    assert not [call for calls in seen for call in calls if call["unreachable"] or call["result"].get("failed")]
    assert opened == -(-WORKERS // 8)
    assert refused == []
