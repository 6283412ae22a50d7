# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rolling playbook as it is, behind load balancers of other makes, and of two makes in front of one fleet.

STEADY_LONG also rolls back, and adds the ALB and more mixes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.world.alb_front import API, alb_of, target_group
from fleet.world.fronts import Front, behind, require_make
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import Background, observer, traffic
from support.sightings import violations

NEW, BAD = "2.0.0", "6.6.6"
HOSTS, FLOOR, WINDOW = 6, 4, 2
LONG = os.environ.get("STEADY_LONG") == "1"
MIX = {"rate": 150, "keepalive": 16, "close": 8, "slow": 4, "slow_seconds": 3, "uploads": 2, "upload_seconds": 2}
KEPT = 16 + 2
"""Clients that keep their connection: the quick ones and half of the slow ones."""
MIXES = [
    pytest.param({"lb1": "nginx", "lb2": "envoy"}, id="nginx and envoy"),
    pytest.param({"lb1": "apache", "lb2": "apache"}, id="apache", marks=pytest.mark.long),
    pytest.param({"lb1": "haproxy", "lb2": "apache"}, id="haproxy and apache", marks=pytest.mark.long),
    pytest.param({"lb1": "nginx", "lb2": "nginx"}, id="nginx", marks=pytest.mark.long),
    pytest.param({"lb1": "envoy", "lb2": "envoy"}, id="envoy", marks=pytest.mark.long),
]


@dataclasses.dataclass
class Site:
    """The lab behind other makes, with users and, where the makes show something, an observer."""

    fronts: list[Front]
    users: Background
    eyes: Background | None

    def balancers(self) -> list[dict[str, t.Any]]:
        return [front.entry() for front in self.fronts]

    def assert_nobody_noticed(self, *versions: str) -> None:
        assert_served(self.users.stop(), self.fronts, versions)
        if self.eyes:
            assert violations(self.eyes.stop(), FLOOR, WINDOW) == []


@contextlib.contextmanager
def site_behind(shop: Shop, makes: dict[str, str], tmp_path: pathlib.Path) -> t.Iterator[Site]:
    for make in makes.values():
        require_make(make)
    lab = shop.lab
    with behind(lab, makes) as fronts, contextlib.ExitStack() as watched:
        shop.await_that(lambda: all(front.is_ready() for front in fronts))
        nodes = {front.name: eye for front in fronts if (eye := front.eye())}
        users = watched.enter_context(users_of(lab, lab.urls(), tmp_path))
        eyes = watched.enter_context(observer(nodes, tmp_path / "seen.json", lab.inside())) if nodes else None
        yield Site(fronts, users, eyes)


@pytest.mark.parametrize("makes", MIXES)
def test_rolling_behind_other_types_of_balancer(
    shop: Shop, rolling: Rolling, tmp_path: pathlib.Path, makes: dict[str, str]
) -> None:
    with site_behind(shop, makes, tmp_path) as site:
        roll(shop, rolling, site.balancers())
        site.assert_nobody_noticed("1.0.0", NEW)


@pytest.mark.long
def test_a_bad_release_is_rolled_back_behind_two_types_of_balancer(
    shop: Shop, rolling: Rolling, tmp_path: pathlib.Path
) -> None:
    with site_behind(shop, {"lb1": "nginx", "lb2": "envoy"}, tmp_path) as site:
        shop.lab.add_release(BAD, {"health": "unhealthy"})
        before = shop.starts()
        ended = rolling.run(BAD, rollout_balancers=site.balancers())
        assert ended.exit_code != 0
        assert f"{BAD} rolled back" in ended.last_line, ended.output
        assert shop.all_on("1.0.0"), shop.versions()
        assert 1 <= len(shop.touched(BAD, before)) <= WINDOW
        shop.await_that(lambda: all(front.is_ready() for front in site.fronts))
        site.assert_nobody_noticed("1.0.0")


@pytest.mark.long
def test_rolling_behind_an_alb(
    shop: Shop, rolling: Rolling, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API is the fake of tests/support; the hosts behind it are real, and count their own connections."""
    pytest.importorskip("moto")
    for name, value in API.items():
        monkeypatch.setenv(name, value)
    with alb_of(shop.lab, tmp_path) as front, users_of(shop.lab, [front.report()["url"]], tmp_path) as users:
        group = target_group(shop.lab, front.report()["endpoint"])
        roll(shop, rolling, [group])
        assert_served(users.stop(), [], ["1.0.0", NEW])


def roll(shop: Shop, rolling: Rolling, balancers: list[dict[str, t.Any]]) -> None:
    shop.lab.add_release(NEW)
    ended = rolling.run(NEW, rollout_balancers=balancers)
    assert ended.exit_code == 0, ended.output
    assert ended.last_line == f"shop: all {HOSTS} hosts are in service on {NEW}."
    assert shop.all_on(NEW), shop.versions()
    if not LONG:
        return
    back = rolling.run("", playbook="rollback", rollout_balancers=balancers)
    assert back.exit_code == 0, back.output
    assert shop.all_on("1.0.0"), shop.versions()


def assert_served(seen: dict[str, t.Any], fronts: t.Sequence[Front], versions: t.Sequence[str]) -> None:
    """An idle connection may be closed once by each change, and only where that takes a reload."""
    assert (seen["failed"], seen["failures"]) == (0, [])
    assert seen["versions"].keys() == set(versions)
    assert {kind for kind, counted in seen["clients"].items() if counted["ok"]} == {
        "keepalive", "close", "slow", "upload",
    }  # fmt: skip
    changes = 2 * 2 * HOSTS * any(front.closes_idle_on_change for front in fronts)
    assert seen["reconnects"] <= changes * KEPT


def users_of(lab: Lab, urls: list[str], tmp_path: pathlib.Path) -> Background:
    return traffic(urls, tmp_path / "traffic.json", inside=lab.inside(), **MIX)
