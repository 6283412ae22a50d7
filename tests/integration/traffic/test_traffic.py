# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users of the service against the service itself: what one counts, the other must have answered."""

from __future__ import annotations

import asyncio
import collections
import pathlib
import subprocess
import sys
import time
import typing as t

import pytest
from support import background, examples, sightings
from support.traffic import Mix, Traffic, run_until

local_fleet = examples.module("demo", "local_fleet")
app_ctl = examples.module("demo", "app_ctl")

STARTER = """
import os, subprocess, sys, time
subprocess.Popen([*sys.argv[1:], f"--for-process={os.getpid()}"])
time.sleep(1)
"""
MIX = {"rate": 300.0, "slow_seconds": 0.5, "upload_seconds": 0.5}


@pytest.fixture
def fleet(tmp_path: pathlib.Path) -> t.Iterator[t.Any]:
    try:
        local_fleet.usual_make()
    except Exception as error:
        pytest.skip(str(error))
    fleet = local_fleet.LocalFleet(tmp_path / "demo", apps=3)
    try:
        fleet.up()
        yield fleet
    finally:
        fleet.down()


def answered(fleet: t.Any) -> collections.Counter[str]:
    """How many requests the instances have answered, but for those of the watchers."""
    total: collections.Counter[str] = collections.Counter()
    for stats in fleet.seen().values():
        total.update(stats["answered"])
    return collections.Counter({path: total[path] for path in ("/", "/slow", "/upload")})


def by_path(report: dict[str, t.Any]) -> dict[str, int]:
    clients = report["clients"]
    return {
        "/": clients["keepalive"]["ok"] + clients["close"]["ok"],
        "/slow": clients["slow"]["ok"],
        "/upload": clients["upload"]["ok"],
    }


def test_straight_to_an_instance_both_count_the_same(fleet: t.Any) -> None:
    traffic = Traffic([fleet.app_urls()["app1"]], Mix(**MIX))
    report = asyncio.run(run_until(traffic, seconds=2.0))
    assert (report["failed"], report["reconnects"]) == (0, 0)
    assert answered(fleet) == by_path(report)


def test_through_the_balancers_both_count_the_same(fleet: t.Any, tmp_path: pathlib.Path) -> None:
    nodes = fleet.eyes()
    eyes = background.observer(nodes, tmp_path / "seen.json")
    with eyes, background.traffic(fleet.urls(), tmp_path / "traffic.json", inside=(), **MIX) as users:
        time.sleep(2.0)
    report = users.report()
    assert (report["failed"], report["running"]) == (0, False)
    assert answered(fleet) == by_path(report)
    assert report["versions"] == {"1.0.0": report["ok"]}
    assert sightings.violations(eyes.report(), floor=3, window=0) == []
    assert eyes.report()["nodes"]["lb1"]["looks"] > 5


def test_a_killed_instance_is_seen_by_the_users_and_by_the_observer(fleet: t.Any, tmp_path: pathlib.Path) -> None:
    directory = fleet.app_directory("app1")
    eyes = background.observer(fleet.eyes(), tmp_path / "seen.json")
    with eyes, background.traffic(fleet.urls(), tmp_path / "traffic.json", inside=(), **MIX) as users:
        time.sleep(1.0)
        local_fleet.process.stop(directory / "app.pid", patience=0.0)
        time.sleep(2.0)
    assert sightings.violations(eyes.report(), floor=3)[0].endswith("2 in rotation, floor 3 (out: app1)")
    report = users.report()
    assert report["requests"] == report["ok"] + report["failed"]
    assert (
        report["failed"]
        == sum(report["kinds"].values())
        == sum(client["failed"] for client in report["clients"].values())
    )


def test_an_instance_that_is_stopped_finishes_its_answers(fleet: t.Any) -> None:
    mix = Mix(rate=50.0, keepalive=0, close=0, slow=8, slow_seconds=4.0, uploads=0)
    traffic = Traffic([fleet.app_urls()["app1"]], mix)

    async def stopped_midway() -> dict[str, t.Any]:
        running = asyncio.ensure_future(run_until(traffic, seconds=2.5))
        await asyncio.sleep(2.0)
        await asyncio.get_running_loop().run_in_executor(None, app_ctl.stop, fleet.app_directory("app1"))
        return await running

    report = asyncio.run(stopped_midway())
    assert (report["ok"], report["failed"]) == (8, 0)


def test_a_release_that_refuses_to_start_fails_the_start_command(fleet: t.Any) -> None:
    directory = fleet.app_directory("app1")
    app_ctl.stop(directory)
    (directory / "current" / "behaviour.json").write_text('{"start": "refuse"}', encoding="utf-8")
    with pytest.raises(
        local_fleet.process.ProcessError, match=r"app1 ended at its start: shop 1\.0\.0 refuses to start"
    ):
        app_ctl.start(directory)


def test_users_end_when_stopped_and_when_their_starter_is_gone(fleet: t.Any, tmp_path: pathlib.Path) -> None:
    report = tmp_path / "traffic.json"
    program = str(pathlib.Path(background.__file__).with_name("traffic.py"))
    argv = [sys.executable, program, f"--url={fleet.urls()[0]}", f"--json={report}", "--slow=0", "--uploads=0"]
    subprocess.run([sys.executable, "-c", STARTER, *argv], check=True, timeout=30, stdout=subprocess.DEVNULL)
    assert local_fleet.process.wait_for(lambda: says(report, '"running": false'), 20.0)


def says(report: pathlib.Path, text: str) -> bool:
    """Whether the report is there and has the text; it appears some time after its writer has started."""
    return report.exists() and text in report.read_text(encoding="utf-8")
