# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One of the many processes of a run is killed: users notice nothing, and after one more run nothing stays drained."""

from __future__ import annotations

import pathlib
import time

import pytest
from fleet.lab.hosts import Lab
from fleet.world import processes
from fleet.world.faults import Held
from fleet.world.held_step import HeldStep
from fleet.world.processes import Kill
from fleet.world.rolling import Ended, Rolling, Run
from fleet.world.shop import Shop
from fleet.world.unnoticed import assert_unnoticed
from support.background import Background

NEW = "2.0.0"
FLOOR, WINDOW = 4, 2
CONTAINER = (
    "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts",
    "sh", "-c", 'hostname container; exec "$@"', "sh",
)  # fmt: skip
LEASE_IS_FREE_AFTER = 90.0
NO_WATCH = "This run has no watch: from here on a host is observed only while its own steps run"


def kill_worker(run: Run, lab: Lab, host: str) -> None:
    processes.kill(processes.worker_of(run, host))


def kill_ssh(run: Run, lab: Lab, host: str) -> None:
    processes.kill(processes.ssh_to(run, host))


def kill_connections(run: Run, lab: Lab, host: str) -> None:
    """Of all hosts, balancers among them."""
    found = processes.connections(lab)
    assert found
    processes.kill(*found)


def kill_sharing(run: Run, lab: Lab, host: str) -> None:
    """With it go the sessions in which all hosts in flight wait for their drains."""
    processes.kill(processes.sharing(run))


def kill_remote_end(run: Run, lab: Lab, host: str) -> None:
    assert processes.kill_remote_ends(lab, host)


def kill_remote_ends_on_balancer(run: Run, lab: Lab, host: str) -> None:
    assert processes.kill_remote_ends(lab, "lb1")


long = pytest.mark.long


@pytest.mark.parametrize(
    "kill",
    [
        pytest.param(kill_worker, id="worker"),
        pytest.param(kill_sharing, id="shared sessions"),
        pytest.param(kill_ssh, id="ssh", marks=long),
        pytest.param(kill_connections, id="ssh connections", marks=long),
        pytest.param(kill_remote_end, id="remote end", marks=long),
        pytest.param(kill_remote_ends_on_balancer, id="remote ends on a balancer", marks=long),
    ],
)
def test_nothing_stays_drained_after_one_more_run(
    shop: Shop, rolling: Rolling, users: Background, eyes: Background, kill: Kill
) -> None:
    shop.lab.add_release(NEW)
    with Held(shop, *shop.apps) as held:
        run = rolling.start(NEW)
        host = sorted(held.await_some(run, 1))[0]
        kill(run, shop.lab, host)
        held.let_go()
        ended = run.wait(warns=True)
    if kill is kill_worker:
        assert ended.exit_code != 0, ended.output
        assert ended.said(
            f"The worker process of {host} was killed, and Ansible would wait for it for ever. The run ends now; run the "
            "same playbook again to resume or roll back."
        ), ended.output
    again = rolling.run(NEW, rollout_allow_bad=True)
    assert again.exit_code == 0, f"{ended.output}\n{again.output}\n{shop.story()}"
    assert_nobody_noticed(shop, users, eyes)


@pytest.mark.parametrize("what", [pytest.param("watch"), pytest.param("watch and keeper", marks=long)])
def test_a_rollout_whose_watch_is_killed_succeeds_and_reports_it(
    shop: Shop, rolling: Rolling, users: Background, eyes: Background, what: str
) -> None:
    shop.lab.add_release(NEW)
    with Held(shop, *shop.apps) as held:
        run = rolling.start(NEW)
        held.await_some(run, 1)
        doomed = [processes.watch(run)]
        if what == "watch and keeper":
            doomed.insert(0, processes.keeper(run))
        processes.kill(*doomed)
        held.let_go()
        ended = run.wait()
    assert ended.exit_code == 0, ended.output
    if what == "watch":
        assert ended.said("The watch of this run was killed by signal 9; it is started again."), ended.output
    assert (NO_WATCH in " ".join(ended.output.split())) == (what != "watch"), ended.output
    assert_nobody_noticed(shop, users, eyes)


@long
def test_the_lease_of_a_container_that_was_killed_is_free_soon(
    shop: Shop, rolling: Rolling, fleet: Lab, users: Background, eyes: Background, tmp_path: pathlib.Path
) -> None:
    """From elsewhere it cannot be seen that the run is dead: only its lease expires, with hosts in a step of hours."""
    shop.lab.add_release(NEW)
    step = HeldStep(shop, tmp_path)
    settings = {"rollout_after_update_tasks": step.tasks, "rollout_step_timeout": "2h"}
    killed = Rolling(fleet, within=CONTAINER).start(NEW, **settings)
    step.await_hosts(killed, 2)
    killed.kill(group=False)
    dead_since = time.monotonic()
    step.let_go()
    refused = rolling.run(NEW, **settings)
    assert refused.exit_code != 0, refused.output
    assert "on container (pid " in refused.last_line, refused.output
    time.sleep(max(0.0, dead_since + LEASE_IS_FREE_AFTER - time.monotonic()))
    ended = rolling.run(NEW, **settings)
    assert ended.exit_code == 0, story_of(killed, ended, shop)
    assert_nobody_noticed(shop, users, eyes)


def assert_nobody_noticed(shop: Shop, users: Background, eyes: Background) -> None:
    assert shop.all_on(NEW), shop.versions()
    shop.await_all_in_rotation()
    assert_unnoticed(shop, users, eyes, FLOOR, WINDOW)


def story_of(killed: Run, ended: Ended, shop: Shop) -> str:
    return f"{shop.versions()}\nkilled run:\n{killed.output}\nnext run:\n{ended.output}\nevents:\n{shop.story()}"
