# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts themselves say after the rollout, asked without the collection's code."""

from __future__ import annotations

import csv
import io
import json
import os
import pathlib
import typing as t

import pytest
import testinfra.utils.ansible_runner

INVENTORY = pathlib.Path(
    os.environ.get("STEADY_INVENTORY") or pathlib.Path(__file__).parents[3] / "build/lab/inventory"
)
VERSION = "2.0.0"

ASK = """
import socket
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect("/run/haproxy/admin.sock")
    connection.sendall(b"show stat\\n")
    answer = b"".join(iter(lambda: connection.recv(65536), b""))
print(answer.decode())
"""


def hosts(group: str) -> list[str]:
    return testinfra.utils.ansible_runner.AnsibleRunner(str(INVENTORY)).get_hosts(group)


@pytest.fixture(scope="module")
def ssh_config(tmp_path_factory: pytest.TempPathFactory) -> str:
    """testinfra takes most of ssh's settings from the inventory, but not ansible_ssh_args."""
    path = tmp_path_factory.mktemp("ssh") / "config"
    path.write_text(f"UserKnownHostsFile {INVENTORY.parent / 'known_hosts'}\nStrictHostKeyChecking yes\n")
    return str(path)


@pytest.fixture
def host(name: str, ssh_config: str) -> t.Any:
    return testinfra.get_host(f"ansible://{name}", ansible_inventory=str(INVENTORY), ssh_config=ssh_config)


@pytest.mark.parametrize("name", hosts("fleet"))
def test_serves_the_release(host: t.Any) -> None:
    answer = json.loads(host.check_output("curl --silent --fail http://localhost:8080/health"))

    assert answer == {"status": "healthy", "version": VERSION}


@pytest.mark.parametrize("name", hosts("fleet"))
def test_runs_from_the_release(host: t.Any) -> None:
    current = host.file("/opt/shop/current")

    assert current.is_symlink
    assert current.linked_to == f"/opt/shop/releases/{VERSION}"
    assert host.service("shop").is_running


@pytest.mark.parametrize("name", hosts("fleet"))
def test_keeps_the_release_before(host: t.Any) -> None:
    assert host.file("/opt/shop/releases/1.0.0").is_directory


@pytest.mark.parametrize("name", hosts("balancers"))
def test_has_every_member_in_rotation(host: t.Any) -> None:
    table = csv.DictReader(io.StringIO(host.check_output("python3 -c %s", ASK).lstrip("# ")))
    members = {row["svname"]: row["status"] for row in table if row["pxname"] == "shop" and row["svname"] != "BACKEND"}

    assert members == dict.fromkeys(hosts("fleet"), "UP")
