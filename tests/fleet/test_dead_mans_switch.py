# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller disappears at any moment: hosts that it had only drained are back within their time, others stay out."""

from __future__ import annotations

import contextlib
import pathlib
import time
import typing as t

import pytest
from fleet.world import frozen
from fleet.world.faults import Held
from fleet.world.held_step import HeldStep
from fleet.world.open_requests import OpenRequests
from fleet.world.rolling import Ended, Rolling, Run
from fleet.world.shop import Shop
from fleet.world.unnoticed import assert_unnoticed
from support.background import Background

AFTER = 30.0
LOOKS_EVERY = 5.0
HEARTBEAT = 5.0
SPARE = 15.0
"""Seconds for a look on a busy machine."""
FLOOR, WINDOW = 4, 2
UNITS = "ls /etc/systemd/system | grep -c steady-rollout-restore"
UNTOUCHED = ("before_drain", "draining", "draining, later")
"""Moments at which hosts in flight are as they were; after the drain a step of the user's may change them."""
SAMPLE = {("killed", "draining"), ("killed", "after_update")}
CASES = [
    ("killed", "before_drain"),
    ("killed", "draining"),
    ("cut", "draining"),
    ("killed", "draining, later"),
    ("suspended", "draining"),
    ("killed", "after_drain"),
    ("cut", "before_update"),
    ("killed", "update"),
    ("killed", "after_update"),
    ("cut", "before_restore"),
    ("killed", "before_restore"),
    ("killed", "after_restore"),
]


class Disappeared:
    """A run whose controller is silent: SIGKILL, SIGSTOP, or a network that carries nothing to the balancers."""

    def __init__(self, shop: Shop, run: Run, how: str) -> None:
        self._shop = shop
        self._run = run
        self._how = how
        self._frozen = frozen.Local(run, frozen.whole_run)

    def __enter__(self) -> Disappeared:
        if self._how == "killed":
            self._run.kill(group=True)
        elif self._how == "suspended":
            self._shop.await_that(self._frozen.stop, 30.0)
        else:
            self._to_sshd("STOP")
        return self

    def __exit__(self, *_error: object) -> None:
        """A run that was suspended goes on to its end; the one without a network is killed before that is mended."""
        if self._how == "suspended":
            self._frozen.go_on()
            self._run.wait(silent=True, warns=True)
        elif self._how == "cut":
            self._run.kill(group=True, silent=True)
            self._to_sshd("CONT")

    def _to_sshd(self, number: str) -> None:
        """Not a byte comes through, and nothing reports it: connections stay open, and new ones do not answer."""
        for balancer in self._shop.balancers:
            self._shop.lab.run(balancer, ["pkill", f"-{number}", "sshd"], check=False)


def moments() -> list[t.Any]:
    return [
        pytest.param(*case, id=", ".join(case), marks=() if case in SAMPLE else (pytest.mark.long,)) for case in CASES
    ]


@pytest.mark.parametrize(("how", "moment"), moments())
def test_unchanged_hosts_are_back_within_their_time_and_changed_ones_stay_out(
    shop: Shop, rolling: Rolling, users: Background, eyes: Background, tmp_path: pathlib.Path, how: str, moment: str
) -> None:
    shop.lab.add_release("2.0.0")
    before = shop.starts()
    with contextlib.ExitStack() as stack:
        run = stop_at(shop, rolling, tmp_path, moment, stack)
        out = shop.drained()
        with Disappeared(shop, run, how):
            gone_at = time.monotonic()
            if moment in UNTOUCHED:
                assert out or moment == "before_drain", run.output
                shop.await_all_in_rotation(within=AFTER + LOOKS_EVERY + SPARE)
                waited = time.monotonic() - gone_at
                assert not out or waited >= AFTER - HEARTBEAT - 1, f"restored after {waited:.1f} s"
                assert not shop.touched("2.0.0", before)
            else:
                time.sleep(AFTER + HEARTBEAT + 2 * LOOKS_EVERY + SPARE)
                assert shop.drained() == (set() if moment == "after_restore" else out), shop.in_rotation()
            assert_said(shop, moment, out)
    ended = rolling.run("2.0.0")
    assert ended.exit_code == 0, f"{ended.output}\n{run.output}\n{shop.story()}"
    assert shop.all_on("2.0.0"), ended.output
    shop.await_all_in_rotation()
    for app in out:
        assert is_reported(app, how, run, ended), f"{ended.output}\n{run.output}"
    assert_clean(shop, rolling, users, eyes)


