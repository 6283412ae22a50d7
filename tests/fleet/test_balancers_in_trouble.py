# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Balancers that are reloaded, deny, do not answer, or show members that are not what they should be."""

from __future__ import annotations

import contextlib
import json
import pathlib
import time
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.lab.places import Host
from fleet.world.faults import Held, all_on_again, await_in, happened
from fleet.world.held_step import HeldStep
from fleet.world.open_requests import OpenRequests
from fleet.world.rolling import Ended, Rolling
from fleet.world.shop import Shop
from support.background import Background, traffic
from support.sightings import violations

NEW = "2.0.0"
FLOOR, WINDOW = 4, 2
CONFIGURATION = "/etc/haproxy/haproxy.cfg"
NO_SSH = "lb2 cannot be reached over ssh"
NO_HAPROXY = "nothing listens there. Is HAProxy running?"
EVERYBODY = ()
HALF = ("--limit", "app1,app2,app3")


@pytest.fixture(autouse=True)
def _new_release(fleet: Lab) -> None:
    fleet.add_release(NEW)


@pytest.fixture
def users_of_lb1(fleet: Lab, tmp_path: pathlib.Path) -> t.Iterator[Background]:
    """Light traffic that does not need the balancer that is about to be lost."""
    few = {"rate": 40, "slow": 0, "uploads": 0}
    with traffic(fleet.urls()[:1], tmp_path / "traffic.json", inside=fleet.inside(), **few) as users:
        yield users


def test_a_reload_in_the_middle_of_a_drain_cuts_off_no_request(
    shop: Shop, rolling: Rolling, eyes: Background, tmp_path: pathlib.Path
) -> None:
    step = HeldStep(shop, tmp_path)
    run = rolling.start(NEW, rollout_drain_timeout=55, rollout_before_drain_tasks=step.tasks)
    step.await_hosts(run, WINDOW)
    with OpenRequests(shop, "lb1") as requests:
        step.let_go()
        await_in(run, lambda: bool(drained(shop, "lb1")), "somebody is drained on lb1")
        (first, *_others) = drained(shop, "lb1")
        shop.lab.run("lb1", ["systemctl", "reload", "haproxy"])
        await_in(run, lambda: first in drained(shop, "lb2"), f"{first} is drained on lb2")
        assert first in drained(shop, "lb1")
        answers = requests.finish()
    ended = run.wait()
    assert {(answer["status"], answer.get("version")) for answer in answers} == {(200, "1.0.0")}
    assert shop.starts()[first] > requests.finished_at
    assert_all_new(shop, ended)
    assert violations(eyes.stop(), FLOOR, WINDOW) == []


def test_an_operators_socket_is_refused_at_the_start(shop: Shop, rolling: Rolling) -> None:
    before = shop.starts()
    balancers = [dict(one, socket="/run/haproxy/operator.sock") for one in balancers_of(shop.lab)]
    ended = rolling.run(NEW, rollout_balancers=balancers)
    assert ended.exit_code != 0
    assert "Balancer lb1 cannot be used: lb1 /run/haproxy/operator.sock: no change is allowed here" in ended.last_line
    assert "add 'level admin' to its 'stats socket' line" in ended.last_line
    assert "Nothing was touched." in ended.last_line
    assert_untouched(shop, before)


@pytest.mark.long
def test_members_that_are_down_or_have_no_check_are_updated_too(
    shop: Shop, rolling: Rolling, users: Background, eyes: Background
) -> None:
    """The one that is down goes first and counts in the window."""
    shop.lab.run("app5", ["systemctl", "stop", "shop"])
    shop.await_that(lambda: not any("app5" in members for members in shop.in_rotation().values()))
    with configured(shop, "/server app[26] /s/ check$//"):
        ended = rolling.run(NEW)
        assert happened(shop, "admitted")[0] == "app5", ended.output
        assert_all_new(shop, ended)
    assert violations(eyes.stop(), FLOOR, WINDOW) == []
    assert users.stop()["failed"] == 0


@pytest.mark.long
def test_a_member_that_an_operator_drained_is_left_alone(shop: Shop, rolling: Rolling, users: Background) -> None:
    before = shop.starts()
    for balancer in shop.balancers:
        shop.haproxy(balancer, "set server shop/app4 state drain")
    ended = rolling.run(NEW, rollout_zone_min_available=0)
    assert ended.exit_code != 0
    assert "app4 skipped: drained on lb1 by somebody else" in ended.last_line, ended.output
    assert "5 of 6 hosts are in service on 2.0.0" in ended.last_line
    assert shop.starts()["app4"] == before["app4"]
    assert [drained(shop, balancer) for balancer in shop.balancers] == [{"app4"}, {"app4"}]
    assert users.stop()["failed"] == 0


