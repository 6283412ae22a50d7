# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invariant 8 from the outside: SIGSTOP, another run takes over and finishes, SIGCONT. The first run changes nothing more.

Before the claims and the fence, the resumed run switched a serving host to its old version and restarted it.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import time
import typing as t

import pytest
from fleet.world import frozen
from fleet.world.coordinator import LIVES_ON, Coordinator
from fleet.world.held_step import HeldStep
from fleet.world.moments import Moment, spread
from fleet.world.rolling import Rolling, Run
from fleet.world.shop import Shop
from support.background import Background

from ansible_collections.steady.rollout.plugins.module_utils import processes

MARK = "/var/lib/steady-rollout/resumed"
AFTERWARDS = f"""\
- name: Change the host after the step that was suspended
  ansible.builtin.command: touch {MARK}
"""
DIARY = "/var/lib/steady-rollout-diary"
STEP = f"""\
- name: Change the host
  ansible.builtin.shell: sleep 0.5; echo {{{{ diary_name }}}} >> {DIARY}
"""
SEED = 90_210
MOMENTS = 10
EVENTS = 50
"""What the run has written to its ledger half-way through its hosts: then it cannot be over when it is stopped."""
LATER = 1.5
SETTLED = 3.0
"""Seconds in which whoever was continued has had the time to do something."""
CLAIMS = "for claim in /var/lib/steady-rollout-claims/*.claim; do cat $claim; done"


def moments() -> list[t.Any]:
    """Every moment of each part; one of the whole controller is no part of the long series."""
    params = []
    for part in PARTS:
        for number, moment in enumerate(spread(EVENTS, MOMENTS, LATER, SEED)):
            moment = Moment(max(moment.events, 3), moment.seconds)
            sample = (part, number) == ("controller", 4)
            marks = () if sample else (pytest.mark.long,)
            params.append(pytest.param(part, moment, id=f"{part}, {moment}", marks=marks))
    return params


PARTS: dict[str, t.Callable[[Shop, Run], frozen.Frozen]] = {
    "controller": lambda shop, run: frozen.Local(run, frozen.whole_run),
    "worker": lambda shop, run: frozen.Local(run, frozen.workers_of),
    "session": lambda shop, run: frozen.Sessions(shop, shop.apps),
    "coordinator": lambda shop, run: frozen.Sessions(shop, [LIVES_ON]),
}


@pytest.mark.parametrize(("part", "moment"), moments())
def test_whatever_was_suspended_changes_nothing_after_another_run_took_over(
    shop: Shop, rolling: Rolling, users: Background, tmp_path: pathlib.Path, part: str, moment: Moment
) -> None:
    shop.lab.add_release("2.0.0")
    for app in shop.apps:
        shop.lab.run(app, ["rm", "-f", DIARY])
    step = tmp_path / "step.yml"
    step.write_text(STEP, encoding="utf-8")
    settings = {f"rollout_{hook}_tasks": str(step) for hook in ("before_drain", "before_update", "after_update")}
    with ledger_of(shop, tmp_path, part) as (words, own, events):
        settings = {**settings, **own}
        first = rolling.start("2.0.0", *words, diary_name="first", **settings)
        shop.await_that(lambda: first.is_over or len(events()) >= moment.events, 120.0)
        first.wait_at_most(moment.seconds)
        stopped = PARTS[part](shop, first)
        shop.await_that(lambda: first.is_over or stopped.stop(), 30.0)
        try:
            assert not first.is_over, first.output
            second = rolling.run("2.0.0", *words, diary_name="second", rollout_take_over=True, **settings)
            outputs = f"{second.output}\nfirst run:\n{first.output}"
            assert second.exit_code == 0, outputs
            assert shop.all_on("2.0.0"), outputs
            before = everything(shop)
        finally:
            stopped.go_on()
        ended = first.wait(silent=True, warns=True)
        time.sleep(SETTLED)
        assert ended.exit_code != 0, ended.output
        assert everything(shop) == before, ended.output
        owners = [event["run"] for event in events() if event["kind"] == "opened"]
        refused = {event["run"] for event in events() if event["kind"] == "refused_stale_run"}
        assert refused == {owners[0]}, ended.output
    shop.await_all_in_rotation()
    assert users.stop()["failed"] == 0