def test_an_undisturbed_run_leaves_no_timer(shop: Shop, rolling: Rolling, users: Background, eyes: Background) -> None:
    shop.lab.add_release("2.0.0")
    ended = rolling.run("2.0.0", rollout_restore_after=AFTER)
    assert ended.exit_code == 0, ended.output
    assert not ended.said("restore timer"), ended.output
    assert_clean(shop, rolling, users, eyes)


@pytest.mark.long
def test_the_timer_survives_a_reboot_of_a_balancers_host(shop: Shop, rolling: Rolling, tmp_path: pathlib.Path) -> None:
    shop.lab.add_release("2.0.0")
    with OpenRequests(shop, "lb1") as requests:
        run = rolling.start("2.0.0", rollout_restore_after=AFTER)
        shop.await_that(lambda: run.is_over or bool(shop.drained()))
        run.kill(group=True)
        out = shop.drained()
        requests.finish()
    shop.lab.kill("lb1", silent=False)
    shop.lab.start("lb1")
    assert shop.in_rotation()["lb1"] == set(shop.apps) - out
    shop.await_all_in_rotation(within=AFTER + LOOKS_EVERY + SPARE)
    ended = rolling.run("2.0.0")
    assert ended.exit_code == 0, ended.output


def stop_at(shop: Shop, rolling: Rolling, folder: pathlib.Path, moment: str, stack: contextlib.ExitStack) -> Run:
    """A run that has come to the moment and stays there."""
    settings: dict[str, t.Any] = {"rollout_restore_after": AFTER}
    if moment.startswith("draining"):
        # Both balancers keep something at each host: none of them is drained before the end.
        for balancer in shop.balancers:
            stack.enter_context(OpenRequests(shop, balancer))
        run = rolling.start("2.0.0", rollout_drain_timeout=120, **settings)
        shop.await_that(lambda: run.is_over or bool(shop.drained()), 60.0)
        run.wait_at_most(4.0 if moment.endswith("later") else 0.0)
    elif moment == "update":
        held = stack.enter_context(Held(shop, *shop.apps))
        run = rolling.start("2.0.0", **settings)
        held.await_some(run, 2)
    else:
        step = HeldStep(shop, folder)
        run = rolling.start("2.0.0", **{f"rollout_{moment}_tasks": step.tasks}, **settings)
        step.await_hosts(run, 2)
        stack.callback(step.let_go)
    assert not run.is_over, run.output
    return run


def is_reported(app: str, how: str, run: Run, ended: Ended) -> bool:
    """A run that was only suspended reports at its own end what the timers did meanwhile."""
    if how == "suspended":
        return f"{app} was put back in service by the restore timer on lb1" in " ".join(run.output.split())
    return ended.said(f"{app}: the restore timer on lb1 has")


def assert_said(shop: Shop, moment: str, out: set[str]) -> None:
    """The journal of the balancer's host shows what was done with which host."""
    unit = "steady-rollout-restore-*.service"
    said = shop.lab.run("lb1", ["journalctl", "--no-pager", "--output=cat", f"--unit={unit}"], check=False).stdout
    for app in out:
        verb = "was put back in service" if moment in UNTOUCHED else "was not restored"
        assert f"shop: {app} {verb} on lb1" in said, said


def assert_clean(shop: Shop, rolling: Rolling, users: Background, eyes: Background) -> None:
    assert_unnoticed(shop, users, eyes, FLOOR, WINDOW)
    info = rolling.info()
    assert info["chain"]["intact"]
    assert info["left_out"] == []
    for balancer in shop.balancers:
        assert shop.lab.run(balancer, ["sh", "-c", UNITS], check=False).stdout.strip() == "0"
