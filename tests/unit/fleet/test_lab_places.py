# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib

import pytest
from fleet.lab import files
from fleet.lab.places import Host, LabError, Places

PLACES = Places("steady", pathlib.Path("/lab"), pathlib.Path("/cache"))
HOSTS = [Host("app", 1), Host("app", 2), Host("lb", 1)]


@pytest.mark.parametrize(
    ("name", "address"),
    [("app1", "10.77.1.1"), ("app249", "10.77.1.249"), ("app250", "10.77.2.0"), ("lb2", "10.77.9.2")],
)
def test_a_host_is_known_by_its_name(name: str, address: str) -> None:
    host = Host.named(name)
    assert (host.name, host.address) == (name, address)


@pytest.mark.parametrize("name", ["web1", "app", "1", "../app1x"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(LabError, match="names no host of the lab; expected appN or lbN"):
        Host.named(name)


def test_no_two_hosts_share_an_address() -> None:
    addresses = {Host(role, number).address for role in ("app", "lb") for number in range(1, 501)}
    assert len(addresses) == 1000


def test_zones_alternate() -> None:
    assert [Host("app", number).zone for number in range(1, 7)] == list("abcabc")


def test_the_inventory_has_both_groups_and_how_to_reach_them() -> None:
    lines = files.inventory(PLACES, HOSTS).splitlines()
    assert lines[:7] == [
        "[fleet]",
        "app1 ansible_host=10.77.1.1 rollout_zone=a",
        "app2 ansible_host=10.77.1.2 rollout_zone=b",
        "",
        "[balancers]",
        "lb1 ansible_host=10.77.9.1",
        "",
    ]
    assert lines.count("ansible_ssh_private_key_file=/lab/id_ed25519") == 2


def test_a_balancer_serves_every_app_host() -> None:
    servers = [line.strip() for line in files.haproxy(HOSTS[:2]).splitlines() if line.startswith("    server ")]
    assert servers == ["server app1 10.77.1.1:8080 check", "server app2 10.77.1.2:8080 check"]
