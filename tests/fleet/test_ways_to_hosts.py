# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollouts over logins and hosts that are not as comfortable: each works, or fails with one sentence and drains nothing.

tests/integration/sessions/test_ways.py has the single session of each.
"""

from __future__ import annotations

import glob
import os
import pathlib
import shlex
import subprocess
import sys
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.lab.places import REPOSITORY
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from fleet.world.unnoticed import assert_unnoticed
from support.background import Background

NEW = "2.0.0"
FLOOR, WINDOW = 4, 2
USER, PASSWORD = "ops", "open-sesame"
STATE = "/var/lib/steady-rollout"
ADD_USER = f"""\
id {USER} >/dev/null 2>&1 || useradd --create-home {USER}
echo {USER}:{PASSWORD} | chpasswd
echo '{USER} ALL=(ALL:ALL) ALL' > /etc/sudoers.d/{USER}
install -d -o {USER} -m 700 /home/{USER}/.ssh
install -o {USER} -m 600 /root/.ssh/authorized_keys /home/{USER}/.ssh/
"""
PYTHONS = glob.glob(os.path.expanduser("~/.pyenv/versions/3.8.*"))
Prepare = t.Callable[["Site"], str]
long = pytest.mark.long


class Site:
    """The hosts of a test, prepared; what is mounted on them goes with its end."""

    def __init__(self, shop: Shop, folder: pathlib.Path) -> None:
        self.shop = shop
        self._folder = folder
        self._hosts = [*shop.apps, *shop.balancers]
        self._mounted: list[str] = []

    @property
    def lab(self) -> Lab:
        return self.shop.lab

    def address(self, name: str) -> str:
        return next(host.address for host in self.lab.hosts if host.name == name)

    def on_each(self, script: str) -> None:
        for name in self._hosts:
            self.lab.run(name, ["sh", "-ec", script])

    def mount(self, place: str, options: str) -> None:
        self.on_each(f"mkdir -p {place}; mount -t tmpfs -o {options} tmpfs {place}")
        self._mounted.append(place)

    def close(self) -> None:
        for place in reversed(self._mounted):
            self.on_each(f"umount -l {place}")

    def words(self, inventory: str) -> tuple[str, str]:
        """What a playbook's command line needs to use these variables beside the lab's own."""
        path = self._folder / "more.ini"
        path.write_text(inventory, encoding="utf-8")
        return "-i", str(path)


@pytest.fixture
def site(shop: Shop, tmp_path: pathlib.Path) -> t.Iterator[Site]:
    site = Site(shop, tmp_path)
    yield site
    site.close()


def variables(*words: str) -> str:
    return "".join(f"[{group}:vars]\n" + "".join(f"{word}\n" for word in words) for group in ("fleet", "balancers"))


def sudo_with_a_password(site: Site, password: str = PASSWORD) -> str:
    site.on_each(ADD_USER)
    given = [f"ansible_become_password={password}"] if password else []
    return variables(f"ansible_user={USER}", "ansible_become=true", *given)


def jump_host(site: Site) -> str:
    """With connections of its own: those of other tests may still be open."""
    connections = site.lab.places.runtime / "jump"
    connections.mkdir(mode=0o700, exist_ok=True)
    options = f"-o UserKnownHostsFile={site.lab.places.directory / 'known_hosts'}"
    proxy = f"ssh -i {site.lab.places.key} {options} -W %h:%p root@{site.address('lb1')}"
    words = shlex.join(["-o", f"ProxyCommand={proxy}"])
    return f'[fleet:vars]\nansible_ssh_common_args="{words}"\nansible_control_path_dir={connections}\n'


def noexec(site: Site) -> str:
    inventory = sudo_with_a_password(site)
    for place in (STATE, f"/home/{USER}"):
        site.mount(place, "noexec,mode=0700")
    site.on_each(ADD_USER + f"chown {USER} /home/{USER}\n")
    return inventory


def no_space_for_the_runner(site: Site) -> str:
    site.mount(STATE, "size=40k,mode=0700")
    return ""


def python_3_8(site: Site) -> str:
    """On one host; its files lie where they were built to lie."""
    place = pathlib.Path(PYTHONS[0])
    files = [place / "bin/python3.8", *place.glob("lib/libpython3.8.so*"), place / "lib/python3.8"]
    left_out = [f"--exclude={name}" for name in ("__pycache__", "site-packages", "test", "config-*", "idlelib")]
    archive = site.lab.places.directory / "python.tar"
    subprocess.run(["tar", "-cf", archive, "-C", "/", *left_out, *(str(file)[1:] for file in files)], check=True)
    ansible = str(pathlib.Path(sys.executable).with_name("ansible"))
    subprocess.run(
        [*site.lab.inside(), ansible, "app1", "-i", site.lab.inventory, "-m", "unarchive", "-a", f"src={archive} dest=/"],
        cwd=REPOSITORY, check=True, capture_output=True,
    )  # fmt: skip
    archive.unlink()
    return f"[fleet]\napp1 ansible_python_interpreter={files[0]}\n"


@pytest.mark.parametrize(
    "prepare",
    [
        pytest.param(sudo_with_a_password, id="sudo with a password"),
        pytest.param(jump_host, id="jump host", marks=long),
        pytest.param(noexec, id="nothing may be executed at home", marks=long),
        pytest.param(no_space_for_the_runner, id="no space for the runner", marks=long),
        pytest.param(
            python_3_8,
            id="Python 3.8",
            marks=[long, pytest.mark.skipif(not PYTHONS, reason="Python 3.8 is not here (pyenv)")],
        ),
    ],
)
def test_it_rolls(site: Site, rolling: Rolling, users: Background, eyes: Background, prepare: Prepare) -> None:
    site.lab.add_release(NEW)
    words = site.words(prepare(site))
    ended = rolling.run(NEW, *words, "-v")
    assert ended.exit_code == 0, ended.output
    assert site.shop.all_on(NEW), ended.output
    assert PASSWORD not in ended.output
    if prepare is jump_host:
        log = site.lab.run("app1", ["journalctl", "--unit=ssh", "--no-pager"]).stdout
        assert f"Accepted publickey for root from {site.address('lb1')} " in log
    assert_nothing_left(site.shop, users, eyes)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        pytest.param("wrong", "sudo does not accept the password.", id="wrong"),
        pytest.param("", "sudo asks for a password and none is set (ansible_become_password).", id="none", marks=long),
    ],
)
def test_a_password_that_does_not_fit_is_one_sentence_before_anything_is_touched(
    site: Site, rolling: Rolling, users: Background, eyes: Background, password: str, why: str
) -> None:
    site.lab.add_release(NEW)
    before = site.shop.starts()
    ended = rolling.run(NEW, *site.words(sudo_with_a_password(site, password)))
    assert ended.exit_code != 0, ended.output
    assert f"cannot be used as another user: {why}" in " ".join(ended.output.split()), ended.output
    assert site.shop.touched(NEW, before) == []
    assert_nothing_left(site.shop, users, eyes)


def assert_nothing_left(shop: Shop, users: Background, eyes: Background) -> None:
    shop.await_all_in_rotation()
    assert_unnoticed(shop, users, eyes, FLOOR, WINDOW)
