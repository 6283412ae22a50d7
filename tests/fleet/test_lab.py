# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself: what its faults do to hosts, and that nothing is left of it."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import typing as t

import pytest
from fleet.lab import base, network
from fleet.lab.hosts import PROGRAMS, Lab
from fleet.lab.places import LabError, Places, require

KEEP = "/opt/shop/keep"


@pytest.fixture(scope="module", params=base.SUITES)
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Lab]:
    try:
        require(PROGRAMS)
    except LabError as error:
        pytest.skip(str(error))
    places = Places("lab-own-test", tmp_path_factory.mktemp("lab") / "it", Places.usual().cache)
    lab = Lab(apps=2, balancers=1, places=places, suite=request.param)
    with lab:
        yield lab


def ssh_answers(lab: Lab, name: str) -> bool:
    """Whether the host greets on port 22, asked in the lab's network."""
    (host,) = [host for host in lab.hosts if host.name == name]
    look = "import socket, sys; sys.exit(socket.create_connection((sys.argv[1], 22), 1).recv(4) != b'SSH-')"
    argv = [*lab.inside(), sys.executable, "-c", look, host.address]
    return subprocess.run(argv, stderr=subprocess.DEVNULL, check=False).returncode == 0


def test_every_host_is_whole(lab: Lab) -> None:
    for host in lab.hosts:
        assert lab.run(host.name, ["systemctl", "is-system-running", "--wait"]).stdout == "running\n"
        assert lab.run(host.name, ["hostname"]).stdout == f"{host.name}\n"
        assert ssh_answers(lab, host.name)


def test_a_host_starts_what_was_asked_for_and_nothing_else(lab: Lab) -> None:
    for host in lab.hosts:
        words = ["systemctl", "list-unit-files", "--state=enabled", "--no-legend", "--plain"]
        enabled = {line.split()[0] for line in lab.run(host.name, words).stdout.splitlines()}
        assert enabled == {"ssh.service", "shop.service" if host.role == "app" else "haproxy.service"}


def test_the_service_runs_as_nobody_of_importance(lab: Lab) -> None:
    assert lab.run("app1", ["systemctl", "show", "--property=User", "--value", "shop"]).stdout == "shop\n"
    assert {name: (seen or {}).get("version") for name, seen in lab.seen().items()} == {
        "app1": "1.0.0",
        "app2": "1.0.0",
    }


def test_ansible_reaches_every_host(lab: Lab) -> None:
    ansible = shutil.which("ansible", path=f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    if ansible is None:
        pytest.skip("ansible is not installed here")
    argv = [*lab.inside(), ansible, "-i", str(lab.inventory), "all", "-m", "ansible.builtin.ping"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("SUCCESS")) == (0, 3), done.stdout + done.stderr


def test_up_again_changes_nothing(lab: Lab) -> None:
    before = lab.seen()
    lab.up()
    assert {name: (seen or {})["started_at"] for name, seen in lab.seen().items()} == {
        name: (seen or {})["started_at"] for name, seen in before.items()
    }


def test_a_standing_lab_does_not_grow(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"a lab of another size or suite is up .*: 'fleet down' first\."):
        Lab(apps=3, balancers=1, places=lab.places).up()


def test_a_host_cut_off_lives_on(lab: Lab) -> None:
    lab.cut("app1")
    try:
        assert not ssh_answers(lab, "app1")
        assert lab.run("app1", ["systemctl", "is-active", "shop"]).stdout == "active\n"
    finally:
        lab.heal("app1")
    lab.start("app1")
    assert ssh_answers(lab, "app1")


def test_after_power_loss_the_disk_is_as_it_was(lab: Lab) -> None:
    lab.run("app1", ["sh", "-c", f"echo kept >{KEEP}; echo kept >/root/kept; sync"])
    lab.kill("app1")
    with pytest.raises(LabError, match="app1 is powered off"):
        lab.run("app1", ["true"])
    assert not ssh_answers(lab, "app1")
    lab.start("app1")
    assert lab.run("app1", ["cat", KEEP, "/root/kept"]).stdout == "kept\nkept\n"


def test_a_full_disk_takes_not_a_byte(lab: Lab) -> None:
    write = f"with open('{KEEP}', 'w') as file: file.write('x')"
    lab.fill("app2")
    try:
        done = lab.run("app2", ["python3", "-c", write], check=False)
        assert "OSError: [Errno 28] No space left on device" in done.stderr
    finally:
        lab.free("app2")
    lab.run("app2", ["python3", "-c", write])


def test_a_host_whose_supervisor_was_killed_can_be_started(lab: Lab) -> None:
    os.kill(int((lab.places.hosts / "app2" / "pid").read_text(encoding="ascii")), signal.SIGKILL)
    lab.start("app2")
    assert ssh_answers(lab, "app2")


def test_names_that_no_host_has_are_refused(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"app7 is no host of the lab; it has app1, app2, lb1\."):
        lab.kill("app7")


def test_bad_releases_lie_where_the_inventory_looks(lab: Lab) -> None:
    lab.add_release("3.0.0", {"healthy_for": 5})
    settings = json.loads((lab.inventory / "group_vars" / "fleet.yml").read_text(encoding="utf-8"))
    artifact = settings["rollout_artifact"].replace("{{ rollout_target.version }}", "3.0.0")
    assert pathlib.Path(artifact).is_file()


def test_down_leaves_no_trace(lab: Lab) -> None:
    """Last, because it ends the lab; not even a lost folder and a killed supervisor keep it from cleaning up."""
    os.kill(int((lab.places.hosts / "lb1" / "pid").read_text(encoding="ascii")), signal.SIGKILL)
    lab.down()
    lab.down()
    assert not lab.places.directory.exists()
    assert not lab.places.runtime.exists()
    assert not network.exists(lab.netns)
    left = [path.name for path in pathlib.Path("/run").iterdir() if path.name.startswith(lab.places.name)]
    left += [path.name for path in pathlib.Path("/run/netns").glob(f"{lab.places.name}*")]
    assert left == []
    assert (
        str(lab.places.directory)
        not in subprocess.run(["losetup", "--list", "--noheadings"], capture_output=True, text=True, check=True).stdout
    )