def test_a_member_that_an_operator_drains_meanwhile_is_left_alone(
    shop: Shop, rolling: Rolling, users: Background
) -> None:
    """On the second node only: what the rollout had marked on the first is undone."""
    before = shop.starts()
    with Held(shop, *shop.apps) as held:
        run = rolling.start(NEW, rollout_zone_min_available=0)
        held.await_some(run, WINDOW)
        (theirs, *_others) = set(shop.apps) - set(happened(shop, "admitted"))
        shop.haproxy("lb2", f"set server shop/{theirs} state maint")
        held.let_go()
        ended = run.wait()
    assert ended.exit_code != 0
    assert f"{theirs} skipped: put into maintenance on lb2 by somebody else" in ended.last_line, ended.output
    assert "5 of 6 hosts are in service on 2.0.0" in ended.last_line
    assert shop.starts()[theirs] == before[theirs]
    assert shop.in_rotation() == {"lb1": set(shop.apps), "lb2": set(shop.apps) - {theirs}}
    assert users.stop()["failed"] == 0


@pytest.mark.parametrize(
    ("lost", "because", "words"),
    [
        pytest.param("host", NO_SSH, EVERYBODY, id="host cut off", marks=pytest.mark.long),
        pytest.param("host", NO_SSH, HALF, id="host cut off, limit", marks=pytest.mark.long),
        pytest.param("service", NO_HAPROXY, EVERYBODY, id="haproxy stopped", marks=pytest.mark.long),
        pytest.param("service", NO_HAPROXY, HALF, id="haproxy stopped, limit"),
    ],
)
def test_a_node_that_is_silent_at_the_start_is_refused(
    shop: Shop, rolling: Rolling, lost: str, because: str, words: t.Sequence[str]
) -> None:
    before = shop.starts()
    with silent(shop, "lb2", lost):
        ended = rolling.run(NEW, *words)
    assert ended.exit_code != 0
    assert "Balancer lb2 cannot be used: lb2 " in ended.last_line, ended.output
    assert because in ended.last_line
    assert "Nothing was touched." in ended.last_line
    assert_untouched(shop, before)


@pytest.mark.parametrize("words", [EVERYBODY, pytest.param(HALF, marks=pytest.mark.long)], ids=["whole fleet", "limit"])
def test_a_node_lost_midway_lets_no_further_host_start_and_those_in_flight_finish(
    shop: Shop, rolling: Rolling, users_of_lb1: Background, words: t.Sequence[str]
) -> None:
    with Held(shop, *shop.apps) as held:
        run = rolling.start(NEW, *words)
        in_flight = held.await_some(run, WINDOW)
        with all_on_again(shop.lab, "lb2"):
            shop.lab.cut("lb2")
            held.let_go()
            ended = run.wait()
            left = shop.in_rotation()["lb1"]
    assert ended.exit_code != 0
    assert NO_SSH in ended.last_line, ended.output
    assert set(happened(shop, "admitted")) == in_flight
    assert {name for name, version in shop.versions().items() if version == NEW} == in_flight
    assert left == set(shop.apps), ended.output
    assert users_of_lb1.stop()["failed"] == 0
    assert_all_new(shop, rolling.run(NEW))


@pytest.mark.long
def test_a_node_that_restarts_for_20_s_during_a_drain_left_both_hosts_stuck(
    shop: Shop, rolling: Rolling, users_of_lb1: Background, tmp_path: pathlib.Path
) -> None:
    step = HeldStep(shop, tmp_path)
    run = rolling.start(
        NEW, rollout_drain_timeout=55, rollout_restore_timeout=45, rollout_before_drain_tasks=step.tasks
    )
    step.await_hosts(run, WINDOW)
    with OpenRequests(shop, "lb1") as requests:
        step.let_go()
        await_in(run, lambda: len(drained(shop, "lb2")) == WINDOW, "two hosts are drained on lb2")
        with silent(shop, "lb2", "service"):
            time.sleep(5)
            # From here on both hosts are changed and have to be put back on the node that is gone.
            answers = requests.finish()
            time.sleep(15)
    ended = run.wait()
    assert {answer["status"] for answer in answers} == {200}, ended.output
    assert not happened(shop, "stuck"), ended.output
    shop.await_all_in_rotation()
    assert rolling.info()["left_out"] == [], ended.output
    assert users_of_lb1.stop()["failed"] == 0
    assert_all_new(shop, ended if ended.exit_code == 0 else rolling.run(NEW))


