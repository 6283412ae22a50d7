# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users see no failure while the service is a container image that Podman or Docker runs, forward and back."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from fleet.lab.hosts import PROGRAMS, Lab
from fleet.lab.places import LabError, Places, require
from fleet.world import containers
from fleet.world.containers import BY_ENGINE, GREETING, NAME, SETTINGS, UNIT, Images, running
from fleet.world.moments import AWAITED
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import Background

pytestmark = pytest.mark.long
READ_VOLUME = "print(open('/etc/machine-id').read())"


@pytest.fixture(scope="module")
def fleet() -> t.Iterator[Lab]:
    """Hosts with Podman and Docker, beside those of the other tests."""
    try:
        require(PROGRAMS)
    except LabError as error:
        pytest.skip(str(error))
    usual = Places.usual()
    name = f"{usual.name}-containers"
    places = dataclasses.replace(usual, name=name, directory=usual.directory.with_name(f"lab-{name}"))
    lab = Lab(apps=4, balancers=2, places=places, suite=containers.SUITE, more=containers.PACKAGES)
    lab.down()
    with lab:
        yield lab


@pytest.fixture(scope="module")
def images(fleet: Lab) -> Images:
    """A registry with good versions and a bad one."""
    images = Images(fleet)
    images.start()
    for version in ("1.0.0", "2.0.0"):
        images.push(version)
    images.push("3.0.0", health="broken")
    images.push("4.0.0", start="refuse")
    return images


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "podman"))


@pytest.fixture
def shop(fleet: Lab, images: Images, rolling: Rolling, engine: str) -> t.Iterator[Shop]:
    """Version 1.0.0, installed by a first deployment on hosts where nothing else runs."""
    shop = Shop(fleet)
    shop.reset()
    shop.on_each("systemctl disable --now shop")
    try:
        if engine == "docker":
            shop.on_each("systemctl start docker")
        ended = rolling.run("1.0.0")
        assert ended.exit_code == 0, ended.output
        shop.await_all_in_rotation()
        yield shop
    finally:
        shop.on_each(containers.GONE)


@pytest.fixture
def rolling(fleet: Lab, engine: str) -> Rolling:
    return Rolling(fleet, BY_ENGINE[engine])


@pytest.mark.parametrize(
    ("engine", "of_a_crash"),
    [("podman", "the service does not stay up"), ("docker", "not healthy within")],
    indirect=["engine"],
)
def test_an_image_goes_forward_and_bad_ones_are_rolled_back(
    shop: Shop, rolling: Rolling, users: Background, engine: str, of_a_crash: str
) -> None:
    assert set(running(shop, engine).values()) == {"1.0.0"}
    ended = rolling.run("2.0.0")
    assert (ended.exit_code, ended.last_line) == (0, "shop: all 4 hosts are in service on 2.0.0."), ended.output
    assert set(running(shop, engine).values()) == {"2.0.0"}
    assert shop.all_on("2.0.0")
    before = shop.starts()
    again = rolling.run("2.0.0")
    assert again.said("shop: nothing to do for 2.0.0, 4 hosts are already on it"), again.output
    assert shop.starts() == before
    for bad, because in (("3.0.0", "not healthy within"), ("4.0.0", of_a_crash)):
        ended = rolling.run(bad)
        assert ended.exit_code == 2, ended.output
        assert ended.said(f"shop: {bad} rolled back: "), ended.output
        assert because in ended.last_line, ended.output
        assert set(running(shop, engine).values()) == {"2.0.0"}
        assert shop.all_on("2.0.0")
    shop.await_all_in_rotation()
    assert users.stop()["failed"] == 0


def test_a_killed_run_is_finished_by_the_next_one(shop: Shop, rolling: Rolling, users: Background) -> None:
    already = len(shop.events())
    killed = rolling.start("2.0.0")
    shop.await_that(lambda: killed.is_over or "update" in steps(shop, already), AWAITED)
    killed.wait_at_most(2)
    killed.kill(group=True)
    ended = rolling.run("2.0.0")
    assert ended.exit_code == 0, f"{killed.output}\n{ended.output}"
    assert set(running(shop, "podman").values()) == {"2.0.0"}
    shop.await_all_in_rotation()
    assert users.stop()["failed"] == 0


def steps(shop: Shop, already: int) -> set[str]:
    """The steps that hosts have begun since then."""
    changing = [event for event in shop.events()[already:] if event["kind"] == "changing"]
    return {json.loads(event["data"])["step"] for event in changing}


def test_what_cannot_be_started_takes_no_host_out_of_service(shop: Shop, rolling: Rolling) -> None:
    before, already = shop.starts(), len(shop.events())

    def refused(version: str, text: str, **changed: t.Any) -> None:
        ended = rolling.run(version, rollout_container={**SETTINGS["rollout_container"], **changed})
        assert ended.exit_code == 2, ended.output
        assert ended.said(text), ended.output

    refused("9.9.9", "Image 10.77.9.1:5000/shop:9.9.9 cannot be pulled: Error: initializing source")
    refused("2.0.0", "unsupported key 'NoSuchKey' in group 'Container'", options={"NoSuchKey": "1"})
    refused("2.0.0", "shop.service is already the unit /etc/systemd/system/shop.service", name="shop")
    assert "drain" not in steps(shop, already)
    assert shop.starts() == before


def test_a_container_has_its_settings_and_time_to_stop(shop: Shop) -> None:
    said = shop.lab.run("app1", ["podman", "container", "inspect", NAME]).stdout
    settings = json.loads(said)[0]["Config"]
    assert f"GREETING={GREETING}" in settings["Env"]
    assert settings["User"] == "65534"
    assert shop.lab.run("app1", ["podman", "exec", NAME, "/usr/bin/python3", "-c", READ_VOLUME]).stdout
    slow = [
        "sh",
        "-c",
        f"curl --silent --fail 'http://127.0.0.1:8080/slow?seconds=12' & sleep 1; systemctl stop {UNIT}; wait $!",
    ]
    assert json.loads(shop.lab.run("app1", slow).stdout)["version"] == "1.0.0"
