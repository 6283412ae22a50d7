# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's network: one bridge in a network namespace, and a cable to each host's own namespace."""

from __future__ import annotations

import pathlib
import re

from fleet.lab.places import CONTROLLER_ADDRESS, NETWORK_BITS, Host, Places, command

INOTIFY_LIMIT = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_ENOUGH = 8192  # the usual 128 last for about 25 hosts with systemd
INOTIFY_BEFORE = pathlib.Path("/run/steady-lab-inotify-limit")
"""What the limit was before the first of the labs that are up; the last one restores it."""
HOST = re.compile(r".+-(app|lb)\d+")


def exists(netns: str) -> bool:
    return pathlib.Path(f"/run/netns/{netns}").exists()


def build(places: Places) -> None:
    """The bridge, with the controller's address on it."""
    if not exists(places.name):
        command("ip", "netns", "add", places.name)
    links = command("ip", "-n", places.name, "-o", "link", "show")
    if "br0" not in links:
        batch = f"""\
link set lo up
link add br0 type bridge
addr add {CONTROLLER_ADDRESS}/{NETWORK_BITS} dev br0
link set br0 up
"""
        command("ip", "-n", places.name, "-batch", "-", text=batch)
    _raise_inotify_limit()


def connect(places: Places, host: Host) -> None:
    """A network namespace for the host, and the cable plugged in."""
    netns = places.netns(host)
    if not exists(netns):
        command("ip", "netns", "add", netns)
        command("ip", "link", "add", _cable(host), "netns", places.name, "type", "veth", "peer", "eth0", "netns", netns)
        command("ip", "-n", places.name, "link", "set", _cable(host), "master", "br0")
        batch = f"link set lo up\naddr add {host.address}/{NETWORK_BITS} dev eth0\nlink set eth0 up\n"
        command("ip", "-n", netns, "-batch", "-", text=batch)
    plug(places, host, True)


def plug(places: Places, host: Host, plugged: bool) -> None:
    """Pulls or plugs the host's cable; packets under way are lost, nobody gets a word of it."""
    command("ip", "-n", places.name, "link", "set", _cable(host), "up" if plugged else "down")


def remove(places: Places) -> None:
    """Everything that build() and connect() made."""
    ours = re.compile(re.escape(places.name) + r"-(app|lb)\d+")
    for path in sorted(pathlib.Path("/run").glob("netns/*")):
        if ours.fullmatch(path.name):
            command("ip", "netns", "del", path.name, check=False)
    if exists(places.name):
        command("ip", "netns", "del", places.name, check=False)
    if INOTIFY_BEFORE.exists() and not any(HOST.fullmatch(path.name) for path in pathlib.Path("/run").glob("netns/*")):
        INOTIFY_LIMIT.write_text(INOTIFY_BEFORE.read_text(encoding="ascii"), encoding="ascii")
        INOTIFY_BEFORE.unlink()


def _cable(host: Host) -> str:
    return f"to-{host.name}"


def _raise_inotify_limit() -> None:
    before = INOTIFY_LIMIT.read_text(encoding="ascii")
    if int(before) < INOTIFY_ENOUGH:
        INOTIFY_BEFORE.write_text(before, encoding="ascii")
        INOTIFY_LIMIT.write_text(str(INOTIFY_ENOUGH), encoding="ascii")