@pytest.mark.long
def test_a_host_that_only_one_node_restores_is_drained_again_before_it_is_rolled_back(
    shop: Shop, rolling: Rolling, users_of_lb1: Background, eyes: Background
) -> None:
    cut_from_lb2 = ["ip", "route", "add", "blackhole", f"{Host.named('lb2').address}/32"]
    with Held(shop, "app1") as held:
        run = rolling.start(NEW, rollout_restore_timeout=4)
        held.await_some(run, 1)
        shop.lab.run("app1", cut_from_lb2)
        try:
            held.let_go()
            ended = run.wait()
        finally:
            shop.lab.run("app1", [word.replace("add", "del") for word in cut_from_lb2])
    assert ended.exit_code != 0
    assert "app1" in ended.last_line, ended.output
    assert shop.all_on("1.0.0"), (shop.versions(), ended.output)
    assert "app1" in out_at(eyes.stop(), "lb1", shop.starts()["app1"])
    assert users_of_lb1.stop()["failed"] == 0


@pytest.mark.parametrize(
    ("settings", "because"),
    [
        pytest.param(
            {"rollout_min_available": "60%"},
            "rollout_min_available 60% of 6 = 4 means that no host could be drained",
            id="floor",
        ),
        pytest.param(
            {"rollout_min_available": 1},
            "rollout_max_unavailable 2 means that no host could be drained",
            id="window",
            marks=pytest.mark.long,
        ),
    ],
)
def test_under_limit_floor_and_window_count_the_whole_fleet(
    shop: Shop, rolling: Rolling, settings: dict[str, t.Any], because: str
) -> None:
    before = shop.starts()
    for member in ("app5", "app6"):
        shop.haproxy("lb1", f"set server shop/{member} state maint")
    ended = rolling.run(NEW, *HALF, rollout_zone_min_available=0, **settings)
    assert ended.exit_code != 0
    assert because in ended.last_line, ended.output
    assert "app5, app6" in ended.last_line
    assert_untouched(shop, before)


@contextlib.contextmanager
def configured(shop: Shop, edit: str) -> t.Iterator[None]:
    """Both balancers with another configuration: *edit* is sed's."""
    for balancer in shop.balancers:
        script = f"cp {CONFIGURATION} /root/haproxy.cfg; sed -i '{edit}' {CONFIGURATION}; systemctl reload haproxy"
        shop.lab.run(balancer, ["sh", "-c", script])
    try:
        yield
    finally:
        for balancer in shop.balancers:
            shop.lab.run(balancer, ["sh", "-c", f"mv /root/haproxy.cfg {CONFIGURATION}; systemctl reload haproxy"])


@contextlib.contextmanager
def silent(shop: Shop, balancer: str, lost: str) -> t.Iterator[None]:
    """A balancer that does not answer: its host is cut off, or only HAProxy is not running."""
    with all_on_again(shop.lab, balancer):
        if lost == "host":
            shop.lab.cut(balancer)
            yield
            return
        shop.lab.run(balancer, ["systemctl", "stop", "haproxy"])
        try:
            yield
        finally:
            shop.lab.run(balancer, ["systemctl", "start", "haproxy"])


def balancers_of(lab: Lab) -> list[dict[str, t.Any]]:
    settings = json.loads((lab.inventory / "group_vars" / "fleet.yml").read_text(encoding="utf-8"))
    return t.cast("list[dict[str, t.Any]]", settings["rollout_balancers"])


def drained(shop: Shop, balancer: str) -> set[str]:
    """The members that are out of rotation there, though nothing is wrong with them."""
    return set(shop.apps) - shop.in_rotation()[balancer]


def out_at(report: dict[str, t.Any], node: str, moment: float) -> list[str]:
    """Who was out of rotation at a node at a moment, in seconds since the epoch."""
    before = [change for change in report["changes"] if change["node"] == node and change["at"] <= moment]
    return t.cast("list[str]", before[-1]["out"])


def assert_all_new(shop: Shop, ended: Ended) -> None:
    assert ended.exit_code == 0, ended.output
    assert shop.all_on(NEW), (shop.versions(), ended.output)
    assert all(members == set(shop.apps) for members in shop.in_rotation().values())


def assert_untouched(shop: Shop, before: dict[str, t.Any]) -> None:
    assert shop.touched(NEW, before) == []
    assert not happened(shop, "admitted")
