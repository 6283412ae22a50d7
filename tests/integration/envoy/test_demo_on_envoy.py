# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo where there is no HAProxy: two Envoys before its fleet. STEADY_LONG runs the whole of it."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from support import background, examples
from support.caller import Caller
from support.haproxy import wait_until

local_fleet = examples.module("demo", "local_fleet")
ALL = {"app1", "app2", "app3"}


@pytest.fixture(autouse=True)
def _needs_envoy() -> None:
    if local_fleet.envoy_node.binary() is None:
        pytest.skip(f"no Envoy on this machine; {local_fleet.envoy_node.MISSING}")


@pytest.fixture
def fleet(tmp_path: pathlib.Path) -> t.Iterator[t.Any]:
    fleet = local_fleet.LocalFleet(tmp_path / "demo", apps=len(ALL), make="envoy")
    try:
        fleet.up()
        yield fleet
    finally:
        fleet.down()


def test_its_inventory_leads_to_envoys_that_can_be_drained_and_are_observed(
    fleet: t.Any, tmp_path: pathlib.Path
) -> None:
    settings = json.loads(fleet.inventory.read_text())["all"]["children"]["fleet"]["vars"]["rollout_balancers"]
    assert [one["host"] for one in settings] == ["lb1", "lb2"]
    with background.observer(fleet.eyes(), tmp_path / "seen.json") as eyes:
        for balancer in settings:
            assert Caller(balancer).put("app1", state="drained").error == ""
            assert Caller(balancer).states() == {"app1": "drained", "app2": "in_service", "app3": "in_service"}
        wait_until(lambda: {("lb1", "app1"), ("lb2", "app1")} <= out(eyes), "the observer saw it on both")
        for balancer in settings:
            assert Caller(balancer).put("app1", state="in_service").error == ""
    assert eyes.report()["gaps"] == []


def out(eyes: background.Background) -> set[tuple[str, ...]]:
    """Every node with those that it did not send requests to at some time."""
    return {(change["node"], *change["out"]) for change in eyes.report()["changes"]}


@pytest.mark.skipif(not os.environ.get("STEADY_LONG"), reason="of the long series: make test-long")
def test_the_whole_demo(tmp_path: pathlib.Path) -> None:
    program = str(local_fleet.REPOSITORY / "examples" / "demo" / "demo.py")
    argv = [sys.executable, program, "--balancer=envoy", f"--directory={tmp_path}/demo"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "demo" / "result.json").read_text())
    assert (result["good"]["failed"], result["bad"]["failed"]) == (0, 0)
    assert set(result["bad"]["versions_after"].values()) == {"2.0.0"}
