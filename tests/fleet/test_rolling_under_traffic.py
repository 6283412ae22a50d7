# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of every kind see no failure while versions roll forward and back, and capacity never falls below the floor."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import Background, traffic
from support.sightings import ACROSS, violations

LONG = os.environ.get("STEADY_LONG") == "1"
ENOUGH = 100_000 if LONG else 1
"""Requests; versions go forward and back until so many were sent."""
RATE = 600 if LONG else 200
KINDS = {"keepalive", "close", "slow", "upload"}
RESOLUTION = 0.6
"""Seconds between what is reported and what the observer saw: two of its looks, a poll of the balancers, and the first command."""
FLOOR = 4
WINDOW = 2
SMOKE = [{"name": "home", "url": "/", "expect": "version == '{{ rollout_target.version }}'"}]


@pytest.fixture
def crowd(fleet: Lab, tmp_path: pathlib.Path) -> t.Iterator[Background]:
    """Quick requests on kept and on fresh connections, requests of 5 s, uploads of 3 s, all at once."""
    with traffic(fleet.urls(), tmp_path / "crowd.json", inside=fleet.inside(), rate=RATE) as crowd:
        yield crowd


@pytest.mark.every_suite
def test_no_request_fails_while_versions_roll_forward_and_back(
    shop: Shop, rolling: Rolling, crowd: Background, eyes: Background
) -> None:
    for number in itertools.count(2):
        roll_forward(shop, rolling, f"{number}.0.0")
        roll_back(shop, rolling, "1.0.0")
        if crowd.report()["requests"] >= ENOUGH:
            break
    shop.await_all_in_rotation()
    assert_all_were_served(crowd.stop(), number)
    assert_capacity_held(shop, eyes.stop())


@pytest.mark.long
def test_out_of_service_counted_from_admission_and_not_what_users_saw(
    shop: Shop, rolling: Rolling, eyes: Background
) -> None:
    """A slow step between admission and drain is no time out of service."""
    shop.lab.add_release("2.0.0")
    ended = rolling.run("2.0.0", rollout_before_drain_tasks=slow_step(shop))
    assert ended.exit_code == 0, ended.output
    seen = seconds_out(eyes.stop(), shop.apps)
    reported = {e["host"]: json.loads(e["data"])["out_for"] for e in shop.events() if e["kind"] == "proven"}
    assert set(reported) == set(shop.apps)
    for app in shop.apps:
        assert abs(reported[app] - seen[app]) < RESOLUTION, (reported, seen)
        assert ended.said(f"{app} in service on 2.0.0, "), ended.output


def slow_step(shop: Shop) -> str:
    path = shop.lab.places.directory / "slow_step.yml"
    path.write_text("- name: Prepare\n  ansible.builtin.command: sleep 2\n", encoding="utf-8")
    return str(path)


def seconds_out(looks: dict[str, t.Any], apps: t.Sequence[str]) -> dict[str, float]:
    """From the first node that took the host out to the last one that has it in rotation again."""
    out_since: dict[tuple[str, str], float] = {}
    left: dict[str, list[float]] = {app: [] for app in apps}
    returned: dict[str, list[float]] = {app: [] for app in apps}
    for change in looks["changes"]:
        if change["node"] == ACROSS:
            continue
        for app in apps:
            key = (change["node"], app)
            if app in change["out"] and key not in out_since:
                out_since[key] = change["at"]
                left[app].append(change["at"])
            elif app in change["in"] and out_since.pop(key, None) is not None:
                returned[app].append(change["at"])
    return {app: max(returned[app]) - min(left[app]) for app in apps}


def roll_forward(shop: Shop, rolling: Rolling, version: str) -> None:
    shop.lab.add_release(version)
    ended = rolling.run(version, rollout_smoke_tests=SMOKE)
    assert ended.exit_code == 0, ended.output
    assert ended.last_line == f"shop: all 6 hosts are in service on {version}."
    assert shop.all_on(version), shop.versions()


def roll_back(shop: Shop, rolling: Rolling, version: str) -> None:
    ended = rolling.run("", playbook="rollback")
    assert ended.exit_code == 0, ended.output
    assert shop.all_on(version), shop.versions()


def assert_all_were_served(seen: dict[str, t.Any], newest: int) -> None:
    assert seen["failed"] == 0, seen["failures"]
    assert seen["requests"] >= ENOUGH
    assert {kind for kind, counted in seen["clients"].items() if counted["ok"]} == KINDS
    assert set(seen["versions"]) == {f"{number}.0.0" for number in range(1, newest + 1)}


def assert_capacity_held(shop: Shop, looks: dict[str, t.Any]) -> None:
    """The observer saw every host leave, on both balancers, and never too many at a time."""
    for balancer in shop.balancers:
        assert {app for change in looks["changes"] if change["node"] == balancer for app in change["out"]} == set(
            shop.apps
        )
    assert violations(looks, FLOOR, WINDOW, shop.zones, zone_floor=1) == []
