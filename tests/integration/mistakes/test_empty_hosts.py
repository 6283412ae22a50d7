# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet that begins empty, and hosts that come and go."""

from __future__ import annotations

import json
import shutil
import time
import typing as t

import pytest
from support import examples

from .conftest import Site, local_fleet

app_ctl = examples.module("demo", "app_ctl")
FIRST = {"rollout_version": "1.0.0", "rollout_max_unavailable": 1, "rollout_min_available": 1}
STRANGER = (
    "note: the balancers have members that the inventory lacks: app3. They count for the limits and are not updated: "
)


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Site]:
    """Three hosts in the pool, with nothing on them."""
    if not local_fleet.haproxy_node.binary():
        pytest.skip("no haproxy binary on this machine")
    fleet = local_fleet.LocalFleet(tmp_path_factory.mktemp("empty"), apps=3, make="haproxy")
    try:
        fleet.up()
        for name in ("app1", "app2", "app3"):
            app_ctl.stop(fleet.app_directory(name))
            (fleet.app_directory(name) / "current").unlink()
            shutil.rmtree(fleet.app_directory(name) / "releases")
        site = Site(fleet, tmp_path_factory.mktemp("files"))
        await_rotation(site, [])
        yield site
    finally:
        fleet.down()


def await_rotation(site: Site, names: list[str]) -> None:
    until = time.monotonic() + 60
    while site.in_rotation() != [names, names]:
        assert time.monotonic() < until, site.in_rotation()
        time.sleep(0.2)


def inventory(site: Site, *names: str) -> None:
    """The inventory has only these hosts from now on."""
    content = json.loads(site.fleet.inventory.read_text())
    known = site.files / "hosts.json"
    if not known.exists():
        known.write_text(json.dumps(content["all"]["children"]["fleet"]["hosts"]))
    everyone = json.loads(known.read_text())
    content["all"]["children"]["fleet"]["hosts"] = {name: everyone[name] for name in names}
    site.fleet.inventory.write_text(json.dumps(content))


def started(site: Site) -> dict[str, t.Any]:
    return {name: stats and stats["started_at"] for name, stats in site.fleet.seen().items()}


def played(site: Site) -> str:
    code, output = site.play("rolling", FIRST)
    assert code == 0, output
    return " ".join(output.split())


def test_empty_hosts_a_host_added_and_one_removed(empty: Site) -> None:
    inventory(empty, "app1", "app2")
    output = played(empty)
    assert "note: first deployment: no host serves yet, so all of them may be deployed at once" in output
    assert STRANGER in output
    assert "all 2 hosts are in service on 1.0.0." in output
    await_rotation(empty, ["app1", "app2"])
    before = started(empty)

    assert "nothing to do for 1.0.0, 2 hosts are already on it" in played(empty)
    assert started(empty) == before

    inventory(empty, "app1", "app2", "app3")
    assert "1 of 3 hosts to 1.0.0" in played(empty)
    await_rotation(empty, ["app1", "app2", "app3"])
    after = started(empty)
    assert after["app3"]
    assert {**after, "app3": None} == before

    inventory(empty, "app1", "app2")
    output = played(empty)
    assert "nothing to do for 1.0.0, 2 hosts are already on it" in output
    assert STRANGER in output
    assert started(empty) == after