@pytest.mark.long
@pytest.mark.parametrize("moment", ["after_update", "after_drain"])
def test_a_controller_that_was_suspended_changes_nothing_after_another_run_took_over(
    shop: Shop, rolling: Rolling, users: Background, tmp_path: pathlib.Path, moment: str
) -> None:
    shop.lab.add_release("2.0.0")
    held = HeldStep(shop, tmp_path)
    with open(held.tasks, "a", encoding="utf-8") as stream:
        stream.write(AFTERWARDS)
    first = rolling.start("2.0.0", **{f"rollout_{moment}_tasks": held.tasks})
    held.await_hosts(first, 1)
    os.kill(first.pid, signal.SIGSTOP)
    try:
        held.let_go()
        second = rolling.run("2.0.0", rollout_take_over=True)
        assert second.exit_code == 0, second.output
        assert shop.all_on("2.0.0"), shop.versions()
        before = shop.starts()
        for app in shop.apps:
            shop.lab.run(app, ["rm", "-f", MARK])
    finally:
        os.kill(first.pid, signal.SIGCONT)
    ended = first.wait(silent=True)
    assert ended.exit_code != 0, ended.output
    assert shop.having(MARK) == set(), ended.output
    assert shop.starts() == before
    shop.await_all_in_rotation()
    assert users.stop()["failed"] == 0


@pytest.mark.long
def test_a_module_whose_program_never_came_kept_the_next_run_waiting(
    shop: Shop, rolling: Rolling, users: Background, tmp_path: pathlib.Path
) -> None:
    """The pipe of its standard input is open and silent, as sshd keeps it while the controller is suspended."""
    shop.lab.add_release("2.0.0")
    held = HeldStep(shop, tmp_path)
    first = rolling.start("2.0.0", rollout_before_update_tasks=held.tasks)
    held.await_hosts(first, 1)
    first.kill(group=True)
    run = next(event["run"] for event in shop.events() if event["kind"] == "opened")
    for app in held.hosts():
        shop.lab.run(app, ["systemd-run", "sh", "-c", f"sleep 600 | {processes.RUN_MARK}={run} /usr/bin/python3"])
    held.let_go()
    second = rolling.run("2.0.0", rollout_before_update_tasks=held.tasks)
    assert second.exit_code == 0, second.output
    assert shop.all_on("2.0.0"), shop.versions()
    assert users.stop()["failed"] == 0


def test_the_host_refuses_what_passed_the_check_of_the_controller(
    shop: Shop, rolling: Rolling, tmp_path: pathlib.Path
) -> None:
    """The token on the host is newer: its own check refuses the task, though the controller's lets it run."""
    shop.lab.add_release("2.0.0")
    held = HeldStep(shop, tmp_path)
    with open(held.tasks, "a", encoding="utf-8") as stream:
        stream.write(AFTERWARDS)
    run = rolling.start("2.0.0", rollout_before_update_tasks=held.tasks)
    held.await_hosts(run, 2)
    for app in held.hosts():
        newer = 's/"token": 1,/"token": 2,/'
        shop.lab.run(app, ["sed", "-i", newer, "/var/lib/steady-rollout-claims/shop.claim"])
    in_step = held.hosts()
    held.let_go()
    ended = run.wait()
    assert ended.exit_code != 0
    assert shop.having(MARK) & in_step == set(), ended.output
    for app in in_step:
        assert ended.said(
            "/var/lib/steady-rollout-claims/shop.claim: a later run (token 2, ours is 1) has taken over; this task changes "
            "nothing."
        ), ended.output
        assert (shop.versions()[app], app in shop.drained()) != ("2.0.0", False), ended.output


@contextlib.contextmanager
def ledger_of(shop: Shop, folder: pathlib.Path, part: str) -> t.Iterator[tuple[t.Any, dict[str, t.Any], t.Any]]:
    """Words, settings and events of the ledger: on this machine or, where the coordinator is stopped, on a host."""
    if part != "coordinator":
        yield (), {}, shop.events
        return
    with Coordinator(shop.lab, folder) as coordinator:
        yield coordinator.words, coordinator.settings, coordinator.events


def everything(shop: Shop) -> dict[str, t.Any]:
    """All that a run changes: processes, switches, the balancers' states, claims, and what its steps wrote."""
    return {
        "starts": shop.starts(),
        "current": {app: shop.lab.run(app, ["readlink", "/opt/shop/current"]).stdout for app in shop.apps},
        "diaries": {app: shop.read(app, DIARY) for app in shop.apps},
        "rotation": shop.in_rotation(),
        "claims": {
            host: shop.lab.run(host, ["sh", "-c", CLAIMS], check=False).stdout for host in (*shop.apps, *shop.balancers)
        },
    }
